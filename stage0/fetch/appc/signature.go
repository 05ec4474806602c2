package appc

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"strings"

	"github.com/opencontainers/go-digest"

	"github.com/raket/raket/pkg/image"
)

const maxSignatureBytes = 256 << 10

// Verify holds a detached signature against an ACI file as it was transported,
// before anything of the file is parsed. What it returns is then asked with the
// name in the manifest: whether the key may sign images of that name.
type Verify func(content io.Reader, signature []byte) (confirm func(name string) (image.Evidence, error), err error)

// signature is where the signature of an ACI is, or the signature.
type signature struct {
	at  string // a URL, or a path
	raw []byte
}

func (s *signature) remote() bool {
	return strings.HasPrefix(s.at, "https://") || strings.HasPrefix(s.at, "http://")
}

// ascURL is where rkt looks for the signature of an image at a URL.
func ascURL(aci string) string {
	u, err := url.Parse(aci)
	if err != nil {
		return aci
	}
	u.Path += ".asc"
	if u.RawPath != "" {
		u.RawPath += ".asc"
	}
	return u.String()
}

const hintSignature = "sign the image (gpg --armor --detach-sign), name its signature with --signature, or take it unsigned with --insecure-options=image"

// noSignature is an image without a signature.
type noSignature struct {
	at  string
	err error
}

func (e *noSignature) Error() string { return fmt.Sprintf("the image has no signature at %q", e.at) }

func (e *noSignature) Unwrap() error { return e.err }

// get gets the signature, and reports false where the site asks to come back
// for it when the image has been downloaded.
func (s *signature) get(ctx context.Context, c *client) (now bool, err error) {
	if s.raw != nil {
		return true, nil
	}
	if s.remote() {
		s.raw, now, err = c.page(ctx, s.at, maxSignatureBytes)
	} else {
		now = true
		s.raw, err = readSmall(strings.TrimPrefix(s.at, "file://"), maxSignatureBytes)
	}
	switch {
	case errors.Is(err, fs.ErrNotExist) || isMissing(err):
		return false, hinted(&noSignature{s.at, err}, hintSignature)
	case err != nil:
		return false, fmt.Errorf("get signature: %w", err)
	}
	return now, nil
}

func readSmall(path string, limit int64) ([]byte, error) {
	f, size, err := openFile(path)
	if err != nil {
		return nil, err
	}
	raw, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && (int64(len(raw)) > limit || size > limit) {
		err = fmt.Errorf("%q has more than %d bytes", path, limit)
	}
	return raw, errors.Join(err, f.Close())
}

// again gets a signature that the site had not ready before.
func (s *signature) again(ctx context.Context, c *client) error {
	now, err := s.get(ctx, c)
	if err == nil && !now {
		err = hinted(fmt.Errorf("the site does not have the signature %q ready", s.at), "try again later")
	}
	return err
}

// check verifies the file at path. The digest is of what was verified: who reads
// the file again must find the same.
func (s *signature) check(ctx context.Context, path string, verify Verify) (confirm func(string) (image.Evidence, error), id digest.Digest, err error) {
	f, _, err := openFile(path)
	if err != nil {
		return nil, "", err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	sum := sha256.New()
	content := io.TeeReader(&reader{ctx: ctx, r: f}, sum)
	if confirm, err = verify(content, s.raw); err != nil {
		return nil, "", err
	}
	if _, err := io.Copy(io.Discard, content); err != nil {
		return nil, "", err
	}
	return confirm, digest.NewDigest(digest.SHA256, sum), nil
}

// unverified stands in for a signature that nobody asked for.
func unverified(name string) (image.Evidence, error) {
	return image.Evidence{Kind: image.Override, Identity: name}, nil
}

// signed reports evidence that is more than somebody's word.
func signed(img image.Image) bool {
	for _, e := range img.Evidence {
		if e.Kind == image.OpenPGP {
			return true
		}
	}
	return false
}

// exists says whether a file is there, for hints.
func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
