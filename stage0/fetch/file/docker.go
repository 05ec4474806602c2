package file

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/opencontainers/go-digest"

	"github.com/raket/raket/pkg/image"
)

// Docker is an archive made by docker save. It has no manifest in the OCI
// sense: one is made here, of the digests its layers turn out to have.
type Docker struct {
	a        *archive
	manifest []byte
	blobs    map[digest.Digest]string // to member names
	names    []string
}

// OpenDocker opens the archive and chooses the image that the reference names,
// or the only one.
func OpenDocker(ctx context.Context, ref image.Ref) (*Docker, error) {
	a, err := openArchive(ctx, ref.Path)
	if err != nil {
		return nil, err
	}
	d := &Docker{a: a, blobs: map[digest.Digest]string{}}
	if err := d.load(ctx, ref.Tag); err != nil {
		return nil, errors.Join(fmt.Errorf("read docker archive %q: %w", ref.Path, err), a.Close())
	}
	return d, nil
}

type dockerImage struct {
	Config   string
	RepoTags []string
	Layers   []string
}

func (d *Docker) load(ctx context.Context, want string) error {
	raw, err := readMember(d.a, "manifest.json", image.MaxManifestBytes)
	if err != nil {
		return err
	}
	var images []dockerImage
	if err := json.Unmarshal(raw, &images); err != nil {
		return fmt.Errorf("parse manifest.json: %w", err)
	}
	img, err := chooseDocker(images, want)
	if err != nil {
		return err
	}
	d.names = slices.DeleteFunc(img.RepoTags, func(name string) bool {
		ref, err := image.Parse("docker://" + name)
		return err != nil || ref.Digest != ""
	})
	config, err := readMember(d.a, img.Config, image.MaxConfigBytes)
	if err != nil {
		return err
	}
	var parsed struct {
		RootFS struct {
			DiffIDs []digest.Digest `json:"diff_ids"`
		} `json:"rootfs"`
	}
	if err := json.Unmarshal(config, &parsed); err != nil {
		return fmt.Errorf("parse image config: %w", err)
	}
	if len(parsed.RootFS.DiffIDs) != len(img.Layers) {
		return fmt.Errorf("image config has %d diff IDs for %d layers", len(parsed.RootFS.DiffIDs), len(img.Layers))
	}
	if len(img.Layers) > image.MaxLayers {
		return fmt.Errorf("image has %d layers, more than %d", len(img.Layers), image.MaxLayers)
	}
	layers := make([]image.Layer, len(img.Layers))
	for i, name := range img.Layers {
		if layers[i], err = d.describe(ctx, name, parsed.RootFS.DiffIDs[i]); err != nil {
			return err
		}
		d.blobs[layers[i].Digest] = name
	}
	d.blobs[image.Sum(config)] = img.Config
	d.manifest, err = image.NewManifest(config, layers)
	return err
}

func chooseDocker(images []dockerImage, want string) (dockerImage, error) {
	var names []string
	for _, img := range images {
		if want != "" && (slices.Contains(img.RepoTags, want) || slices.Contains(img.RepoTags, want+":latest")) {
			return img, nil
		}
		names = append(names, img.RepoTags...)
	}
	switch {
	case want != "":
		return dockerImage{}, fmt.Errorf("it has no image named %q, only %q", want, shown(names))
	case len(images) != 1:
		return dockerImage{}, fmt.Errorf("it holds %d images: choose one with :NAME, of %q", len(images), shown(names))
	}
	return images[0], nil
}

// describe finds a layer's digest. A plain tar, which is what docker save
// writes mostly, must have its diff ID as digest; it is held against that when
// it is unpacked.
func (d *Docker) describe(ctx context.Context, name string, diffID digest.Digest) (image.Layer, error) {
	s, err := d.a.find(name)
	if err != nil {
		return image.Layer{}, err
	}
	desc := image.Layer{Digest: diffID, DiffID: diffID, SizeBytes: s.size}
	r := io.NewSectionReader(d.a.f, s.off, s.size)
	magic := make([]byte, 4)
	n, err := io.ReadFull(r, magic)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
		return image.Layer{}, err
	}
	switch head := string(magic[:n]); {
	case strings.HasPrefix(head, "\x1f\x8b"):
		desc.MediaType = image.MediaTypeLayerGzip
	case head == "\x28\xb5\x2f\xfd":
		desc.MediaType = image.MediaTypeLayerZstd
	}
	if desc.MediaType != "" {
		sum := sha256.New()
		if _, err := io.Copy(sum, ctxReader{ctx, io.NewSectionReader(d.a.f, s.off, s.size)}); err != nil {
			return image.Layer{}, fmt.Errorf("read layer %q: %w", name, err)
		}
		desc.Digest = digest.NewDigest(digest.SHA256, sum)
	}
	return desc, nil
}

// Manifest returns the manifest made of the archive.
func (d *Docker) Manifest(_ context.Context, want digest.Digest) ([]byte, error) {
	if want != "" && want != image.Sum(d.manifest) {
		return nil, fmt.Errorf("archive has no manifest %s", want)
	}
	return d.manifest, nil
}

// Blob begins to read the config or a layer.
func (d *Docker) Blob(_ context.Context, want digest.Digest) (io.ReadCloser, error) {
	name, ok := d.blobs[want]
	if !ok {
		return nil, fmt.Errorf("archive has no blob %s", want)
	}
	return d.a.open(name)
}

// Names are the tags the archive gives the image.
func (d *Docker) Names() []string { return d.names }

// Close closes the archive.
func (d *Docker) Close() error { return d.a.Close() }
