package sigstore

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"

	"github.com/opencontainers/go-digest"

	"github.com/raket/raket/stage0/trust/simplesigning"
)

// Attachments reads what lies beside an image in its repository. Manifests
// come unverified.
type Attachments interface {
	// TagManifest is the manifest under a tag; an error that is fs.ErrNotExist
	// where there is none.
	TagManifest(ctx context.Context, tag string) ([]byte, error)
	// Manifest is the manifest of a digest.
	Manifest(ctx context.Context, d digest.Digest) ([]byte, error)
	// Blob is a blob's content.
	Blob(ctx context.Context, d digest.Digest) (io.ReadCloser, error)
	// Referrers is the OCI index of the manifests that name subject, in the
	// API of the distribution specification or under its fallback tag; an
	// error that is fs.ErrNotExist, or an empty index, where there are none.
	Referrers(ctx context.Context, subject digest.Digest, artifactType string) ([]byte, error)
}

const (
	artifactSignature = "application/vnd.dev.cosign.artifact.sig.v1+json"
	artifactBundle    = "application/vnd.dev.sigstore.bundle."
	layerPayload      = "application/vnd.dev.cosign.simplesigning.v1+json"
	keySignature      = "dev.cosignproject.cosign/signature"

	maxManifestBytes  = 1 << 20
	maxSignatureBytes = 8 << 10
	// maxSignatures are looked at for one digest, whatever a registry lists.
	maxSignatures = 32
	// maxReferrers are fetched for one digest.
	maxReferrers = 16
)

// Signature is one that lies beside an image. Nothing of it is verified.
type Signature struct {
	// Where says where it was found, for messages: "sha256-HEX.sig" shortened,
	// or a referrer's digest.
	Where string
	// Payload is what Bytes signs.
	Payload, Bytes []byte
}

// ErrBundles says that there are signatures in a form that no policy can take.
var ErrBundles = errors.New("a sigstore bundle names no image, and a policy asks for a name; sign with cosign --new-bundle-format=false")

type descriptor struct {
	MediaType    string            `json:"mediaType"`
	ArtifactType string            `json:"artifactType"`
	Digest       digest.Digest     `json:"digest"`
	Size         int64             `json:"size"`
	Annotations  map[string]string `json:"annotations"`
}

// Find has the signatures that lie beside a manifest of the digest. What goes
// wrong on the way does not hide those that were found: both may be returned.
func Find(ctx context.Context, a Attachments, d digest.Digest) ([]Signature, error) {
	f := finder{a: a, seen: make(map[string]bool)}
	err := f.tagged(ctx, d)
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	err = errors.Join(err, f.referring(ctx, d))
	return f.found, err
}

type finder struct {
	a     Attachments
	found []Signature
	seen  map[string]bool // by payload's digest and signature
}

// tagged looks under the tag that cosign gives the signatures of a digest.
func (f *finder) tagged(ctx context.Context, d digest.Digest) error {
	tag := strings.Replace(d.String(), ":", "-", 1) + ".sig"
	raw, err := f.a.TagManifest(ctx, tag)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	where := shorten(tag) + ".sig"
	if err == nil {
		err = f.manifest(ctx, where, raw)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", where, err)
	}
	return nil
}

// referring looks through the manifests that name the digest as their subject.
func (f *finder) referring(ctx context.Context, d digest.Digest) error {
	raw, err := f.a.Referrers(ctx, d, artifactSignature)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("referrers of %s: %w", shorten(d.String()), err)
	}
	signatures, bundles, err := referrers(raw)
	if err != nil {
		return fmt.Errorf("referrers of %s: %w", shorten(d.String()), err)
	}
	var errs []error
	for _, r := range signatures[:min(len(signatures), maxReferrers)] {
		if err := f.referrer(ctx, r); err != nil {
			errs = append(errs, fmt.Errorf("referrer %s: %w", shorten(r.String()), err))
		}
	}
	if len(f.found) == 0 && len(errs) == 0 && bundles == 0 {
		bundles = f.bundles(ctx, d)
	}
	if bundles > 0 {
		errs = append(errs, ErrBundles)
	}
	return errors.Join(errs...)
}

