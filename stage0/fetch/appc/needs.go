package appc

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/appc/spec/schema/types"
	"github.com/opencontainers/go-digest"

	"github.com/raket/raket/pkg/image"
	"github.com/raket/raket/pkg/imagestore"
)

const (
	maxDepth        = 64
	maxDependencies = 128 // in all
)

// dependencies brings what an archive depends on into the store, each with what
// it depends on itself, and returns their IDs, the lowest first (appc spec,
// "Dependency Matching").
func (f *fetcher) dependencies(ctx context.Context, w wish, a *archive) ([]digest.Digest, error) {
	if len(a.needs) == 0 {
		return nil, nil
	}
	self := Name{App: a.app, Labels: a.labels}
	if w.name != nil {
		self = *w.name
	}
	of := append(slices.Clone(w.of), self.key())
	if len(of) > maxDepth {
		return nil, fmt.Errorf("%q: dependencies are more than %d deep", a.app, maxDepth)
	}
	var ids []digest.Digest
	for _, need := range a.needs {
		dep, err := f.wishFor(need, a, of)
		if err != nil {
			return nil, fmt.Errorf("%q depends on %q: %w", a.app, need.ImageName, err)
		}
		img, err := f.dependency(ctx, dep)
		if err != nil {
			return nil, fmt.Errorf("%q depends on %q: %w", a.app, dep.name.String(), err)
		}
		ids = append(ids, img.ID)
	}
	return ids, nil
}

// wishFor reads a dependency as a manifest has it.
func (f *fetcher) wishFor(need types.Dependency, a *archive, of []string) (wish, error) {
	n := newName(string(need.ImageName))
	n.OS, n.Arch = f.OS, appcArch(f.Arch)
	// What goes into the image of another machine is for that one.
	if v := a.labels[labelOS]; v != "" {
		n.OS = v
	}
	if v := a.labels[labelArch]; v != "" {
		n.Arch = v
	}
	if len(need.Labels) > maxLabels || len(n.App) > maxNameBytes {
		return wish{}, errors.New("the name or the labels are too long")
	}
	for _, l := range need.Labels {
		if err := n.setLabel(string(l.Name), l.Value); err != nil {
			return wish{}, err
		}
	}
	w := wish{name: &n, of: of, size: int64(need.Size)}
	if w.size < 0 {
		return wish{}, errors.New("the size is too large")
	}
	if need.ImageID != nil && !need.ImageID.Empty() {
		w.id = need.ImageID.String()
	}
	if at := slices.Index(of, n.key()); at >= 0 && w.id == "" {
		return wish{}, fmt.Errorf("that is a circle: %s", strings.Join(append(slices.Clone(of[at:]), n.key()), " needs "))
	}
	return w, nil
}

// hasID reports that an image has the ID that was asked for, if one was.
func (w *wish) hasID(img image.Image) bool { return strings.HasPrefix(img.AppcID, w.id) }

// dependency finds one image: by its ID in the store, or by its name there or on
// its site.
func (f *fetcher) dependency(ctx context.Context, w wish) (image.Image, error) {
	key := w.name.key() + " " + w.id
	if img, ok := f.done[key]; ok {
		return img, nil
	}
	if len(f.done) >= maxDependencies {
		return image.Image{}, fmt.Errorf("more than %d dependencies", maxDependencies)
	}
	img, err := f.byID(ctx, w)
	if errors.Is(err, imagestore.ErrNotFound) {
		img, err = f.name(ctx, w)
	}
	if err != nil {
		return image.Image{}, err
	}
	if !w.hasID(img) {
		return image.Image{}, fmt.Errorf("the image has ID %s, not %s", img.AppcID, w.id)
	}
	f.done[key] = img
	// It may not be collected for lack of use before what needs it is there.
	return img, f.Store.Touch(img)
}

// byID finds an image with the ID that a dependency gives, whose name and labels
// must be right all the same.
func (f *fetcher) byID(ctx context.Context, w wish) (image.Image, error) {
	if w.id == "" {
		return image.Image{}, imagestore.ErrNotFound
	}
	img, err := f.Store.Lookup(image.Ref{Transport: image.ByID, ID: w.id})
	if err != nil {
		return image.Image{}, err
	}
	manifest, err := f.Store.Config(ctx, img)
	if err != nil {
		return image.Image{}, err
	}
	if !w.name.Matches(img, manifest) || !f.accepts(img) {
		return image.Image{}, imagestore.ErrNotFound
	}
	return img, nil
}
