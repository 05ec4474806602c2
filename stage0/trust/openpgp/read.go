package openpgp

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/ProtonMail/go-crypto/openpgp/armor"
	pgp "github.com/ProtonMail/go-crypto/openpgp/v2"
)

const (
	// MaxKeysBytes bounds what ReadKeys takes.
	MaxKeysBytes = 1 << 20
	// MaxSignatureBytes bounds a detached signature.
	MaxSignatureBytes = 64 << 10
)

// ReadKeys reads public keys, armored (one block or several) or binary, at most
// MaxKeysBytes. Private keys are refused. Keys in a form that is not known are
// passed over where there are others; a keyring that is returned has at least
// one key.
func ReadKeys(raw []byte) (Keyring, error) {
	k, err := readKeys(raw)
	if err != nil {
		return Keyring{}, fmt.Errorf("read OpenPGP key: %w", err)
	}
	return k, nil
}

func readKeys(raw []byte) (Keyring, error) {
	switch {
	case len(raw) == 0:
		return Keyring{}, errors.New("it is empty")
	case len(raw) > MaxKeysBytes:
		return Keyring{}, fmt.Errorf("it is larger than %d KiB", MaxKeysBytes>>10)
	}
	var blocks []io.Reader
	if isBinary(raw) {
		blocks = append(blocks, bytes.NewReader(raw))
	} else {
		var err error
		if blocks, err = keyBlocks(raw); err != nil {
			return Keyring{}, err
		}
	}
	var rings []Keyring
	for _, block := range blocks {
		entities, err := pgp.ReadKeyRing(block)
		if err != nil {
			return Keyring{}, fmt.Errorf("it is damaged or no key: %w", err)
		}
		if slices.ContainsFunc(entities, private) {
			return Keyring{}, errPrivate
		}
		rings = append(rings, Keyring{entities})
	}
	k := Keyring{}.Merge(rings...)
	if k.Len() == 0 {
		return Keyring{}, errors.New("there is no key in it")
	}
	return k, nil
}

var errPrivate = errors.New("it is a private key: only the public one is needed here, as gpg --export prints it")

func private(e *pgp.Entity) bool {
	return e.PrivateKey != nil || slices.ContainsFunc(e.Subkeys, func(s pgp.Subkey) bool { return s.PrivateKey != nil })
}

// isBinary tells packets from armor: their first byte has the high bit set
// (RFC 9580, section 4.2).
func isBinary(raw []byte) bool { return len(raw) > 0 && raw[0]&0x80 != 0 }

// keyBlocks finds the armored blocks. armor.Decode reads beyond the one that it
// returns, so each gets a reader of its own.
func keyBlocks(raw []byte) ([]io.Reader, error) {
	begin := []byte("-----BEGIN PGP ")
	var blocks []io.Reader
	for at := bytes.Index(raw, begin); at >= 0; {
		rest := raw[at:]
		next := bytes.Index(rest[len(begin):], begin)
		if next >= 0 {
			rest = rest[:len(begin)+next]
			at += len(begin) + next
		} else {
			at = next
		}
		block, err := armor.Decode(bytes.NewReader(rest))
		if err != nil {
			return nil, fmt.Errorf("its armor is damaged: %w", err)
		}
		switch block.Type {
		case pgp.PublicKeyType:
			blocks = append(blocks, block.Body)
		case pgp.PrivateKeyType:
			return nil, errPrivate
		default:
			return nil, fmt.Errorf("it is a %q, not a %q", block.Type, pgp.PublicKeyType)
		}
	}
	if len(blocks) == 0 {
		return nil, errors.New("it is neither armored nor binary OpenPGP data")
	}
	return blocks, nil
}

// dearmor takes the armor of the given type off; what has none stays as it is.
func dearmor(raw []byte, kinds ...string) (io.Reader, error) {
	if isBinary(raw) {
		return bytes.NewReader(raw), nil
	}
	block, err := armor.Decode(bytes.NewReader(raw))
	if errors.Is(err, io.EOF) {
		return nil, errors.New("it is neither armored nor binary OpenPGP data")
	}
	if err != nil {
		return nil, fmt.Errorf("its armor is damaged: %w", err)
	}
	if !slices.Contains(kinds, block.Type) {
		return nil, fmt.Errorf("it is a %q, not a %q", printable(block.Type), kinds[0])
	}
	return block.Body, nil
}

