package cli

import (
	"context"
	"errors"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/raket/raket/pkg/image"
	"github.com/raket/raket/pkg/imagestore"
)

// realServices binds the verbs to the parts that do their work. A nil service
// is one that there is nothing for.
func realServices() services {
	return services{images: openImages, pods: openPods}
}

// storedImages is an imageStore of package imagestore.
type storedImages struct {
	store   *imagestore.Store
	dataDir string
}

func openImages(s settings) (imageStore, error) {
	store, err := imagestore.Open(s.DataDir)
	if err != nil {
		return nil, err
	}
	return storedImages{store: store, dataDir: s.DataDir}, nil
}

func (s storedImages) List(context.Context) ([]image.Image, error) { return s.store.List() }

func (s storedImages) Find(_ context.Context, name string) (image.Image, error) {
	ref, err := image.Parse(name)
	if err != nil {
		return image.Image{}, err
	}
	img, err := s.store.Lookup(ref)
	if errors.Is(err, imagestore.ErrNotFound) {
		return image.Image{}, &fault{err: err, hint: "raket image list"}
	}
	return img, err
}

func (s storedImages) Config(ctx context.Context, img image.Image) ([]byte, error) {
	return s.store.Config(ctx, img)
}

func (s storedImages) Remover() imageRemover { return s }

func (s storedImages) Remove(_ context.Context, img image.Image) error {
	return s.store.Remove(img, s.inUse)
}

func (s storedImages) Collect(_ context.Context, grace time.Duration) ([]image.Image, error) {
	done, err := s.store.GC(imagestore.GCOptions{Grace: grace, InUse: s.inUse})
	return done.Images, err
}

func (s storedImages) inUse() (map[digest.Digest][]string, error) { return podsUsing(s.dataDir) }
