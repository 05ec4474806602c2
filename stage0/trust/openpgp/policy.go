package openpgp

import (
	"crypto"
	"fmt"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp/packet"
	pgp "github.com/ProtonMail/go-crypto/openpgp/v2"
)

const (
	minRSABits = 2048
	// maxRSABits keeps a hostile key from costing seconds.
	maxRSABits = 16384
	// clockSlack is how far the signer's clock may be ahead of ours.
	clockSlack = 5 * time.Minute
)

// policy is for the library, of a key's statements about itself. What signs
// content is held to stricter rules, in judge.
func policy() *packet.Config {
	return &packet.Config{
		RejectHashAlgorithms: map[crypto.Hash]bool{crypto.MD5: true, crypto.RIPEMD160: true},
	}
}

// acceptedHash are the hash functions of signatures of content.
func acceptedHash(h crypto.Hash) bool {
	switch h {
	case crypto.SHA256, crypto.SHA384, crypto.SHA512, crypto.SHA3_256, crypto.SHA3_512:
		return true
	}
	return false
}

// weakKey says why the algorithm or size of a key is not accepted.
func weakKey(pk *packet.PublicKey) string {
	name, bits := algorithm(pk)
	switch pk.PubKeyAlgo {
	case packet.PubKeyAlgoRSA, packet.PubKeyAlgoRSASignOnly:
		if bits < minRSABits || bits > maxRSABits {
			return fmt.Sprintf("RSA keys of %d bits are not accepted: want %d to %d", bits, minRSABits, maxRSABits)
		}
		return ""
	case packet.PubKeyAlgoECDSA, packet.PubKeyAlgoEdDSA:
		if curve, err := pk.Curve(); err != nil || curve == packet.CurveSecP256k1 {
			return name + " keys are not accepted"
		}
		return ""
	case packet.PubKeyAlgoEd25519, packet.PubKeyAlgoEd448:
		return ""
	}
	return name + " keys are not accepted"
}

// refusal is why a key is not good for a signature.
type refusal struct {
	kind error
	why  string
}

const whyRevoked = "the key's owner has revoked it"

// judge asks whether keys may have made signatures, as of now.
type judge struct{ now time.Time }

// latest is up to when something may be dated: clocks differ.
func (j judge) latest() time.Time { return j.now.Add(clockSlack) }

// primary looks at a primary key, whichever part of the key signs, and returns the
// newest of its valid self-signatures. The library would take the newest at the
// time of a signature; a key whose expiry was put off has none from before
// that, since gpg replaces it.
func (j judge) primary(e *pgp.Entity) (*packet.Signature, *refusal) {
	if why := weakKey(e.PrimaryKey); why != "" {
		return nil, &refusal{ErrWeak, why}
	}
	if revoked(e) {
		return nil, &refusal{ErrRevoked, whyRevoked}
	}
	self, err := e.PrimarySelfSignature(j.latest(), policy())
	if err != nil {
		return nil, &refusal{ErrNotForSigning, "the key has no user ID with a valid self-signature"}
	}
	return self, nil
}

// primaryExpiry is the earliest that the newest self-signatures name; zero for
// never.
func (j judge) primaryExpiry(e *pgp.Entity, self *packet.Signature) time.Time {
	at := expiry(e.PrimaryKey, self)
	if direct, err := e.LatestValidDirectSignature(j.latest(), policy()); err == nil {
		if d := expiry(e.PrimaryKey, direct); !d.IsZero() && (at.IsZero() || d.Before(at)) {
			at = d
		}
	}
	return at
}

