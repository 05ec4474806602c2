package cli

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"

	"github.com/opencontainers/go-digest"

	"github.com/raket/raket/pkg/image"
	"github.com/raket/raket/pkg/imagestore"
	podpkg "github.com/raket/raket/pkg/pod"
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
	store, err := imagestore.OpenWith(dir, imagestore.Options{Seeds: seeds(s, dir)})
	if err != nil {
		return nil, err
	}
	return &realImages{s, store}, nil
}

func (r *realImages) List(context.Context) ([]image.Image, error) { return r.store.List() }

// seeds are the stores that came with the host. Where one is being made, as
// ROOT/usr/lib/raket/store, it must be whole by itself, and takes nothing from
// those of the host it is made on.
func seeds(s settings, dataDir string) []string {
	if s.ConfigDirs.System == "" {
		return nil
	}
	list := []string{filepath.Join(s.ConfigDirs.System, seedDir)}
	for _, seed := range list {
		if abs, err := filepath.Abs(seed); err == nil && strings.HasSuffix(dataDir, abs) {
			return nil
		}
	}
	return list
}

// seedDir is below the vendor's configuration.
const seedDir = "store"

func (r *realImages) Find(_ context.Context, name string) (image.Image, error) {
	img, _, err := r.find(name)
	return img, err
}

// find returns the name, in full, that led to an image too; "" for an ID.
func (r *realImages) find(name string) (image.Image, string, error) {
	ref, err := image.Parse(name)
	if err != nil {
		return image.Image{}, "", err
	}
	wd, err := os.Getwd()
	if err != nil {
		return image.Image{}, "", err
	}
	img, full, err := r.store.Find(ref.Abs(wd))
	if errors.Is(err, imagestore.ErrNotFound) || errors.Is(err, imagestore.ErrAmbiguous) {
		err = &fault{err: err, hint: "raket image list"}
	}
	return img, full, err
}

func (r *realImages) Config(ctx context.Context, img image.Image) ([]byte, error) {
	return r.store.Config(ctx, img)
}

func (r *realImages) Place(img image.Image) string { return r.store.Seed(img) }

func (r *realImages) Remove(_ context.Context, name string, whole bool) (removedImage, error) {
	img, full, err := r.find(name)
	if err != nil {
		return removedImage{}, err
	}
	done := removedImage{Image: img}
	if full == "" || whole {
		return done, r.store.Remove(img, r.inUse)
	}
	gone, err := r.store.RemoveName(full, r.inUse)
	if !gone {
		done.Name = full
	}
	return done, err
}

func (r *realImages) Collect(_ context.Context, q collectImages) (collectedImages, error) {
	c, err := r.store.GC(imagestore.GCOptions{Grace: q.Grace, TargetBytes: q.TargetBytes, DryRun: q.DryRun, InUse: r.inUse})
	return collectedImages{Images: c.Images, FreedBytes: c.SizeBytes + c.TreeBytes, Deferred: c.Deferred}, err
}

func (r *realImages) Verify(ctx context.Context, img image.Image, repair bool) (verifiedImage, error) {
	c, err := r.store.Check(ctx, img, imagestore.CheckOptions{Repair: repair, Running: r.running})
	v := verifiedImage{Repaired: c.Repaired, Unchecked: c.Unchecked, Whole: len(c.Unrepaired()) == 0}
	for _, d := range c.Differences {
		v.Differences = append(v.Differences, d.String())
	}
	return v, err
}

// running is inUse of pods that have processes.
func (r *realImages) running() (map[digest.Digest][]string, error) {
	return r.usedBy(func(p *podpkg.Pod) bool { return p.State == podpkg.Running })
}

// inUse tells which pods use each image. A pod that cannot be read keeps
// nothing: it can only be collected.
func (r *realImages) inUse() (map[digest.Digest][]string, error) {
	return r.usedBy(func(*podpkg.Pod) bool { return true })
}

func (r *realImages) usedBy(counts func(*podpkg.Pod) bool) (map[digest.Digest][]string, error) {
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
		if err != nil || !counts(p) {
			continue
		}
		apps := s.Apps
		if s.Change != nil {
			apps = append(apps[:len(apps):len(apps)], s.Change.App)
		}
		for _, a := range apps {
			id := digest.Digest(a.ImageID)
			if n := len(use[id]); n == 0 || use[id][n-1] != s.UUID {
				use[id] = append(use[id], s.UUID)
			}
		}
	}
	return use, nil
}
