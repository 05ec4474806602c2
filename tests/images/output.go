package images

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// refName is the annotation that tags an image in an OCI layout (OCI image-spec, annotations.md).
const refName = "org.opencontainers.image.ref.name"

// Image is a built image for one platform.
type Image struct {
	img      v1.Image
	platform v1.Platform
}

// V1 is the image as go-containerregistry has it.
func (i Image) V1() v1.Image { return i.img }

// Digest is the manifest's digest, as "sha256:…".
func (i Image) Digest() (string, error) { return digestOf(i.img) }

// Index is an image for several platforms.
type Index struct{ idx v1.ImageIndex }

// NewIndex joins images of several platforms.
func NewIndex(images ...Image) Index {
	idx := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	for _, i := range images {
		p := i.platform
		idx = mutate.AppendManifests(idx, mutate.IndexAddendum{Add: i.img, Descriptor: v1.Descriptor{Platform: &p}})
	}
	return Index{idx}
}

// Digest is the index's digest, as "sha256:…".
func (x Index) Digest() (string, error) { return digestOf(x.idx) }

func digestOf(d interface{ Digest() (v1.Hash, error) }) (string, error) {
	h, err := d.Digest()
	if err != nil {
		return "", fmt.Errorf("digest an image: %w", err)
	}
	return h.String(), nil
}

// Layout adds the image to the OCI layout in dir, made if it is not there, under tag.
func (i Image) Layout(dir, tag string) error {
	return inLayout(dir, func(p layout.Path) error {
		return p.ReplaceImage(i.img, tagged(tag), layout.WithAnnotations(map[string]string{refName: tag}), layout.WithPlatform(i.platform))
	})
}

// Layout adds the index to the OCI layout in dir, made if it is not there, under tag.
func (x Index) Layout(dir, tag string) error {
	return inLayout(dir, func(p layout.Path) error {
		return p.ReplaceIndex(x.idx, tagged(tag), layout.WithAnnotations(map[string]string{refName: tag}))
	})
}

func inLayout(dir string, add func(layout.Path) error) error {
	p, err := layout.FromPath(dir)
	if errors.Is(err, fs.ErrNotExist) {
		p, err = layout.Write(dir, empty.Index)
	}
	if err == nil {
		err = add(p)
	}
	if err != nil {
		return fmt.Errorf("write OCI layout %s: %w", dir, err)
	}
	return nil
}

func tagged(tag string) func(v1.Descriptor) bool {
	return func(d v1.Descriptor) bool { return d.Annotations[refName] == tag }
}

// OCIArchive writes the image as an OCI layout in a tar file.
func (i Image) OCIArchive(file, tag string) error {
	return archive(file, func(dir string) error { return i.Layout(dir, tag) })
}

// OCIArchive writes the index as an OCI layout in a tar file.
func (x Index) OCIArchive(file, tag string) error {
	return archive(file, func(dir string) error { return x.Layout(dir, tag) })
}

func archive(file string, write func(dir string) error) (err error) {
	dir, err := os.MkdirTemp("", "oci-archive-*")
	if err != nil {
		return fmt.Errorf("write OCI archive: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if err := write(dir); err != nil {
		return err
	}
	f, err := os.Create(file)
	if err != nil {
		return fmt.Errorf("write OCI archive: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	tw := tar.NewWriter(f)
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || path == dir {
			return err
		}
		rel, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		if d.IsDir() {
			return tw.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: rel + "/", Mode: 0o755, ModTime: epoch})
		}
		return addFile(tw, path, rel)
	})
	if err = errors.Join(err, tw.Close()); err != nil {
		return fmt.Errorf("write OCI archive %s: %w", file, err)
	}
	return nil
}

func addFile(tw *tar.Writer, path, as string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if err := tw.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: as, Size: info.Size(), Mode: 0o644, ModTime: epoch}); err != nil {
		return err
	}
	_, err = io.Copy(tw, f)
	return err
}

// DockerArchive writes the image as "docker save" does; repoTag is as "busybox:1".
func (i Image) DockerArchive(file, repoTag string) error {
	tag, err := name.NewTag(repoTag)
	if err != nil {
		return fmt.Errorf("write Docker archive: %w", err)
	}
	if err := tarball.WriteToFile(file, tag, i.img); err != nil {
		return fmt.Errorf("write Docker archive %s: %w", file, err)
	}
	return nil
}

// PushOptions change a push. The zero value pushes with the usual transport.
type PushOptions struct {
	// Transport reaches the registry, for one in another network namespace. Default: http.DefaultTransport.
	Transport http.RoundTripper
	// User and Password are for a registry that asks, by basic authentication or for tokens.
	// Default: none.
	User, Password string
}

func (o PushOptions) remote(ctx context.Context) []remote.Option {
	options := []remote.Option{remote.WithContext(ctx)}
	if o.Transport != nil {
		options = append(options, remote.WithTransport(o.Transport))
	}
	if o.User != "" {
		options = append(options, remote.WithAuth(&authn.Basic{Username: o.User, Password: o.Password}))
	}
	return options
}

// Push pushes the image to ref, as "127.0.0.1:5000/nginx:1.22"; plain HTTP on loopback.
func (i Image) Push(ctx context.Context, ref string, o PushOptions) error {
	r, err := name.ParseReference(ref)
	if err == nil {
		err = remote.Write(r, i.img, o.remote(ctx)...)
	}
	if err != nil {
		return fmt.Errorf("push %s: %w", ref, err)
	}
	return nil
}

// Push pushes the index and its images to ref.
func (x Index) Push(ctx context.Context, ref string, o PushOptions) error {
	r, err := name.ParseReference(ref)
	if err == nil {
		err = remote.WriteIndex(r, x.idx, o.remote(ctx)...)
	}
	if err != nil {
		return fmt.Errorf("push %s: %w", ref, err)
	}
	return nil
}

// FromLayout opens the image with the given tag of an OCI layout.
func FromLayout(dir, tag string) (Image, error) {
	idx, err := layout.ImageIndexFromPath(dir)
	if err != nil {
		return Image{}, fmt.Errorf("open OCI layout: %w", err)
	}
	m, err := idx.IndexManifest()
	if err != nil {
		return Image{}, fmt.Errorf("open OCI layout %s: %w", dir, err)
	}
	for _, d := range m.Manifests {
		if d.Annotations[refName] != tag {
			continue
		}
		img, err := idx.Image(d.Digest)
		if err != nil {
			return Image{}, fmt.Errorf("open %s in OCI layout %s: %w", tag, dir, err)
		}
		i := Image{img: img}
		if d.Platform != nil {
			i.platform = *d.Platform
		}
		return i, nil
	}
	return Image{}, fmt.Errorf("open OCI layout %s: no tag %q", dir, tag)
}
