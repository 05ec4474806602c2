package images

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"

	"github.com/google/go-containerregistry/pkg/compression"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// Builder collects an image. Its methods return a changed copy, so a builder can be a base
// for several images; an error is kept and told by Image.
type Builder struct {
	layers   []v1.Layer
	config   v1.Config
	platform v1.Platform
	zstd     bool
	err      error
}

// New is an empty image for this machine's architecture.
func New() Builder {
	return Builder{
		platform: v1.Platform{OS: "linux", Architecture: runtime.GOARCH},
		config:   v1.Config{Env: []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}},
	}
}

// Layer adds a layer on top.
func (b Builder) Layer(entries ...Entry) Builder {
	data, err := Tar(entries...)
	if err != nil {
		return b.failed(err)
	}
	return b.tarLayer(data)
}

func (b Builder) tarLayer(data []byte) Builder {
	opener := func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(data)), nil }
	options := []tarball.LayerOption{tarball.WithMediaType(types.OCILayer), tarball.WithCompressedCaching}
	if b.zstd {
		options = []tarball.LayerOption{tarball.WithMediaType(types.OCILayerZStd), tarball.WithCompression(compression.ZStd), tarball.WithCompressedCaching}
	}
	l, err := tarball.LayerFromOpener(opener, options...)
	if err != nil {
		return b.failed(fmt.Errorf("make a layer: %w", err))
	}
	b.layers = append(slices.Clip(b.layers), l)
	return b
}

// RawLayer adds a blob as a layer, whatever it holds: for broken and hostile images.
func (b Builder) RawLayer(blob []byte, mediaType string) Builder {
	b.layers = append(slices.Clip(b.layers), static.NewLayer(blob, types.MediaType(mediaType)))
	return b
}

// Zstd compresses the layers added from here on with zstd instead of gzip.
func (b Builder) Zstd() Builder { b.zstd = true; return b }

// Platform sets operating system, architecture and variant.
func (b Builder) Platform(os, arch, variant string) Builder {
	b.platform = v1.Platform{OS: os, Architecture: arch, Variant: variant}
	return b
}

// Entrypoint and the setters below fill the image config (OCI image-spec, config.md).
func (b Builder) Entrypoint(args ...string) Builder { b.config.Entrypoint = args; return b }

// Cmd sets the default arguments.
func (b Builder) Cmd(args ...string) Builder { b.config.Cmd = args; return b }

// Env adds NAME=VALUE to the environment.
func (b Builder) Env(vars ...string) Builder {
	b.config.Env = append(slices.Clip(b.config.Env), vars...)
	return b
}

// User sets user and group as in "name", "1000:100".
func (b Builder) User(u string) Builder { b.config.User = u; return b }

// WorkingDir sets the directory the process starts in.
func (b Builder) WorkingDir(d string) Builder { b.config.WorkingDir = d; return b }

// StopSignal sets the signal that stops it, as "SIGQUIT".
func (b Builder) StopSignal(s string) Builder { b.config.StopSignal = s; return b }

// Volumes declares mount points.
func (b Builder) Volumes(paths ...string) Builder { b.config.Volumes = set(paths); return b }

// Ports declares ports as "80/tcp".
func (b Builder) Ports(ports ...string) Builder { b.config.ExposedPorts = set(ports); return b }

// Label adds a label.
func (b Builder) Label(name, value string) Builder {
	labels := map[string]string{name: value}
	for k, v := range b.config.Labels {
		if k != name {
			labels[k] = v
		}
	}
	b.config.Labels = labels
	return b
}

// Config changes anything else of the image config.
func (b Builder) Config(change func(*v1.Config)) Builder {
	b.config = *b.config.DeepCopy()
	change(&b.config)
	return b
}

func set(values []string) map[string]struct{} {
	m := map[string]struct{}{}
	for _, v := range values {
		m[v] = struct{}{}
	}
	return m
}

func (b Builder) failed(err error) Builder {
	b.err = errors.Join(b.err, err)
	return b
}

// Image makes the image.
func (b Builder) Image() (Image, error) {
	if b.err != nil {
		return Image{}, b.err
	}
	img := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	for i, l := range b.layers {
		mt, err := l.MediaType()
		if err != nil {
			return Image{}, fmt.Errorf("make an image: %w", err)
		}
		img, err = mutate.Append(img, mutate.Addendum{Layer: l, MediaType: mt, History: v1.History{
			Created: v1.Time{Time: epoch}, CreatedBy: fmt.Sprintf("layer %d", i+1),
		}})
		if err != nil {
			return Image{}, fmt.Errorf("make an image: %w", err)
		}
	}
	f, err := img.ConfigFile()
	if err != nil {
		return Image{}, fmt.Errorf("make an image: %w", err)
	}
	f = f.DeepCopy()
	f.Created = v1.Time{Time: epoch}
	f.OS, f.Architecture, f.Variant = b.platform.OS, b.platform.Architecture, b.platform.Variant
	f.Config = b.config
	if img, err = mutate.ConfigFile(img, f); err != nil {
		return Image{}, fmt.Errorf("make an image: %w", err)
	}
	return Image{img: img, platform: b.platform}, nil
}