// Merge has the keys of all keyrings, each once. Of two copies of a key it has
// everything that either says, so that the one which knows of a revocation
// counts.
func (k Keyring) Merge(others ...Keyring) Keyring {
	var merged Keyring
	for _, ring := range append([]Keyring{k}, others...) {
		for _, e := range ring.keys {
			i := slices.IndexFunc(merged.keys, func(m *pgp.Entity) bool { return sameKey(m, e) })
			if i < 0 {
				merged.keys = append(merged.keys, e)
				continue
			}
			merged.keys[i] = union(merged.keys[i], e)
		}
	}
	return merged
}

func sameKey(a, b *pgp.Entity) bool {
	return bytes.Equal(a.PrimaryKey.Fingerprint, b.PrimaryKey.Fingerprint)
}

// union makes a third of two copies of a key.
func union(a, b *pgp.Entity) *pgp.Entity {
	u := &pgp.Entity{
		PrimaryKey:       a.PrimaryKey,
		Revocations:      slices.Concat(a.Revocations, b.Revocations),
		DirectSignatures: slices.Concat(a.DirectSignatures, b.DirectSignatures),
		Identities:       make(map[string]*pgp.Identity),
	}
	for _, e := range []*pgp.Entity{a, b} {
		for _, name := range slices.Sorted(maps.Keys(e.Identities)) {
			from := e.Identities[name]
			id := u.Identities[name]
			if id == nil {
				id = &pgp.Identity{Primary: u, Name: name, UserId: from.UserId}
				u.Identities[name] = id
			}
			id.SelfCertifications = append(id.SelfCertifications, from.SelfCertifications...)
			id.Revocations = append(id.Revocations, from.Revocations...)
		}
		for _, from := range e.Subkeys {
			i := slices.IndexFunc(u.Subkeys, func(s pgp.Subkey) bool {
				return bytes.Equal(s.PublicKey.Fingerprint, from.PublicKey.Fingerprint)
			})
			if i < 0 {
				i = len(u.Subkeys)
				u.Subkeys = append(u.Subkeys, pgp.Subkey{Primary: u, PublicKey: from.PublicKey})
			}
			s := &u.Subkeys[i]
			s.Bindings = append(s.Bindings, from.Bindings...)
			s.Revocations = append(s.Revocations, from.Revocations...)
		}
	}
	return u
}

// Armored prints the key with the fingerprint, and no other, as gpg --export
// --armor would: without what third parties say of it.
func (k Keyring) Armored(fpr string) ([]byte, error) {
	i := slices.IndexFunc(k.keys, func(e *pgp.Entity) bool { return fingerprint(e.PrimaryKey) == fpr })
	if i < 0 {
		return nil, fmt.Errorf("there is no key %s", fpr)
	}
	// The union with nothing has no certifications by others.
	own := union(k.keys[i], &pgp.Entity{})
	var out bytes.Buffer
	w, err := armor.Encode(&out, pgp.PublicKeyType, nil)
	if err != nil {
		return nil, fmt.Errorf("print key %s: %w", fpr, err)
	}
	if err := errors.Join(own.Serialize(w), w.Close()); err != nil {
		return nil, fmt.Errorf("print key %s: %w", fpr, err)
	}
	out.WriteByte('\n')
	return out.Bytes(), nil
}

// Usable asks whether the key with the fingerprint may be relied on still: it is in
// the keyring, its owner has not revoked it, and its kind is accepted. That
// costs next to nothing, since no self-signature is checked. The error is a
// *SignatureError.
func (k Keyring) Usable(fpr string) error {
	for _, e := range k.keys {
		if fingerprint(e.PrimaryKey) != fpr {
			continue
		}
		if why := weakKey(e.PrimaryKey); why != "" {
			return refuse(ErrWeak, fpr, "%s", why).withHint(hintFor(ErrWeak))
		}
		if revoked(e) {
			return refuse(ErrRevoked, fpr, "%s", whyRevoked).withHint(hintFor(ErrRevoked))
		}
		return nil
	}
	return unknownKey(fpr)
}

// Fingerprints are the keys' names, 40 or 64 upper case hex digits each.
func (k Keyring) Fingerprints() []string {
	var all []string
	for _, e := range k.keys {
		all = append(all, fingerprint(e.PrimaryKey))
	}
	return all
}
