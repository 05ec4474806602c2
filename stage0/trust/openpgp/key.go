package openpgp

import (
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/ProtonMail/go-crypto/openpgp/packet"
	pgp "github.com/ProtonMail/go-crypto/openpgp/v2"
)

// Key is what is known of a key.
type Key struct {
	// Fingerprint is the primary key's, 40 or 64 upper case hex digits.
	Fingerprint string
	// UserIDs are those that the key vouches for and has not revoked, the
	// primary one first. Anybody may make a key with any user ID. They are
	// safe to print.
	UserIDs []string
	Created time.Time
	// Expires is zero for a key that does not.
	Expires time.Time
	Revoked bool
	// Algorithm is "RSA", "Ed25519", "ECDSA P-256" and the like.
	Algorithm string
	// Bits is the size of RSA, DSA and ElGamal keys, and 0 for others, whose
	// algorithm tells it.
	Bits int
	// Refused says why no signature of the key is accepted; "" where some may be.
	Refused string
	Subkeys []Subkey
}

// Subkey is a part of a key.
type Subkey struct {
	Fingerprint string
	Created     time.Time
	Expires     time.Time // zero for never
	Algorithm   string
	Bits        int // as Key.Bits
	// Signs says that signatures by it are accepted, or were until it expired.
	Signs bool
}

// Keyring is a set of keys. The zero value has none. It must not be used by two
// goroutines at once.
type Keyring struct {
	keys []*pgp.Entity
}

// Keys describes the keys as they stand now, in the order in which they were read.
func (k Keyring) Keys() []Key {
	now := time.Now()
	var keys []Key
	for _, e := range k.keys {
		keys = append(keys, describe(e, now))
	}
	return keys
}

// Len is the number of keys.
func (k Keyring) Len() int { return len(k.keys) }

func describe(e *pgp.Entity, now time.Time) Key {
	j := judge{now: now}
	key := Key{
		Fingerprint: fingerprint(e.PrimaryKey),
		Created:     e.PrimaryKey.CreationTime.UTC(),
		Revoked:     revoked(e),
		UserIDs:     j.userIDs(e),
	}
	key.Algorithm, key.Bits = algorithm(e.PrimaryKey)
	self, refusal := j.primary(e)
	if refusal != nil {
		key.Refused = refusal.why
	} else {
		key.Expires = j.primaryExpiry(e, self)
	}
	signs := refusal == nil && self.FlagsValid && self.FlagSign
	for i := range e.Subkeys {
		sub := &e.Subkeys[i]
		s := Subkey{Fingerprint: fingerprint(sub.PublicKey), Created: sub.PublicKey.CreationTime.UTC()}
		s.Algorithm, s.Bits = algorithm(sub.PublicKey)
		binding, bad := j.subkey(sub)
		if binding != nil {
			s.Expires = expiry(sub.PublicKey, binding)
		}
		s.Signs = refusal == nil && bad == nil
		signs = signs || s.Signs
		key.Subkeys = append(key.Subkeys, s)
	}
	if !signs && key.Refused == "" {
		key.Refused = "no part of the key may sign"
	}
	return key
}

// userIDs lists what the key vouches for.
func (j judge) userIDs(e *pgp.Entity) []string {
	_, primary := e.PrimaryIdentity(j.latest(), policy())
	var ids []string
	for _, id := range e.Identities {
		if _, err := id.Verify(j.latest(), policy()); err == nil {
			ids = append(ids, id.Name)
		}
	}
	slices.SortFunc(ids, func(a, b string) int {
		switch {
		case primary != nil && a == primary.Name:
			return -1
		case primary != nil && b == primary.Name:
			return 1
		}
		return strings.Compare(a, b)
	})
	for i, id := range ids {
		ids[i] = printable(id)
	}
	return ids
}

// maxUserIDRunes is as much of a user ID as anybody needs to see.
const maxUserIDRunes = 200

// printable is a user ID that can't steer a terminal, nor pass for another by
// characters that are not seen.
func printable(id string) string {
	var b strings.Builder
	n := 0
	for _, r := range id {
		if n++; n > maxUserIDRunes {
			b.WriteString("…")
			break
		}
		if r == unicode.ReplacementChar || !unicode.IsGraphic(r) || (unicode.IsSpace(r) && r != ' ') {
			r = '?'
		}
		b.WriteRune(r)
	}
	return b.String()
}

func fingerprint(pk *packet.PublicKey) string {
	return strings.ToUpper(hex.EncodeToString(pk.Fingerprint))
}

// algorithm names a key's algorithm, and its size in bits where the name does not
// tell it.
func algorithm(pk *packet.PublicKey) (name string, bits int) {
	name, ok := map[packet.PublicKeyAlgorithm]string{
		packet.PubKeyAlgoRSA: "RSA", packet.PubKeyAlgoRSASignOnly: "RSA", packet.PubKeyAlgoRSAEncryptOnly: "RSA",
		packet.PubKeyAlgoDSA: "DSA", packet.PubKeyAlgoElGamal: "ElGamal",
	}[pk.PubKeyAlgo]
	if ok {
		n, err := pk.BitLength()
		if err != nil {
			n = 0
		}
		return name, int(n)
	}
	switch pk.PubKeyAlgo {
	case packet.PubKeyAlgoEd25519:
		return "Ed25519", 0
	case packet.PubKeyAlgoEd448:
		return "Ed448", 0
	case packet.PubKeyAlgoX25519:
		return "X25519", 0
	case packet.PubKeyAlgoX448:
		return "X448", 0
	case packet.PubKeyAlgoEdDSA:
		return "Ed" + montgomery(pk), 0
	case packet.PubKeyAlgoECDH:
		if m := montgomery(pk); m != "" {
			return "X" + m, 0
		}
		return "ECDH " + curveOf(pk), 0
	case packet.PubKeyAlgoECDSA:
		return "ECDSA " + curveOf(pk), 0
	}
	return fmt.Sprintf("algorithm %d", pk.PubKeyAlgo), 0
}

func curveOf(pk *packet.PublicKey) string {
	curve, err := pk.Curve()
	if err != nil {
		return "of an unknown curve"
	}
	return string(curve)
}

// montgomery is "25519" or "448" for keys on these curves; "" otherwise.
func montgomery(pk *packet.PublicKey) string {
	switch curve, _ := pk.Curve(); curve {
	case packet.Curve25519:
		return "25519"
	case packet.Curve448:
		return "448"
	}
	return ""
}
