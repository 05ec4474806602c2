package file

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/opencontainers/go-digest"

	"github.com/raket/raket/pkg/image"
)

// members opens a layout's files by slash-separated relative names.
type members interface {
	open(name string) (io.ReadCloser, error)
	Close() error
}

// Layout is an OCI image layout (image-spec, "Image Layout"), a directory or
// an archive.
type Layout struct {
	files members
	ref   image.Ref
	names []string
}

// OpenLayout opens a directory.
func OpenLayout(ref image.Ref) (*Layout, error) {
	root, err := os.OpenRoot(ref.Path)
	if err != nil {
		return nil, err
	}
	return newLayout(ref, dirMembers{root})
}

// OpenArchive opens a tar of a layout.
func OpenArchive(ctx context.Context, ref image.Ref) (*Layout, error) {
	a, err := openArchive(ctx, ref.Path)
	if err != nil {
		return nil, err
	}
	return newLayout(ref, a)
}

func newLayout(ref image.Ref, files members) (*Layout, error) {
	l := &Layout{files: files, ref: ref}
	raw, err := readMember(files, "oci-layout", image.MaxConfigBytes)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%q is not an OCI image layout: %w", ref.Path, err), files.Close())
	}
	var version struct {
		Version string `json:"imageLayoutVersion"`
	}
	if err := json.Unmarshal(raw, &version); err != nil || !strings.HasPrefix(version.Version, "1.") {
		return nil, errors.Join(fmt.Errorf("%q is an OCI image layout of unknown version %q", ref.Path, version.Version), files.Close())
	}
	return l, nil
}

// Close closes the layout's files.
func (l *Layout) Close() error { return l.files.Close() }

// Names are the full names that index.json gives the image.
func (l *Layout) Names() []string { return l.names }

// Manifest returns the blob of a digest, or for an empty one what index.json
// lists under the reference's tag. It is not verified.
func (l *Layout) Manifest(_ context.Context, d digest.Digest) ([]byte, error) {
	if d == "" {
		var err error
		if d, err = l.choose(); err != nil {
			return nil, err
		}
		raw, err := l.blob(d)
		if err != nil {
			return nil, err
		}
		return raw, image.CheckDigest("image manifest", raw, d)
	}
	return l.blob(d)
}

func (l *Layout) blob(d digest.Digest) ([]byte, error) {
	name, err := blobName(d)
	if err != nil {
		return nil, err
	}
	return readMember(l.files, name, image.MaxManifestBytes)
}

// Blob begins to read a blob. It is not verified.
func (l *Layout) Blob(_ context.Context, d digest.Digest) (io.ReadCloser, error) {
	name, err := blobName(d)
	if err != nil {
		return nil, err
	}
	return l.files.open(name)
}

func blobName(d digest.Digest) (string, error) {
	hex, ok := strings.CutPrefix(d.String(), "sha256:")
	if !ok || len(hex) != 64 || strings.Trim(hex, "0123456789abcdef") != "" {
		return "", fmt.Errorf("%q is not a sha256 digest", d.String())
	}
	return "blobs/sha256/" + hex, nil
}

const refName = "org.opencontainers.image.ref.name"

func (l *Layout) choose() (digest.Digest, error) {
	raw, err := readMember(l.files, "index.json", image.MaxManifestBytes)
	if err != nil {
		return "", err
	}
	var idx struct {
		Manifests []struct {
			Digest      digest.Digest     `json:"digest"`
			Annotations map[string]string `json:"annotations"`
		} `json:"manifests"`
	}
	if err := json.Unmarshal(raw, &idx); err != nil {
		return "", fmt.Errorf("parse index.json of %q: %w", l.ref.Path, err)
	}
	var tags []string
	var found []digest.Digest
	for _, m := range idx.Manifests {
		if tag := m.Annotations[refName]; tag != "" {
			tags = append(tags, tag)
		}
		if l.ref.Tag == "" || m.Annotations[refName] == l.ref.Tag {
			found = append(found, m.Digest)
		}
	}
	switch {
	case len(found) == 1:
		return found[0], nil
	case len(found) > 1:
		return "", fmt.Errorf("%q holds %d images: choose one with :TAG, of %q", l.ref.Path, len(found), shown(tags))
	case l.ref.Tag != "":
		return "", fmt.Errorf("%q has no image tagged %q, only %q", l.ref.Path, l.ref.Tag, shown(tags))
	}
	return "", fmt.Errorf("%q holds no image", l.ref.Path)
}

func shown(tags []string) string { return strings.Join(tags[:min(len(tags), 8)], ", ") }

func readMember(files members, name string, limit int64) ([]byte, error) {
	r, err := files.open(name)
	if err != nil {
		return nil, err
	}
	raw, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err := errors.Join(err, r.Close()); err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	if int64(len(raw)) > limit {
		return nil, fmt.Errorf("%s is larger than %d MiB", name, limit>>20)
	}
	return raw, nil
}

// dirMembers is a directory; os.Root keeps its links inside.
type dirMembers struct{ *os.Root }

func (d dirMembers) open(name string) (io.ReadCloser, error) {
	f, err := d.Open(filepath.FromSlash(name))
	if err != nil {
		return nil, err
	}
	return f, nil
}