// bundles asks for the newer form, for the sake of the message: a registry may
// have left it out above.
func (f *finder) bundles(ctx context.Context, d digest.Digest) int {
	raw, err := f.a.Referrers(ctx, d, artifactBundle+"v0.3+json")
	if err != nil {
		return 0
	}
	_, n, err := referrers(raw)
	if err != nil {
		return 0
	}
	return n
}

// referrers has the digests of signatures in an index, and counts bundles. A
// registry need not have filtered by type.
func referrers(raw []byte) (signatures []digest.Digest, bundles int, err error) {
	var index struct {
		Manifests []descriptor `json:"manifests"`
	}
	if err := decode(raw, &index); err != nil {
		return nil, 0, err
	}
	for _, m := range index.Manifests {
		switch {
		case m.ArtifactType == artifactSignature:
			signatures = append(signatures, m.Digest)
		case strings.HasPrefix(m.ArtifactType, artifactBundle):
			bundles++
		}
	}
	return signatures, bundles, nil
}

func (f *finder) referrer(ctx context.Context, d digest.Digest) error {
	if err := d.Validate(); err != nil {
		return err
	}
	raw, err := f.a.Manifest(ctx, d)
	if err != nil {
		return err
	}
	if len(raw) <= maxManifestBytes && d.Algorithm().FromBytes(raw) != d {
		return errors.New("the registry sent another manifest than it listed")
	}
	return f.manifest(ctx, "referrer "+shorten(d.String()), raw)
}

// manifest adds the signatures that one holds.
func (f *finder) manifest(ctx context.Context, where string, raw []byte) error {
	var manifest struct {
		Layers []descriptor `json:"layers"`
	}
	if err := decode(raw, &manifest); err != nil {
		return err
	}
	var errs []error
	for _, layer := range manifest.Layers {
		if len(f.found) == maxSignatures {
			break
		}
		text := layer.Annotations[keySignature]
		if layer.MediaType != layerPayload || text == "" || f.seen[layer.Digest.String()+text] {
			continue
		}
		// What is of no use counts too: each costs a request.
		if len(f.seen) == 2*maxSignatures {
			break
		}
		f.seen[layer.Digest.String()+text] = true
		sig, err := f.layer(ctx, layer, text)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		sig.Where = where
		f.found = append(f.found, sig)
	}
	return errors.Join(errs...)
}

func (f *finder) layer(ctx context.Context, layer descriptor, text string) (sig Signature, err error) {
	if len(text) > maxSignatureBytes {
		return sig, fmt.Errorf("signature is larger than %d KiB", maxSignatureBytes>>10)
	}
	if sig.Bytes, err = base64.StdEncoding.DecodeString(text); err != nil {
		return sig, fmt.Errorf("signature is not base64: %w", err)
	}
	switch err := layer.Digest.Validate(); {
	case err != nil:
		return sig, fmt.Errorf("payload: %w", err)
	case layer.Size < 0 || layer.Size > simplesigning.MaxPayloadBytes:
		return sig, fmt.Errorf("payload of %d bytes, more than %d KiB", layer.Size, simplesigning.MaxPayloadBytes>>10)
	}
	blob, err := f.a.Blob(ctx, layer.Digest)
	if err != nil {
		return sig, fmt.Errorf("payload %s: %w", shorten(layer.Digest.String()), err)
	}
	defer func() { err = errors.Join(err, blob.Close()) }()
	sig.Payload, err = io.ReadAll(io.LimitReader(blob, layer.Size+1))
	switch {
	case err != nil:
		return sig, fmt.Errorf("payload %s: %w", shorten(layer.Digest.String()), err)
	case int64(len(sig.Payload)) != layer.Size || layer.Digest.Algorithm().FromBytes(sig.Payload) != layer.Digest:
		return sig, fmt.Errorf("payload %s has another digest or size", shorten(layer.Digest.String()))
	}
	return sig, nil
}

func decode(raw []byte, into any) error {
	if len(raw) > maxManifestBytes {
		return fmt.Errorf("manifest is larger than %d MiB", maxManifestBytes>>20)
	}
	if err := json.Unmarshal(raw, into); err != nil {
		return fmt.Errorf("manifest is no JSON of its kind: %w", err)
	}
	return nil
}

// shorten a digest, or a tag made of one, for messages; it may be anything that
// a registry said.
func shorten(s string) string {
	const most = len("sha256:") + 12
	return strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, s[:min(len(s), most)])
}
