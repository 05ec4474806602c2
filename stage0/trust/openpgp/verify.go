package openpgp

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"strings"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp/packet"
	pgp "github.com/ProtonMail/go-crypto/openpgp/v2"
)

// Signature is one that was checked and is good.
type Signature struct {
	// Fingerprint is the primary key's, 40 or 64 upper case hex digits, also
	// where a subkey signed.
	Fingerprint string
	// UserID is the key's primary one, safe to print.
	UserID string
	// Signed is when, by the signature's own account.
	Signed time.Time
	// Hash is "SHA-256" and the like.
	Hash string
}

// maxSignatures in one file or message is far above what anybody makes.
const maxSignatures = 16

// VerifyDetached checks content against a detached signature, armored or binary,
// of at most MaxSignatureBytes. Where there are several signatures one good one
// is enough. Content is read to its end, once, and not at all where no
// signature could be good. The error is a *SignatureError, or content's.
func VerifyDetached(content io.Reader, signature []byte, k Keyring) (Signature, error) {
	return judge{time.Now()}.verifyDetached(content, signature, k)
}

func (j judge) verifyDetached(content io.Reader, signature []byte, k Keyring) (Signature, error) {
	sigs, err := readSignatures(signature)
	if err != nil {
		return Signature{}, err
	}
	claims, err := j.claims(sigs, k)
	if err != nil {
		return Signature{}, err
	}
	var into []io.Writer
	for _, c := range claims {
		into = append(into, c.hash)
	}
	if _, err := io.Copy(io.MultiWriter(into...), content); err != nil {
		return Signature{}, fmt.Errorf("read what is signed: %w", err)
	}
	return j.settle(claims)
}

// readSignatures reads the signature packets of a file that has nothing else.
func readSignatures(raw []byte) ([]*packet.Signature, error) {
	if len(raw) > MaxSignatureBytes {
		return nil, refuse(ErrBadSignature, "", "the signature is larger than %d KiB", MaxSignatureBytes>>10)
	}
	r, err := dearmor(raw, pgp.SignatureType)
	if err != nil {
		return nil, refuse(ErrBadSignature, "", "read signature: %v", err)
	}
	var sigs []*packet.Signature
	var passed error
	packets := packet.NewReader(r)
	for {
		p, err := packets.NextWithUnsupported()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, refuse(ErrBadSignature, "", "read signature: it is damaged: %v", err)
		}
		switch p := p.(type) {
		case *packet.Signature:
			sigs = append(sigs, p)
		case *packet.UnsupportedPacket:
			passed = p.Error
		default:
			return nil, refuse(ErrBadSignature, "", "read signature: it has something else beside signatures")
		}
		if len(sigs) > maxSignatures {
			return nil, refuse(ErrBadSignature, "", "there are more than %d signatures", maxSignatures)
		}
	}
	return sigs, notNone(sigs, passed)
}

// notNone is the error of no signature, or of none that is known.
func notNone(sigs []*packet.Signature, passed error) error {
	switch {
	case len(sigs) > 0:
		return nil
	case passed != nil:
		// MD5 and signatures of version 3 among them.
		return refuse(ErrWeak, "", "the signature is of a kind that is not accepted: %s", printable(passed.Error()))
	}
	return refuse(ErrBadSignature, "", "there is no signature")
}

// claim is a signature that a key may have made, as long as the content's hash is
// right.
type claim struct {
	sig  *packet.Signature
	key  *pgp.Entity
	part *packet.PublicKey
	hash hash.Hash
}

// claims finds who may have made the signatures. The error, where nobody may, is the
// one that tells most.
func (j judge) claims(sigs []*packet.Signature, k Keyring) ([]claim, error) {
	var claims []claim
	var refused, unknown *SignatureError
	for _, sig := range sigs {
		id := issuer(sig)
		known := false
		for _, e := range k.keys {
			for _, part := range parts(e) {
				if !issued(part, sig) {
					continue
				}
				known = true
				r := j.allows(e, part, sig)
				if r == nil {
					h, err := sig.PrepareVerify()
					if err == nil {
						claims = append(claims, claim{sig, e, part, h})
						continue
					}
					r = &refusal{ErrWeak, "its hash function is not known"}
				}
				refused = refuse(r.kind, id, "%s", r.why).withHint(hintFor(r.kind))
			}
		}
		if !known && unknown == nil {
			unknown = unknownKey(id)
			if r := j.plausible(sig); r != nil && r.kind == ErrWeak {
				// Trusting the key would not help.
				unknown = refuse(r.kind, id, "%s", r.why).withHint(hintFor(r.kind))
			}
		}
	}
	switch {
	case len(claims) > 0:
		return claims, nil
	case refused != nil:
		return nil, refused
	}
	return nil, unknown
}

func hintFor(kind error) string {
	switch kind {
	case ErrWeak:
		return "ask for a signature of SHA-256 or better by an RSA, ECDSA or EdDSA key"
	case ErrExpired, ErrRevoked:
		return "ask the key's owner for a newer key or signature"
	}
	return ""
}

// settle checks the claims, whose hashes have seen the content.
func (j judge) settle(claims []claim) (Signature, error) {
	for _, c := range claims {
		if c.part.VerifySignature(c.hash, c.sig) != nil {
			continue
		}
		good := Signature{
			Fingerprint: fingerprint(c.key.PrimaryKey), Signed: c.sig.CreationTime.UTC(), Hash: c.sig.Hash.String(),
		}
		if ids := j.userIDs(c.key); len(ids) > 0 {
			good.UserID = ids[0]
		}
		return good, nil
	}
	return Signature{}, refuse(ErrBadSignature, fingerprint(claims[0].key.PrimaryKey), "it is not of this content, or damaged")
}

// parts are the public keys of a key.
func parts(e *pgp.Entity) []*packet.PublicKey {
	all := []*packet.PublicKey{e.PrimaryKey}
	for i := range e.Subkeys {
		all = append(all, e.Subkeys[i].PublicKey)
	}
	return all
}

// issued reports whether the signature names the key. Key IDs are not unique: who
// did sign only the signature shows.
func issued(pk *packet.PublicKey, sig *packet.Signature) bool {
	if len(sig.IssuerFingerprint) > 0 {
		return bytes.Equal(sig.IssuerFingerprint, pk.Fingerprint)
	}
	return sig.IssuerKeyId != nil && *sig.IssuerKeyId == pk.KeyId
}

// issuer names who signed, by the signature's own account.
func issuer(sig *packet.Signature) string {
	switch {
	case len(sig.IssuerFingerprint) > 0:
		return strings.ToUpper(hex.EncodeToString(sig.IssuerFingerprint))
	case sig.IssuerKeyId != nil:
		return fmt.Sprintf("%016X", *sig.IssuerKeyId)
	}
	return "without a name"
}
