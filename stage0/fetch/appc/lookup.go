package appc

import (
	"context"
	"slices"
	"strings"

	"github.com/raket/raket/pkg/image"
	"github.com/raket/raket/pkg/imagestore"
)

// Lookup finds the image in the store that a name means: the one asked for
// without a version last, where there is no version in the name, and else the
// newest of those with all its labels. The error wraps imagestore.ErrNotFound.
func Lookup(ctx context.Context, store *imagestore.Store, n Name) (image.Image, error) {
	found, err := matching(ctx, store, n)
	if err != nil {
		return image.Image{}, err
	}
	if len(found) == 0 {
		return image.Image{}, imagestore.ErrNotFound
	}
	return found[0], nil
}

// matching lists the images of a name, the best first.
func matching(ctx context.Context, store *imagestore.Store, n Name) ([]image.Image, error) {
	all, err := store.List()
	if err != nil {
		return nil, err
	}
	var found []image.Image
	for _, img := range slices.Backward(all) { // by time of import
		if !n.mayBe(img) {
			continue
		}
		manifest, err := store.Config(ctx, img)
		if err != nil {
			return nil, err
		}
		if n.Matches(img, manifest) {
			found = append(found, img)
		}
	}
	if n.Labels[labelVersion] == "" {
		latest := bareName(n.App, "latest")
		slices.SortStableFunc(found, func(a, b image.Image) int {
			return -strings.Compare(mark(a, latest), mark(b, latest))
		})
	}
	return found, nil
}

func mark(img image.Image, name string) string {
	if slices.Contains(img.Names, name) {
		return name
	}
	return ""
}
