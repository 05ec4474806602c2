package fetch

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/opencontainers/go-digest"

	"github.com/raket/raket/pkg/image"
	"github.com/raket/raket/pkg/imagestore"
	"github.com/raket/raket/pkg/progress"
	"github.com/raket/raket/stage0/fetch/file"
	"github.com/raket/raket/stage0/fetch/registry"
)

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

// distruster is a source with several places to ask: told that a blob was wrong,
// it reports whether to ask again.
type distruster interface {
	Distrust(d digest.Digest) bool
}

// tailReader is a source that can begin in the middle of a blob.
type tailReader interface {
	BlobFrom(ctx context.Context, d digest.Digest, offset int64) (io.ReadCloser, error)
}

func fetchOCI(ctx context.Context, ref image.Ref, p platform, opts Options) (img image.Image, err error) {
	// Held until the image is committed: no blob vanishes meanwhile.
	lock, err := opts.Store.FetchLock()
	if err != nil {
		return image.Image{}, err
	}
	defer func() { err = errors.Join(err, lock.Close()) }()
	if err := opts.Store.SweepLeftovers(); err != nil {
		return image.Image{}, err
	}
	opts.note(progress.Resolving, "")
	src, err := open(ctx, ref, opts)
	if err != nil {
		return image.Image{}, err
	}
	defer func() { err = errors.Join(err, src.Close()) }()
	v, err := resolve(ctx, ref, p, src, opts)
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
		return openRegistry(ctx, ref, opts)
	case image.OCILayout:
		return file.OpenLayout(ref)
	case image.OCIArchive:
		return file.OpenArchive(ctx, ref)
	case image.DockerArchive:
		return file.OpenDocker(ctx, ref)
	}
	return nil, fmt.Errorf("nothing fetches %q", ref)
}

func openRegistry(ctx context.Context, ref image.Ref, opts Options) (source, error) {
	reg, err := opts.Host.registries()
	if err != nil {
		return nil, err
	}
	endpoints, err := reg.Endpoints(ref)
	if err != nil {
		return nil, err
	}
	return registry.Open(ctx, ref, registry.Options{
		Endpoints: endpoints, Credentials: opts.Host.Credentials, Warn: func(line string) { opts.note(progress.Warning, line) },
		Retry:        registry.Retry{Tell: func(line string) { opts.note(progress.Retry, line) }},
		InsecureHTTP: opts.Insecure.HTTP, InsecureTLS: opts.Insecure.TLS,
	})
}

// addLayers brings the layers into the store, with a bar for each one that is
// not there.
func addLayers(ctx context.Context, v image.Verified, src source, opts Options) error {
	return opts.Store.AddLayers(ctx, v, func(l image.VerifiedLayer) imagestore.LayerSource {
		desc := l.Layer()
		var bar *progress.Bar
		show := func(r io.ReadCloser, err error) (io.ReadCloser, error) {
			if err == nil {
				bar = opts.Progress.Start(desc.Digest.String(), desc.SizeBytes)
			}
			return r, err
		}
		s := imagestore.LayerSource{
			Limits:  opts.Limits,
			Open:    func(ctx context.Context) (io.ReadCloser, error) { return show(src.Blob(ctx, desc.Digest)) },
			OnBytes: func(n int) { bar.Add(n) },
			OnDone:  func(ok bool) { bar.Done(ok) },
		}
		if tail, ok := src.(tailReader); ok {
			s.OpenFrom = func(ctx context.Context, offset int64) (io.ReadCloser, error) {
				return show(tail.BlobFrom(ctx, desc.Digest, offset))
			}
		}
		if many, ok := src.(distruster); ok {
			s.Distrust = func() bool { return many.Distrust(desc.Digest) }
		}
		return s
	})
}
