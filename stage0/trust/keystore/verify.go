package keystore

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/raket/raket/pkg/image"
	"github.com/raket/raket/stage0/trust/openpgp"
)

// ErrNotTrusted is what errors wrap that are about a key which is known, but not
// trusted for the image.
var ErrNotTrusted = errors.New("not trusted")

// trustError is a refusal with what to do about it.
type trustError struct {
	text, hint string
}

func (e *trustError) Error() string { return e.text }
func (e *trustError) Unwrap() error { return ErrNotTrusted }

// Hint is what to do next.
func (e *trustError) Hint() string { return e.hint }

// Signed is the finding that a key of the store made a signature. It says nothing
// yet of what the key may sign.
type Signed struct {
	store *Store
	sig   openpgp.Signature
}

// VerifyACI checks an ACI file, as it was fetched, against its detached signature:
// some key of the store, trusted for whatever prefix, must have made it. Nothing
// of the content is parsed. The error is of openpgp.VerifyDetached, a file's, or
// content's.
func (s *Store) VerifyACI(content io.Reader, signature []byte) (Signed, error) {
	ring, problems, err := s.keyring()
	if err != nil {
		return Signed{}, err
	}
	sig, err := openpgp.VerifyDetached(content, signature, ring)
	if errors.Is(err, openpgp.ErrUnknownKey) && len(problems) > 0 {
		// It may be in one of those.
		return Signed{}, fmt.Errorf("%w; %d files of keys can't be used: %w", err, len(problems), problems[0])
	}
	if err != nil {
		return Signed{}, err
	}
	return Signed{store: s, sig: sig}, nil
}

// keyring reads all keys. A file that can't be used is a problem of that key alone.
func (s *Store) keyring() (ring openpgp.Keyring, problems []error, err error) {
	files, err := s.files()
	if err != nil {
		return openpgp.Keyring{}, nil, err
	}
	var rings []openpgp.Keyring
	for _, f := range files {
		if f.mask {
			continue
		}
		r, err := f.read()
		if err != nil {
			problems = append(problems, err)
			continue
		}
		rings = append(rings, r)
	}
	return openpgp.Keyring{}.Merge(rings...), problems, nil
}

// Signature is what was found.
func (g Signed) Signature() openpgp.Signature { return g.sig }

// For asks whether the key is trusted for the image name that the content's manifest
// has (an appc name, without labels), and returns what to keep with the image, whose
// digest the caller fills in. The error wraps ErrNotTrusted where it is not.
func (g Signed) For(name string) (image.Evidence, error) {
	if err := checkName(name); err != nil {
		return image.Evidence{}, err
	}
	files, err := g.store.trusting(name, g.sig.Fingerprint)
	if err != nil {
		return image.Evidence{}, err
	}
	if len(files) == 0 {
		return image.Evidence{}, g.store.notFor(name, g.sig.Fingerprint)
	}
	return image.Evidence{
		Kind: image.OpenPGP, Key: g.sig.Fingerprint, Signer: g.sig.UserID, Identity: name, Signed: g.sig.Signed,
	}, nil
}

// notFor says for what else the key is trusted.
func (s *Store) notFor(name, fpr string) error {
	files, err := s.files()
	if err != nil {
		return err
	}
	var elsewhere []string
	for _, f := range files {
		if f.fpr == fpr && !f.mask && f.prefix != "" {
			elsewhere = append(elsewhere, f.prefix)
		}
	}
	text := fmt.Sprintf("key %s is not trusted for %q", fpr, name)
	if len(elsewhere) > 0 {
		slices.Sort(elsewhere)
		text += ", but for " + strings.Join(slices.Compact(elsewhere), ", ")
	}
	return &trustError{text, "if its owner may sign it: raket trust --prefix=" + name + " KEYFILE"}
}

// Accepts asks at use whether what is known of an image is enough still: the key of
// one of the OpenPGP signatures among the evidence must be trusted for the name (an
// appc name), and not be revoked. It reads the files of those keys and no others,
// and no network. The error wraps ErrNotTrusted, or is a file's.
func (s *Store) Accepts(name string, evidence []image.Evidence) error {
	if err := checkName(name); err != nil {
		return err
	}
	var last error
	for _, e := range evidence {
		if e.Kind != image.OpenPGP {
			continue
		}
		err := s.accepts(name, e.Key)
		if err == nil {
			return nil
		}
		last = err
	}
	if last == nil {
		return &trustError{
			fmt.Sprintf("no OpenPGP signature of %q was checked when it came", name),
			"fetch it again with its signature, or do without by --insecure-options=image",
		}
	}
	return last
}

func (s *Store) accepts(name, key string) error {
	if !isFingerprint(key) {
		return &trustError{fmt.Sprintf("%q is not a key's fingerprint", key), ""}
	}
	key = strings.ToUpper(key)
	files, err := s.trusting(name, key)
	if err != nil {
		return err
	}
	if len(files) == 0 {
		return s.notFor(name, key)
	}
	var rings []openpgp.Keyring
	for _, f := range files {
		r, err := f.read()
		if err != nil {
			return fmt.Errorf("read trusted keys: %w", err)
		}
		rings = append(rings, r)
	}
	if err := (openpgp.Keyring{}).Merge(rings...).Usable(key); err != nil {
		return fmt.Errorf("%w: %w", ErrNotTrusted, err)
	}
	return nil
}
