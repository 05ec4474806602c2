package appc

import (
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
	"github.com/appc/spec/schema/types"
	"github.com/opencontainers/go-digest"

	"github.com/raket/raket/pkg/image"
	"github.com/raket/raket/pkg/layer"
)

// archive is what was found in an ACI file.
type archive struct {
	layer      image.Layer // but for MediaType
	appcID     string
	plainBytes int64 // of the uncompressed tar
	manifest   []byte
	app        string
	labels     map[string]string
	needs      types.Dependencies
}

// scan reads the archive at path once, computes its IDs, and validates its
// manifest (appc spec, "Image Manifest Schema"). Nothing is unpacked; the file
// is held against the digest found here when it is. maxBytes bounds the
// uncompressed size, 0 meaning 64 GiB.
func scan(ctx context.Context, path string, maxBytes int64) (_ archive, err error) {
	f, size, err := openFile(path)
	if err != nil {
		return archive{}, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if maxBytes <= 0 {
		maxBytes = defaultMaxBytes
	}
	a, err := (&reader{ctx: ctx, r: f, left: maxBytes}).scan(size)
	if err != nil {
		return archive{}, fmt.Errorf("read ACI %q: %w", path, err)
	}
	return a, nil
}

func openFile(path string) (*os.File, int64, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, 0, err
	}
	fi, err := f.Stat()
	if err == nil && !fi.Mode().IsRegular() {
		err = fmt.Errorf("%q is not a file: an image layout directory is named as oci:%s", path, path)
	}
	if err != nil {
		return nil, 0, errors.Join(err, f.Close())
	}
	return f, fi.Size(), nil
}

func (r *reader) scan(size int64) (archive, error) {
	blobSum, diffSum, appcSum := sha256.New(), sha256.New(), sha512.New()
	raw := io.TeeReader(r, blobSum)
	plain, done, err := layer.Plain(raw)
	if err != nil {
		return archive{}, err
	}
	defer done()
	limited := &io.LimitedReader{R: plain, N: r.left + 1}
	tarBytes := io.TeeReader(limited, io.MultiWriter(diffSum, appcSum))
	manifest, err := findManifest(tarBytes)
	if err != nil {
		return archive{}, err
	}
	for _, rest := range []io.Reader{tarBytes, raw} {
		if _, err := io.Copy(io.Discard, rest); err != nil {
			return archive{}, err
		}
	}
	if limited.N <= 0 {
		return archive{}, fmt.Errorf("it unpacks to more than %d bytes", r.left)
	}
	a := archive{
		layer: image.Layer{
			Digest: digest.NewDigest(digest.SHA256, blobSum), DiffID: digest.NewDigest(digest.SHA256, diffSum), SizeBytes: size,
		},
		appcID:     fmt.Sprintf("sha512-%x", appcSum.Sum(nil)),
		plainBytes: r.left + 1 - limited.N,
		manifest:   manifest,
	}
	return a, a.readManifest()
}

func (a *archive) readManifest() error {
	m, err := validate(a.manifest)
	if err != nil {
		return err
	}
	a.needs = m.Dependencies
	a.app, a.labels, err = readLabels(a.manifest)
	return err
}

// fromStore is the archive of an image that is in the store.
func fromStore(img image.Image, manifest []byte) (archive, error) {
	a := archive{appcID: img.AppcID, manifest: manifest}
	if len(img.Layers) != 1 {
		return a, fmt.Errorf("image %s is no ACI", image.ShortID(img))
	}
	a.layer = img.Layers[0]
	return a, a.readManifest()
}

// verified is the form in which the store keeps the archive.
func (a *archive) verified(evidence []image.Evidence, dependencies []digest.Digest) (image.Verified, error) {
	doc, err := image.NewAppcManifest(a.layer, a.manifest, a.appcID, dependencies...)
	if err != nil {
		return image.Verified{}, err
	}
	m, err := image.VerifyManifest(doc, image.Sum(doc), image.Appc, evidence)
	if err != nil {
		return image.Verified{}, err
	}
	return m.VerifyConfig(a.manifest)
}

// unresolved is verified before the dependencies are known: good for adding
// the layer, not for committing the image.
func (a *archive) unresolved() (image.Verified, error) {
	none := make([]digest.Digest, len(a.needs))
	for i := range none {
		none[i] = digest.Digest("sha256:" + strings.Repeat("0", 64))
	}
	return a.verified(nil, none)
}

// validate holds the manifest against the appc schema, but for isolators: the
// module panics on some and takes unbounded time for others. They are judged
// where a pod is prepared, which is also where one becomes an app's.
func validate(manifest []byte) (schema.ImageManifest, error) {
	var m schema.ImageManifest
	doc, err := without(manifest, "app", func(app json.RawMessage) (json.RawMessage, error) {
		return without(app, "isolators", nil)
	})
	if err == nil {
		err = eachOnce(manifest, "acKind", "acVersion", "name", "labels", "app", "dependencies", "pathWhitelist", "annotations")
	}
	if err == nil {
		err = json.Unmarshal(doc, &m)
	}
	if err != nil {
		return m, fmt.Errorf("bad image manifest: %w", err)
	}
	return m, nil
}

// eachOnce refuses members whose names package json takes for one another: what
// was validated could be another than what is used.
func eachOnce(doc json.RawMessage, names ...string) error {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(doc, &members); err != nil {
		return err
	}
	count := make([]int, len(names))
	for key := range members {
		for i, name := range names {
			if strings.EqualFold(key, name) {
				if count[i]++; count[i] > 1 {
					return fmt.Errorf("it has %q twice", name)
				}
			}
		}
	}
	return nil
}
