package layers

import (
	"bufio"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"
	"runtime"
)

// Descriptor is an OCI content descriptor (image-spec, descriptor.md).
type Descriptor struct {
	MediaType   string            `json:"mediaType"`
	Digest      string            `json:"digest"`
	Size        int64             `json:"size"`
	Annotations map[string]string `json:"annotations,omitempty"`
}

// Blob is a layer in a layout.
type Blob struct {
	Descriptor
	DiffID string
}

// Layout is an OCI image layout in the making (image-spec, image-layout.md).
type Layout struct{ Dir string }

// New makes the directories of a layout.
func New(dir string) (Layout, error) {
	return Layout{dir}, os.MkdirAll(filepath.Join(dir, "blobs", "sha256"), 0o755)
}

func (l Layout) blobs() string { return filepath.Join(l.Dir, "blobs", "sha256") }

// Put adds a blob of any bytes.
func (l Layout) Put(mediaType string, content []byte) (Descriptor, error) {
	sum := fmt.Sprintf("%x", sha256.Sum256(content))
	d := Descriptor{MediaType: mediaType, Digest: "sha256:" + sum, Size: int64(len(content))}
	return d, os.WriteFile(filepath.Join(l.blobs(), sum), content, 0o644)
}

// counter hashes and counts what passes.
type counter struct {
	h hash.Hash
	n int64
}

func (c *counter) Write(p []byte) (int, error) {
	c.n += int64(len(p))
	return c.h.Write(p)
}

func (c *counter) digest() string { return fmt.Sprintf("sha256:%x", c.h.Sum(nil)) }

// Packing compresses what is written to what it returns.
type Packing struct {
	MediaType string
	Open      func(io.Writer) (io.WriteCloser, error)
}

// PutLayer adds a layer: the tar that write writes, packed.
func (l Layout) PutLayer(p Packing, write func(io.Writer) error) (_ Blob, err error) {
	f, err := os.CreateTemp(l.blobs(), ".layer-")
	if err != nil {
		return Blob{}, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	packed, plain := &counter{h: sha256.New()}, &counter{h: sha256.New()}
	buf := bufio.NewWriterSize(f, 1<<20)
	z, err := p.Open(io.MultiWriter(buf, packed))
	if err != nil {
		return Blob{}, err
	}
	tarball := bufio.NewWriterSize(io.MultiWriter(z, plain), 1<<20)
	if err := errors.Join(write(tarball), tarball.Flush(), z.Close(), buf.Flush()); err != nil {
		return Blob{}, err
	}
	d := Descriptor{MediaType: p.MediaType, Digest: packed.digest(), Size: packed.n}
	return Blob{d, plain.digest()}, os.Rename(f.Name(), filepath.Join(l.blobs(), d.Digest[len("sha256:"):]))
}

// Finish adds config and manifest, and the index with the image tagged "latest".
func (l Layout) Finish(layers ...Blob) error {
	type rootFS struct {
		Type    string   `json:"type"`
		DiffIDs []string `json:"diff_ids"`
	}
	config := struct {
		Architecture string         `json:"architecture"`
		OS           string         `json:"os"`
		Config       map[string]any `json:"config"`
		RootFS       rootFS         `json:"rootfs"`
	}{runtime.GOARCH, "linux", map[string]any{"Cmd": []string{"/bin/true"}}, rootFS{Type: "layers", DiffIDs: []string{}}}
	manifest := struct {
		SchemaVersion int          `json:"schemaVersion"`
		MediaType     string       `json:"mediaType"`
		Config        Descriptor   `json:"config"`
		Layers        []Descriptor `json:"layers"`
	}{SchemaVersion: 2, MediaType: "application/vnd.oci.image.manifest.v1+json"}
	for _, b := range layers {
		config.RootFS.DiffIDs = append(config.RootFS.DiffIDs, b.DiffID)
		manifest.Layers = append(manifest.Layers, b.Descriptor)
	}
	put := func(mediaType string, v any) (Descriptor, error) {
		raw, err := json.Marshal(v)
		if err != nil {
			return Descriptor{}, err
		}
		return l.Put(mediaType, raw)
	}
	var err error
	if manifest.Config, err = put("application/vnd.oci.image.config.v1+json", config); err != nil {
		return err
	}
	m, err := put(manifest.MediaType, manifest)
	if err != nil {
		return err
	}
	m.Annotations = map[string]string{"org.opencontainers.image.ref.name": "latest"}
	index, err := json.Marshal(map[string]any{"schemaVersion": 2, "manifests": []Descriptor{m}})
	if err != nil {
		return err
	}
	return errors.Join(
		os.WriteFile(filepath.Join(l.Dir, "index.json"), index, 0o644),
		os.WriteFile(filepath.Join(l.Dir, "oci-layout"), []byte(`{"imageLayoutVersion":"1.0.0"}`), 0o644))
}
