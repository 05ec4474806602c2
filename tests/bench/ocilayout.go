package main

import (
	"archive/tar"
	"bufio"
	"compress/gzip"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"sync"
)

// layerFunc writes the entries of one layer.
type layerFunc func(*tar.Writer) error

// descriptor is an OCI content descriptor (image-spec, descriptor.md).
type descriptor struct {
	MediaType   string            `json:"mediaType"`
	Digest      string            `json:"digest"`
	Size        int64             `json:"size"`
	Annotations map[string]string `json:"annotations,omitempty"`
}

type imageConfig struct {
	Architecture string `json:"architecture"`
	OS           string `json:"os"`
	Config       struct {
		Cmd []string `json:"Cmd,omitempty"`
	} `json:"config"`
	RootFS struct {
		Type    string   `json:"type"`
		DiffIDs []string `json:"diff_ids"`
	} `json:"rootfs"`
}

// layout is what writeLayout made.
type layout struct {
	Dir                                string
	CompressedBytes, UncompressedBytes int64
}

// ref names the image for skopeo, umoci and podman.
func (l layout) ref() string { return "oci:" + l.Dir + ":latest" }

// writeLayout writes an OCI image layout with one image, tagged latest (image-spec, image-layout.md). The layers are
// made in parallel, gzip-compressed at the default level as registries hold them.
func writeLayout(dir string, cmd []string, layers ...layerFunc) (layout, error) {
	out := layout{Dir: dir}
	blobs := filepath.Join(dir, "blobs", "sha256")
	if err := os.MkdirAll(blobs, 0o755); err != nil {
		return out, err
	}
	made := make([]madeLayer, len(layers))
	errs := make([]error, len(layers))
	var wg sync.WaitGroup
	for i, write := range layers {
		wg.Go(func() { made[i], errs[i] = writeLayer(blobs, write) })
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		return out, fmt.Errorf("write layers: %w", err)
	}

	config := imageConfig{Architecture: runtime.GOARCH, OS: "linux"}
	config.Config.Cmd = cmd
	config.RootFS.Type = "layers"
	manifest := struct {
		SchemaVersion int          `json:"schemaVersion"`
		MediaType     string       `json:"mediaType"`
		Config        descriptor   `json:"config"`
		Layers        []descriptor `json:"layers"`
	}{SchemaVersion: 2, MediaType: "application/vnd.oci.image.manifest.v1+json"}
	for _, m := range made {
		config.RootFS.DiffIDs = append(config.RootFS.DiffIDs, m.diffID)
		manifest.Layers = append(manifest.Layers, m.descriptor)
		out.CompressedBytes += m.descriptor.Size
		out.UncompressedBytes += m.size
	}
	var err error
	if manifest.Config, err = writeJSONBlob(blobs, "application/vnd.oci.image.config.v1+json", config); err != nil {
		return out, err
	}
	m, err := writeJSONBlob(blobs, manifest.MediaType, manifest)
	if err != nil {
		return out, err
	}
	m.Annotations = map[string]string{"org.opencontainers.image.ref.name": "latest"}
	index, err := json.Marshal(map[string]any{"schemaVersion": 2, "manifests": []descriptor{m}})
	if err != nil {
		return out, err
	}
	return out, errors.Join(
		os.WriteFile(filepath.Join(dir, "index.json"), index, 0o644),
		os.WriteFile(filepath.Join(dir, "oci-layout"), []byte(`{"imageLayoutVersion":"1.0.0"}`), 0o644))
}

// variants replaces the index by one of so many images, tagged v0, v1 and on,
// which differ in their configs.
func (l layout) variants(n int) error {
	blobs := filepath.Join(l.Dir, "blobs", "sha256")
	read := func(digest string, v any) error {
		raw, err := os.ReadFile(filepath.Join(blobs, digest[len("sha256:"):]))
		if err != nil {
			return err
		}
		return json.Unmarshal(raw, v)
	}
	var index struct {
		Manifests []descriptor `json:"manifests"`
	}
	raw, err := os.ReadFile(filepath.Join(l.Dir, "index.json"))
	if err == nil {
		err = json.Unmarshal(raw, &index)
	}
	if err != nil {
		return err
	}
	var manifest, config map[string]any
	var pointer struct {
		Config descriptor `json:"config"`
	}
	if err := errors.Join(read(index.Manifests[0].Digest, &manifest), read(index.Manifests[0].Digest, &pointer)); err != nil {
		return err
	}
	if err := read(pointer.Config.Digest, &config); err != nil {
		return err
	}
	index.Manifests = nil
	for i := range n {
		config["author"] = fmt.Sprint("variant ", i)
		if manifest["config"], err = writeJSONBlob(blobs, pointer.Config.MediaType, config); err != nil {
			return err
		}
		m, err := writeJSONBlob(blobs, "application/vnd.oci.image.manifest.v1+json", manifest)
		if err != nil {
			return err
		}
		m.Annotations = map[string]string{"org.opencontainers.image.ref.name": fmt.Sprint("v", i)}
		index.Manifests = append(index.Manifests, m)
	}
	if raw, err = json.Marshal(map[string]any{"schemaVersion": 2, "manifests": index.Manifests}); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(l.Dir, "index.json"), raw, 0o644)
}

type madeLayer struct {
	descriptor descriptor
	diffID     string
	size       int64
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

func writeLayer(blobs string, write layerFunc) (_ madeLayer, err error) {
	f, err := os.CreateTemp(blobs, ".layer-")
	if err != nil {
		return madeLayer{}, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	packed, plain := &counter{h: sha256.New()}, &counter{h: sha256.New()}
	buf := bufio.NewWriterSize(f, 1<<20)
	zw := gzip.NewWriter(io.MultiWriter(buf, packed))
	tw := tar.NewWriter(io.MultiWriter(zw, plain))
	if err := errors.Join(write(tw), tw.Close(), zw.Close(), buf.Flush()); err != nil {
		return madeLayer{}, err
	}
	d := descriptor{MediaType: "application/vnd.oci.image.layer.v1.tar+gzip", Digest: packed.digest(), Size: packed.n}
	return madeLayer{d, plain.digest(), plain.n}, os.Rename(f.Name(), filepath.Join(blobs, d.Digest[len("sha256:"):]))
}

func writeJSONBlob(blobs, mediaType string, v any) (descriptor, error) {
	data, err := json.Marshal(v)
	if err != nil {
		return descriptor{}, err
	}
	sum := fmt.Sprintf("%x", sha256.Sum256(data))
	return descriptor{MediaType: mediaType, Digest: "sha256:" + sum, Size: int64(len(data))}, os.WriteFile(filepath.Join(blobs, sum), data, 0o644)
}
