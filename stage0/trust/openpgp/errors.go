package openpgp

import (
	"errors"
	"fmt"
)

// What may be wrong with a signature. Every *SignatureError wraps one of them.
var (
	// ErrUnknownKey: no key of the keyring made any of the signatures.
	ErrUnknownKey = errors.New("unknown key")
	// ErrWeak: a hash function, a kind or a size of key that is not accepted.
	ErrWeak = errors.New("weak signature")
	// ErrExpired: the key had expired when it signed, or the signature has.
	ErrExpired = errors.New("expired")
	// ErrRevoked: the key's owner has revoked it.
	ErrRevoked = errors.New("revoked key")
	// ErrNotForSigning: the key exists, but does not say that it may sign.
	ErrNotForSigning = errors.New("not a signing key")
	// ErrBadSignature: the signature is not of this content, says something that
	// can't be, or is none.
	ErrBadSignature = errors.New("bad signature")
)

// SignatureError says why a signature is refused.
type SignatureError struct {
	// Kind is one of the errors above.
	Kind error
	// KeyID names the key that signed, by the signature's own account: a
	// fingerprint or the last 16 digits of one, in upper case. It may be empty.
	KeyID string

	text string
	hint string
}

func (e *SignatureError) Error() string { return e.text }
func (e *SignatureError) Unwrap() error { return e.Kind }

// Hint is what to do next; may be empty.
func (e *SignatureError) Hint() string { return e.hint }

func refuse(kind error, keyID, format string, args ...any) *SignatureError {
	text := fmt.Sprintf(format, args...)
	if keyID != "" {
		text = "signature by key " + keyID + ": " + text
	}
	return &SignatureError{Kind: kind, KeyID: keyID, text: text}
}

func (e *SignatureError) withHint(hint string) *SignatureError {
	e.hint = hint
	return e
}

// unknownKey is the one refusal whose text does not begin as the others.
func unknownKey(keyID string) *SignatureError {
	return &SignatureError{
		Kind: ErrUnknownKey, KeyID: keyID, text: "signed by key " + keyID + ", which is not trusted",
		hint: "if you know the key: raket trust --prefix=NAME KEYFILE",
	}
}
