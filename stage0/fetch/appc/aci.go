package appc

import (
	"archive/tar"
	"context"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/appc/spec/schema"
	"github.com/opencontainers/go-digest"

	"github.com/raket/raket/pkg/image"
	"github.com/raket/raket/pkg/layer"
)

// ACI is an archive whose manifest was validated.
type ACI struct {
	// Image is the form in which the store keeps it.
	Image image.Verified
}

const defaultMaxBytes = 64 << 30

// Read reads the archive at path once, computes its IDs, and validates its
// manifest (appc spec, "Image Manifest Schema"). Nothing is unpacked; the file
// is held against the digest found here when it is. maxBytes bounds the
// uncompressed size, 0 meaning 64 GiB.
func Read(ctx context.Context, path string, maxBytes int64) (_ ACI, err error) {
	f, err := os.Open(path)
	if err != nil {
		return ACI{}, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	fi, err := f.Stat()
	if err != nil {
		return ACI{}, err
	}
	if !fi.Mode().IsRegular() {
		return ACI{}, fmt.Errorf("%q is not a file: an image layout directory is named as oci:%s", path, path)
	}
	if maxBytes <= 0 {
		maxBytes = defaultMaxBytes
	}
	r := &reader{ctx: ctx, r: f, left: maxBytes}
	aci, err := r.read(fi.Size())
	if err != nil {
		return ACI{}, fmt.Errorf("read ACI %q: %w", path, err)
	}
	return aci, nil
}

type reader struct {
	ctx  context.Context // of one Read
	r    io.Reader
	left int64
}

// Read is the file's, until the context ends.
func (r *reader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.r.Read(p)
}

func (r *reader) read(size int64) (ACI, error) {
	blobSum, diffSum, appcSum := sha256.New(), sha256.New(), sha512.New()
	raw := io.TeeReader(r, blobSum)
	plain, done, err := layer.Plain(raw)
	if err != nil {
		return ACI{}, err
	}
	defer done()
	limited := &io.LimitedReader{R: plain, N: r.left + 1}
	tarBytes := io.TeeReader(limited, io.MultiWriter(diffSum, appcSum))
	manifest, err := findManifest(tarBytes)
	if err != nil {
		return ACI{}, err
	}
	for _, rest := range []io.Reader{tarBytes, raw} {
		if _, err := io.Copy(io.Discard, rest); err != nil {
			return ACI{}, err
		}
	}
	if limited.N <= 0 {
		return ACI{}, fmt.Errorf("it unpacks to more than %d bytes", r.left)
	}
	desc := image.Layer{
		Digest: digest.NewDigest(digest.SHA256, blobSum), DiffID: digest.NewDigest(digest.SHA256, diffSum), SizeBytes: size,
	}
	if err := validate(manifest); err != nil {
		return ACI{}, err
	}
	doc, err := image.NewAppcManifest(desc, manifest, fmt.Sprintf("sha512-%x", appcSum.Sum(nil)))
	if err != nil {
		return ACI{}, err
	}
	m, err := image.VerifyManifest(doc, image.Sum(doc), image.Appc, nil)
	if err != nil {
		return ACI{}, err
	}
	v, err := m.VerifyConfig(manifest)
	return ACI{Image: v}, err
}

// findManifest reads the whole tar, which must have one manifest and a rootfs.
func findManifest(r io.Reader) ([]byte, error) {
	var manifest []byte
	tr := tar.NewReader(r)
	for {
		hdr, err := tr.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("not a tar, or a damaged one: %w", err)
		}
		if hdr.Name != "manifest" && hdr.Name != "./manifest" && hdr.Name != "/manifest" {
			continue
		}
		switch {
		case manifest != nil:
			return nil, errors.New("it has two manifests")
		case hdr.Typeflag != tar.TypeReg:
			return nil, errors.New("its manifest is not a regular file")
		case hdr.Size > image.MaxManifestBytes:
			return nil, fmt.Errorf("its manifest is larger than %d MiB", image.MaxManifestBytes>>20)
		}
		if manifest, err = io.ReadAll(tr); err != nil {
			return nil, fmt.Errorf("not a tar, or a damaged one: %w", err)
		}
	}
	if manifest == nil {
		return nil, errors.New("it has no manifest")
	}
	return manifest, nil
}

// validate holds the manifest against the appc schema, but for isolators: the
// module panics on some and takes unbounded time for others. They are judged
// where a pod is prepared, which is also where one becomes an app's.
func validate(manifest []byte) error {
	doc, err := without(manifest, "app", func(app json.RawMessage) (json.RawMessage, error) {
		return without(app, "isolators", nil)
	})
	if err != nil {
		return fmt.Errorf("bad image manifest: %w", err)
	}
	var m schema.ImageManifest
	if err := json.Unmarshal(doc, &m); err != nil {
		return fmt.Errorf("bad image manifest: %w", err)
	}
	if len(m.Dependencies) > 0 {
		return fmt.Errorf("it depends on %q: images with dependencies are not supported", m.Dependencies[0].ImageName)
	}
	return nil
}

// without removes an object's member, or changes it. Names are compared as
// package json does, without regard to case.
func without(doc json.RawMessage, name string, change func(json.RawMessage) (json.RawMessage, error)) (json.RawMessage, error) {
	if string(doc) == "null" {
		return doc, nil
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(doc, &members); err != nil {
		return nil, err
	}
	for key, value := range members {
		switch {
		case !strings.EqualFold(key, name):
		case change == nil:
			delete(members, key)
		default:
			changed, err := change(value)
			if err != nil {
				return nil, err
			}
			members[key] = changed
		}
	}
	return json.Marshal(members)
}
