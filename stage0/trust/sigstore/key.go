package sigstore

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
)

const (
	maxKeyBytes = 64 << 10
	minRSABits  = 2048
	maxRSABits  = 16384
)

// Key is a public key that signatures are verified with.
type Key struct {
	public      crypto.PublicKey
	fingerprint string
}

// ParseKey reads one PEM block "PUBLIC KEY" (RFC 7468, section 13): ECDSA on P-256,
// P-384 or P-521, Ed25519, or RSA of 2048 to 16384 bits. A second block is an
// error: which key counts must not be a question.
func ParseKey(raw []byte) (Key, error) {
	if len(raw) > maxKeyBytes {
		return Key{}, fmt.Errorf("public key is larger than %d KiB", maxKeyBytes>>10)
	}
	block, rest := pem.Decode(raw)
	switch {
	case block == nil:
		return Key{}, errors.New("no PEM public key")
	case block.Type != "PUBLIC KEY":
		return Key{}, fmt.Errorf("PEM block is a %q, want \"PUBLIC KEY\"", block.Type)
	case strings.Contains(string(rest), "-----BEGIN"):
		return Key{}, errors.New("more than one PEM block")
	}
	public, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		return Key{}, fmt.Errorf("public key: %w", err)
	}
	switch k := public.(type) {
	case *ecdsa.PublicKey:
		if k.Curve.Params().BitSize < 256 {
			return Key{}, fmt.Errorf("public key on curve %s is too weak", k.Curve.Params().Name)
		}
	case *rsa.PublicKey:
		if bits := k.N.BitLen(); bits < minRSABits || bits > maxRSABits {
			return Key{}, fmt.Errorf("RSA public key of %d bits, want %d to %d", bits, minRSABits, maxRSABits)
		}
	case ed25519.PublicKey:
	default:
		return Key{}, fmt.Errorf("public key of a kind that does not sign (%T)", public)
	}
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		return Key{}, fmt.Errorf("public key: %w", err)
	}
	sum := sha256.Sum256(der)
	return Key{public, "sha256:" + hex.EncodeToString(sum[:])}, nil
}

// Fingerprint is "sha256:" and the hex digest of the key in DER.
func (k Key) Fingerprint() string { return k.fingerprint }

// errSignature says nothing of why: there is nothing to know.
var errSignature = errors.New("signature is not by this key")

// Verify reports nil where the key made the signature of the payload, as cosign
// makes them: ECDSA in ASN.1 and RSA (PKCS #1 v1.5, or PSS) of its SHA-256, or of
// the hash of the curve's own size, or Ed25519.
func (k Key) Verify(payload, signature []byte) error {
	sum256 := sha256.Sum256(payload)
	ok := false
	switch public := k.public.(type) {
	case *ecdsa.PublicKey:
		ok = ecdsa.VerifyASN1(public, sum256[:], signature)
		switch bits := public.Curve.Params().BitSize; {
		case ok:
		case bits == 384:
			sum := sha512.Sum384(payload)
			ok = ecdsa.VerifyASN1(public, sum[:], signature)
		case bits == 521:
			sum := sha512.Sum512(payload)
			ok = ecdsa.VerifyASN1(public, sum[:], signature)
		}
	case ed25519.PublicKey:
		ok = ed25519.Verify(public, payload, signature)
	case *rsa.PublicKey:
		ok = rsa.VerifyPKCS1v15(public, crypto.SHA256, sum256[:], signature) == nil ||
			rsa.VerifyPSS(public, crypto.SHA256, sum256[:], signature, nil) == nil
	}
	if !ok {
		return errSignature
	}
	return nil
}
