package cli

import (
	"context"
	"errors"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/raket/raket/pkg/image"
	"github.com/raket/raket/pkg/imagestore"
	podpkg "github.com/raket/raket/pkg/pod"
	"github.com/raket/raket/pkg/progress"
	"github.com/raket/raket/stage0/fetch"
)

// realImages are the images of the host.
type realImages struct {
	settings
	store *imagestore.Store
}

func openImages(s settings) (*realImages, error) {
	dir, err := absDataDir(s)
	if err != nil {
		return nil, err
	}
	store, err := imagestore.Open(dir)
	if err != nil {
		return nil, err
	}
	return &realImages{s, store}, nil
}

func (r *realImages) Fetch(ctx context.Context, q fetchRequest) (image.Image, error) {
	o := fetch.Options{
		Store: r.store, Name: q.Name, PullPolicy: fetch.PullPolicy(q.PullPolicy), InsecureHTTP: r.Insecure.has(insecureHTTP),
	}
	if !q.Quiet {
		o.Progress = progress.New(r.Stderr)
		defer o.Progress.Close()
	}
	return fetch.Fetch(ctx, o)
}

func (r *realImages) List(context.Context) ([]image.Image, error) { return r.store.List() }

func (r *realImages) Find(_ context.Context, name string) (image.Image, error) {
	ref, err := image.Parse(name)
	if err != nil {
		return image.Image{}, err
	}
	img, err := r.store.Lookup(ref)
	if errors.Is(err, imagestore.ErrNotFound) || errors.Is(err, imagestore.ErrAmbiguous) {
		return image.Image{}, &fault{err: err, hint: "raket image list"}
	}
	return img, err
}

func (r *realImages) Config(ctx context.Context, img image.Image) ([]byte, error) {
	return r.store.Config(ctx, img)
}

func (r *realImages) Remover() imageRemover { return r }

func (r *realImages) Remove(_ context.Context, img image.Image) error {
	return r.store.Remove(img, r.inUse)
}

func (r *realImages) Collect(_ context.Context, grace time.Duration) ([]image.Image, error) {
	c, err := r.store.GC(imagestore.GCOptions{Grace: grace, InUse: r.inUse})
	return c.Images, err
}

// inUse tells which pods use each image. A pod that cannot be read keeps
// nothing: it can only be collected.
func (r *realImages) inUse() (map[digest.Digest][]string, error) {
	pods, err := podpkg.Open(r.DataDir)
	if err != nil {
		return nil, err
	}
	list, err := pods.List()
	if err != nil {
		return nil, err
	}
	use := map[digest.Digest][]string{}
	for _, p := range list {
		s, err := p.Sandbox()
		if err != nil {
			continue
		}
		for _, a := range s.Apps {
			id := digest.Digest(a.ImageID)
			if n := len(use[id]); n == 0 || use[id][n-1] != s.UUID {
				use[id] = append(use[id], s.UUID)
			}
		}
	}
	return use, nil
}
