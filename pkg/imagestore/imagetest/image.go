package imagetest

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/raket/raket/pkg/image"
	"github.com/raket/raket/pkg/imagestore"
)

// File is an entry of a layer. A name that ends in a slash is a directory's;
// one with a Link is a symbolic link's.
type File struct {
	Name, Body, Link string
	Mode             int64 // 0644, or 0755 of directories, by default
	UID, GID         int
	// Hard makes it another name of this file.
	Hard string
	// Xattrs are extended attributes by name.
	Xattrs map[string]string
}

// Image is an image in memory, its layers compressed by gzip.
type Image struct {
	ID       digest.Digest
	Manifest []byte
	Config   []byte
	// Blobs has config and layers.
	Blobs map[digest.Digest][]byte
	// Layers has the digests of the layers' blobs, bottom first.
	Layers []digest.Digest
}

// Tar makes an archive of files.
func Tar(t testing.TB, files ...File) []byte {
	t.Helper()
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	for _, f := range files {
		h := &tar.Header{
			Name: f.Name, Typeflag: tar.TypeReg, Size: int64(len(f.Body)), Mode: f.Mode, Uid: f.UID, Gid: f.GID,
			ModTime: time.Unix(1_600_000_000, 0),
		}
		switch {
		case strings.HasSuffix(f.Name, "/"):
			h.Typeflag = tar.TypeDir
			h.Mode = max(h.Mode, 0o111)
		case f.Link != "":
			h.Typeflag, h.Linkname = tar.TypeSymlink, f.Link
		case f.Hard != "":
			h.Typeflag, h.Linkname = tar.TypeLink, f.Hard
		}
		for name, value := range f.Xattrs {
			h.PAXRecords = map[string]string{"SCHILY.xattr." + name: value}
		}
		if f.Mode == 0 {
			h.Mode = 0o644
			if h.Typeflag == tar.TypeDir {
				h.Mode = 0o755
			}
		}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, f.Body); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

// Gzip compresses.
func Gzip(t testing.TB, raw []byte) []byte {
	t.Helper()
	var buf bytes.Buffer
	z := gzip.NewWriter(&buf)
	if _, err := z.Write(raw); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

// New makes an image for linux/amd64 of these layers, bottom first.
func New(t testing.TB, layers ...[]File) *Image { return NewFor(t, "amd64", layers...) }

// NewFor makes an image for linux and an architecture.
func NewFor(t testing.TB, arch string, layers ...[]File) *Image {
	t.Helper()
	var raw [][]byte
	for _, files := range layers {
		raw = append(raw, Tar(t, files...))
	}
	return of(t, arch, raw)
}

// Derived makes an image of another's layers and one more, for linux/amd64.
func Derived(t testing.TB, base *Image, top []File) *Image {
	t.Helper()
	var raw [][]byte
	for _, l := range base.Layers {
		z, err := gzip.NewReader(bytes.NewReader(base.Blobs[l]))
		if err != nil {
			t.Fatal(err)
		}
		tar, err := io.ReadAll(z)
		if err != nil {
			t.Fatal(err)
		}
		raw = append(raw, tar)
	}
	return of(t, "amd64", append(raw, Tar(t, top...)))
}

// of makes an image of tars.
func of(t testing.TB, arch string, layers [][]byte) *Image {
	t.Helper()
	img := &Image{Blobs: map[digest.Digest][]byte{}}
	var descs []image.Layer
	diffIDs := []digest.Digest{}
	for _, raw := range layers {
		blob := Gzip(t, raw)
		d := image.Layer{Digest: image.Sum(blob), DiffID: image.Sum(raw), SizeBytes: int64(len(blob))}
		descs, diffIDs = append(descs, d), append(diffIDs, d.DiffID)
		img.Blobs[d.Digest] = blob
		img.Layers = append(img.Layers, d.Digest)
	}
	var err error
	img.Config, err = json.Marshal(map[string]any{
		"os": "linux", "architecture": arch,
		"config": map[string]any{"Cmd": []string{"/bin/true"}},
		"rootfs": map[string]any{"type": "layers", "diff_ids": diffIDs},
	})
	if err != nil {
		t.Fatal(err)
	}
	if img.Manifest, err = image.NewManifest(img.Config, descs); err != nil {
		t.Fatal(err)
	}
	// Other tools believe a layer's media type.
	plain := []byte(`"application/vnd.oci.image.layer.v1.tar"`)
	img.Manifest = bytes.ReplaceAll(img.Manifest, plain, []byte(`"application/vnd.oci.image.layer.v1.tar+gzip"`))
	img.ID = image.Sum(img.Manifest)
	img.Blobs[image.Sum(img.Config)] = img.Config
	return img
}

// Verified is the image as if it had been fetched.
func (i *Image) Verified(t testing.TB) image.Verified {
	t.Helper()
	m, err := image.VerifyManifest(i.Manifest, i.ID, image.OCI, nil)
	if err != nil {
		t.Fatal(err)
	}
	v, err := m.VerifyConfig(i.Config)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// Add puts the image into a store, under a reference such as
// docker://registry.example/app:1. It needs root.
func (i *Image) Add(t testing.TB, s *imagestore.Store, name string) image.Image {
	t.Helper()
	v := i.Verified(t)
	lock, err := s.FetchLock()
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	err = s.AddLayers(t.Context(), v, func(l image.VerifiedLayer) imagestore.LayerSource {
		return imagestore.LayerSource{Open: func(context.Context) (io.ReadCloser, error) {
			return io.NopCloser(bytes.NewReader(i.Blobs[l.Layer().Digest])), nil
		}}
	})
	if err != nil {
		t.Fatal(err)
	}
	ref, err := image.Parse(name)
	if err != nil {
		t.Fatal(err)
	}
	img, err := s.Commit(t.Context(), v, ref, []string{ref.String()})
	if err != nil {
		t.Fatal(err)
	}
	return img
}

// WriteLayout writes images as an OCI image layout, by tag.
func WriteLayout(t testing.TB, dir string, images map[string]*Image) {
	t.Helper()
	write := func(name string, content []byte) {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	var entries []map[string]any
	for tag, img := range images {
		for d, blob := range img.Blobs {
			write("blobs/sha256/"+d.Encoded(), blob)
		}
		write("blobs/sha256/"+img.ID.Encoded(), img.Manifest)
		entries = append(entries, map[string]any{
			"mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": img.ID, "size": len(img.Manifest),
			"annotations": map[string]string{"org.opencontainers.image.ref.name": tag},
		})
	}
	idx, err := json.Marshal(map[string]any{"schemaVersion": 2, "manifests": entries})
	if err != nil {
		t.Fatal(err)
	}
	write("index.json", idx)
	write("oci-layout", []byte(`{"imageLayoutVersion":"1.0.0"}`))
}