// subkey looks at a subkey that is to sign. The binding is returned where there
// is a valid one, also beside a refusal.
func (j judge) subkey(s *pgp.Subkey) (*packet.Signature, *refusal) {
	binding, err := s.LatestValidBindingSignature(j.latest(), policy())
	if err != nil {
		return nil, &refusal{ErrNotForSigning, "the subkey is not bound to its primary key by valid signatures of both"}
	}
	if why := weakKey(s.PublicKey); why != "" {
		return binding, &refusal{ErrWeak, why}
	}
	for _, r := range s.Revocations {
		if s.Primary.PrimaryKey.VerifySubkeyRevocationSignature(r.Packet, s.PublicKey) == nil {
			return binding, &refusal{ErrRevoked, "the key's owner has revoked the subkey"}
		}
	}
	if !binding.FlagsValid || !binding.FlagSign {
		return binding, &refusal{ErrNotForSigning, "the subkey is not for signing"}
	}
	// The library has verified it with the binding, not that it is what it must be.
	back := binding.EmbeddedSignature
	if back == nil || back.SigType != packet.SigTypePrimaryKeyBinding || policy().RejectHashAlgorithm(back.Hash) {
		return binding, &refusal{ErrNotForSigning, "the subkey has not signed its primary key"}
	}
	return binding, nil
}

// allows asks whether pk, a part of e, may have made the signature by what key and
// signature say of themselves. The signature itself is not checked.
func (j judge) allows(e *pgp.Entity, pk *packet.PublicKey, sig *packet.Signature) *refusal {
	if r := j.plausible(sig); r != nil {
		return r
	}
	self, r := j.primary(e)
	if r != nil {
		return r
	}
	expires := j.primaryExpiry(e, self)
	if pk == e.PrimaryKey {
		if !self.FlagsValid || !self.FlagSign {
			return &refusal{ErrNotForSigning, "the key is not for signing"}
		}
	} else {
		i := 0
		for e.Subkeys[i].PublicKey != pk {
			i++
		}
		binding, r := j.subkey(&e.Subkeys[i])
		if r != nil {
			return r
		}
		if at := expiry(pk, binding); !at.IsZero() && (expires.IsZero() || at.Before(expires)) {
			expires = at
		}
	}
	switch made := sig.CreationTime; {
	case made.Before(pk.CreationTime):
		return &refusal{ErrBadSignature, "it is older than the key"}
	case !expires.IsZero() && made.After(expires):
		return &refusal{ErrExpired, fmt.Sprintf("it was made on %s, after the key expired on %s", day(made), day(expires))}
	}
	return nil
}

// plausible looks at what a signature says of itself.
func (j judge) plausible(sig *packet.Signature) *refusal {
	if !acceptedHash(sig.Hash) {
		return &refusal{ErrWeak, sig.Hash.String() + " is too weak a hash function"}
	}
	if sig.SigType != packet.SigTypeBinary {
		return &refusal{ErrBadSignature, fmt.Sprintf("it is of type 0x%02x, not of a file's bytes (0x00)", uint8(sig.SigType))}
	}
	if sig.CreationTime.After(j.latest()) {
		return &refusal{ErrBadSignature, "it is dated " + sig.CreationTime.UTC().Format(time.DateTime) + " UTC, in the future"}
	}
	if life := sig.SigLifetimeSecs; life != nil && *life != 0 {
		if at := sig.CreationTime.Add(time.Duration(*life) * time.Second); j.now.After(at) {
			return &refusal{ErrExpired, "it expired on " + day(at)}
		}
	}
	for _, n := range sig.Notations {
		if n.IsCritical {
			return &refusal{ErrBadSignature, "it has a critical notation that is not known"}
		}
	}
	if len(sig.IntendedRecipients) > 0 {
		return &refusal{ErrBadSignature, "it is meant for certain recipients"}
	}
	return nil
}

// revoked reports a valid revocation of the primary key, for any reason: one that
// says "superseded" today may be joined by "compromised" tomorrow, and nobody
// can tell an old signature from one that is dated back.
func revoked(e *pgp.Entity) bool {
	for _, r := range e.Revocations {
		if e.PrimaryKey.VerifyRevocationSignature(r.Packet) == nil {
			return true
		}
	}
	return false
}

// expiry is when a key ends by its self-signature; zero for never.
func expiry(pk *packet.PublicKey, self *packet.Signature) time.Time {
	if self.KeyLifetimeSecs == nil || *self.KeyLifetimeSecs == 0 {
		return time.Time{}
	}
	return pk.CreationTime.Add(time.Duration(*self.KeyLifetimeSecs) * time.Second).UTC()
}

func day(t time.Time) string { return t.UTC().Format(time.DateOnly) }
