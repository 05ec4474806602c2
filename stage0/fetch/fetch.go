package fetch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"

	"github.com/opencontainers/go-digest"

	"github.com/raket/raket/pkg/image"
	"github.com/raket/raket/pkg/imagestore"
	"github.com/raket/raket/pkg/layer"
	"github.com/raket/raket/pkg/progress"
	"github.com/raket/raket/stage0/fetch/appc"
	"github.com/raket/raket/stage0/fetch/file"
	"github.com/raket/raket/stage0/fetch/registry"
)

// PullPolicy says when a source is asked for an image.
type PullPolicy string

// The pull policies. A file is read again under New too: that costs no
// network, and files change under their names.
const (
	Never  PullPolicy = "never"  // the store alone
	New    PullPolicy = "new"    // where the store does not have the name
	Update PullPolicy = "update" // always
)

// Options say what to fetch and how.
type Options struct {
	Store *imagestore.Store
	// Name is a reference as image.Parse reads it.
	Name string
	// PullPolicy is New by default.
	PullPolicy PullPolicy
	// InsecureHTTP allows registries without TLS. Those on loopback
	// addresses are always allowed.
	InsecureHTTP bool
	// Platform is "OS/ARCH[/VARIANT]" in Go's words; this machine's by default.
	Platform string
	// Progress may be nil. It is not closed.
	Progress *progress.Display
	Limits   layer.Limits
}

// source is where an image comes from.
type source interface {
	// Manifest returns a manifest or index: the one of the name for an
	// empty digest.
	Manifest(ctx context.Context, d digest.Digest) ([]byte, error)
	// Blob begins to read a blob.
	Blob(ctx context.Context, d digest.Digest) (io.ReadCloser, error)
	// Names are bare names that the source itself gives the image.
	Names() []string
	Close() error
}

// Fetch brings the image into the store, unless the pull policy finds it
// there, and returns it. Concurrent fetches share work. The error is one line;
// nothing is left visible of a fetch that fails. It wraps
// imagestore.ErrNotFound where only the store was asked, in vain.
func Fetch(ctx context.Context, opts Options) (image.Image, error) {
	ref, err := image.Parse(opts.Name)
	if err != nil {
		return image.Image{}, err
	}
	wd, err := os.Getwd()
	if err != nil {
		return image.Image{}, fmt.Errorf("find working directory: %w", err)
	}
	ref = ref.Abs(wd)
	platform, err := parsePlatform(opts.Platform)
	if err != nil {
		return image.Image{}, err
	}
	switch opts.PullPolicy {
	case "":
		opts.PullPolicy = New
	case Never, New, Update:
	default:
		return image.Image{}, fmt.Errorf("unknown pull policy %q: want never, new or update", opts.PullPolicy)
	}
	if ref.InStore() || opts.PullPolicy == Never {
		return opts.Store.Lookup(ref)
	}
	if opts.PullPolicy == New && ref.Transport == image.Docker {
		img, err := opts.Store.Lookup(ref)
		if err == nil && platform.matches(img.OS, img.Arch) {
			return img, nil
		}
		if err != nil && !errors.Is(err, imagestore.ErrNotFound) {
			return image.Image{}, err
		}
	}
	return fetchFrom(ctx, ref, platform, opts)
}

func fetchFrom(ctx context.Context, ref image.Ref, p platform, opts Options) (img image.Image, err error) {
	// Held until the image is committed: no blob vanishes meanwhile.
	lock, err := opts.Store.FetchLock()
	if err != nil {
		return image.Image{}, err
	}
	defer func() { err = errors.Join(err, lock.Close()) }()
	if err := opts.Store.SweepLeftovers(); err != nil {
		return image.Image{}, err
	}
	if ref.Transport == image.ACIFile {
		return fetchACI(ctx, ref, p, opts)
	}
	src, err := open(ctx, ref, opts)
	if err != nil {
		return image.Image{}, err
	}
	defer func() { err = errors.Join(err, src.Close()) }()
	v, err := resolve(ctx, ref, p, src, opts.Store)
	if err != nil {
		return image.Image{}, err
	}
	if err := addLayers(ctx, v, src, opts); err != nil {
		return image.Image{}, err
	}
	return opts.Store.Commit(ctx, v, ref, append([]string{ref.String()}, src.Names()...))
}

func open(ctx context.Context, ref image.Ref, opts Options) (source, error) {
	switch ref.Transport {
	case image.Docker:
		return registry.Open(ctx, ref, registry.Options{InsecureHTTP: opts.InsecureHTTP})
	case image.OCILayout:
		return file.OpenLayout(ref)
	case image.OCIArchive:
		return file.OpenArchive(ctx, ref)
	case image.DockerArchive:
		return file.OpenDocker(ctx, ref)
	}
	return nil, fmt.Errorf("nothing fetches %q", ref)
}

// addLayers brings the layers into the store, with a bar for each one that is
// not there.
func addLayers(ctx context.Context, v image.Verified, src source, opts Options) error {
	return opts.Store.AddLayers(ctx, v, func(l image.VerifiedLayer) imagestore.LayerSource {
		desc := l.Layer()
		var bar *progress.Bar
		return imagestore.LayerSource{
			Limits: opts.Limits,
			Open: func(ctx context.Context) (io.ReadCloser, error) {
				r, err := src.Blob(ctx, desc.Digest)
				if err == nil {
					bar = opts.Progress.Start(shortDigest(desc.Digest), desc.SizeBytes)
				}
				return r, err
			},
			OnBytes: func(n int) { bar.Add(n) },
			OnDone:  func(ok bool) { bar.Done(ok) },
		}
	})
}

func shortDigest(d digest.Digest) string { return string(d[:min(len(d), len("sha256:")+12)]) }

func fetchACI(ctx context.Context, ref image.Ref, p platform, opts Options) (image.Image, error) {
	aci, err := appc.Read(ctx, ref.Path, opts.Limits.MaxBytes)
	if err != nil {
		return image.Image{}, err
	}
	if img := aci.Image.Image(); !p.matches(img.OS, img.Arch) {
		return image.Image{}, fmt.Errorf("%q is for %s/%s, not for %s", ref.Path, img.OS, img.Arch, p)
	}
	err = opts.Store.AddLayers(ctx, aci.Image, func(l image.VerifiedLayer) imagestore.LayerSource {
		var bar *progress.Bar
		return imagestore.LayerSource{
			Limits: opts.Limits,
			Open: func(context.Context) (io.ReadCloser, error) {
				f, err := os.Open(ref.Path)
				if err == nil {
					bar = opts.Progress.Start(shortDigest(l.Layer().Digest), l.Layer().SizeBytes)
				}
				return f, err
			},
			OnBytes: func(n int) { bar.Add(n) },
			OnDone:  func(ok bool) { bar.Done(ok) },
		}
	})
	if err != nil {
		return image.Image{}, err
	}
	return opts.Store.Commit(ctx, aci.Image, ref, []string{ref.String()})
}

// hostPlatform is what images run on here.
func hostPlatform() platform { return platform{os: "linux", arch: runtime.GOARCH} }
