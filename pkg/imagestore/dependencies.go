package imagestore

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/opencontainers/go-digest"

	"github.com/raket/raket/pkg/flock"
	"github.com/raket/raket/pkg/image"
	"github.com/raket/raket/pkg/tree"
)

// maxStacked bounds how often images may appear in one stack: an image may be
// a dependency on many ways, each with other whitelists.
const maxStacked = 256

// Closure returns the image and all that it depends on, each once, the image
// first. The error wraps ErrNotFound where one is missing.
func (s *Store) Closure(img image.Image) ([]image.Image, error) {
	if len(img.Dependencies) == 0 {
		return []image.Image{img}, nil
	}
	all, err := s.List()
	if err != nil {
		return nil, err
	}
	return closure(img, byImageID(all))
}

func byImageID(all []image.Image) map[digest.Digest]image.Image {
	m := make(map[digest.Digest]image.Image, len(all))
	for _, i := range all {
		m[i.ID] = i
	}
	return m
}

func closure(img image.Image, all map[digest.Digest]image.Image) ([]image.Image, error) {
	found := []image.Image{img}
	seen := map[digest.Digest]bool{img.ID: true}
	for at := 0; at < len(found); at++ {
		for _, id := range found[at].Dependencies {
			if seen[id] {
				continue
			}
			seen[id] = true
			dep, ok := all[id]
			if !ok {
				return nil, fmt.Errorf("image %s depends on %s: %w", image.ShortID(found[at]), id, ErrNotFound)
			}
			found = append(found, dep)
		}
	}
	return found, nil
}

// stacking is how an image's trees are put together (appc spec, "Filesystem
// Setup").
type stacking struct {
	names []string // of trees to stack, bottom first
	// parts, the topmost first, make the one tree of names where there are
	// whitelists.
	parts []tree.Part
}

// stackingOf needs the records of the image's dependencies.
func (s *Store) stackingOf(img image.Image, all map[digest.Digest]image.Image) (stacking, error) {
	if len(img.Dependencies) == 0 && !img.Whitelisted {
		return stacking{names: treeNames(img)}, nil
	}
	w := &stackWalk{store: s, all: all, seen: map[string]bool{}, lists: map[digest.Digest]whitelist{}}
	if err := w.add(img, nil); err != nil {
		return stacking{}, err
	}
	if !w.filtered {
		var names []string
		for _, p := range slices.Backward(w.parts) {
			names = append(names, p.Name)
		}
		return stacking{names: names}, nil
	}
	sum := sha256.New()
	for _, key := range w.keys {
		fmt.Fprintf(sum, "%s\n", key)
	}
	return stacking{names: []string{tree.RenderPrefix + hex.EncodeToString(sum.Sum(nil))}, parts: w.parts}, nil
}

// stackWalk goes through an image and its dependencies, the topmost first.
type stackWalk struct {
	store    *Store
	all      map[digest.Digest]image.Image
	lists    map[digest.Digest]whitelist
	parts    []tree.Part
	keys     []string // of parts: tree and whitelists
	seen     map[string]bool
	filtered bool
}

// whitelist is a pathWhitelist; its ID is the digest of its paths in order.
type whitelist struct {
	paths tree.PathSet
	id    string
}

func (w *stackWalk) add(img image.Image, above []whitelist) error {
	own, err := w.whitelist(img)
	if err != nil {
		return err
	}
	part := tree.Part{Own: own.paths}
	key := own.id
	for _, l := range above {
		part.Above = append(part.Above, l.paths)
		key += " " + l.id
	}
	// What is above under the same whitelists hides all of it, and all below.
	if w.seen[img.ID.String()+" "+key] {
		return nil
	}
	w.seen[img.ID.String()+" "+key] = true
	for _, name := range slices.Backward(treeNames(img)) {
		part.Name = name
		w.parts, w.keys = append(w.parts, part), append(w.keys, name+" "+key)
	}
	if len(w.parts) > maxStacked {
		return fmt.Errorf("image %s and what it depends on are more than %d trees", image.ShortID(img), maxStacked)
	}
	if own.paths != nil && !slices.ContainsFunc(above, func(l whitelist) bool { return l.id == own.id }) {
		above = append(slices.Clone(above), own)
		slices.SortFunc(above, func(a, b whitelist) int { return strings.Compare(a.id, b.id) })
	}
	for _, id := range slices.Backward(img.Dependencies) {
		dep, ok := w.all[id]
		if !ok {
			return fmt.Errorf("image %s depends on %s: %w", image.ShortID(img), id, ErrNotFound)
		}
		if err := w.add(dep, above); err != nil {
			return err
		}
	}
	return nil
}

func (w *stackWalk) whitelist(img image.Image) (whitelist, error) {
	if !img.Whitelisted {
		return whitelist{}, nil
	}
	if l, ok := w.lists[img.ID]; ok {
		return l, nil
	}
	config, err := w.store.Config(context.Background(), img)
	if err != nil {
		return whitelist{}, err
	}
	var doc struct {
		PathWhitelist []string `json:"pathWhitelist"`
	}
	if err := json.Unmarshal(config, &doc); err != nil {
		return whitelist{}, fmt.Errorf("parse appc image manifest: %w", err)
	}
	l := whitelist{paths: tree.NewPathSet(doc.PathWhitelist)}
	raw, err := json.Marshal(slices.Sorted(maps.Keys(l.paths)))
	if err != nil {
		return whitelist{}, err
	}
	l.id = image.Sum(raw).Encoded()
	w.lists[img.ID], w.filtered = l, true
	return l, nil
}

// records is what stackingOf needs for the image.
func (s *Store) recordsFor(img image.Image) (map[digest.Digest]image.Image, error) {
	if len(img.Dependencies) == 0 {
		return nil, nil
	}
	all, err := s.load()
	return byImageID(all), err
}

// stack makes what lies over the trees of an image, which are there, and returns
// the directories, the topmost first.
func (s *Store) stack(ctx context.Context, img image.Image) ([]string, error) {
	all, err := s.recordsFor(img)
	if err != nil {
		return nil, err
	}
	st, err := s.stackingOf(img, all)
	if err != nil {
		return nil, err
	}
	if st.parts != nil {
		s.step("merge trees")
		if err := s.trees.Merge(ctx, st.names[0], st.parts); err != nil {
			return nil, err
		}
	}
	return s.trees.Stack(ctx, st.names)
}

// stackTrees is all trees that an image needs, given the records of its
// dependencies.
func (s *Store) stackTrees(img image.Image, all map[digest.Digest]image.Image) ([]string, error) {
	st, err := s.stackingOf(img, all)
	if err != nil {
		return nil, err
	}
	return append(s.trees.StackNames(st.names), treeNames(img)...), nil
}

// neededTrees is stackTrees that finds the records itself.
func (s *Store) neededTrees(img image.Image) ([]string, error) {
	all, err := s.recordsFor(img)
	if err != nil {
		return nil, err
	}
	return s.stackTrees(img, all)
}

// copyInto is UnpackInto for an image with dependencies or a whitelist.
func (s *Store) copyInto(ctx context.Context, dir string, img image.Image) error {
	if err := s.unpackAll(ctx, img); err != nil {
		return err
	}
	all, err := s.recordsFor(img)
	if err != nil {
		return err
	}
	st, err := s.stackingOf(img, all)
	if err != nil {
		return err
	}
	if st.parts == nil {
		for _, name := range slices.Backward(st.names) {
			st.parts = append(st.parts, tree.Part{Name: name})
		}
	}
	return s.trees.CopyMerged(ctx, dir, st.parts)
}

// unpackAll makes the trees that an image or its dependencies lack.
func (s *Store) unpackAll(ctx context.Context, img image.Image) error {
	images, err := s.Closure(img)
	if err != nil {
		return err
	}
	for _, i := range images {
		missing := slices.ContainsFunc(i.Layers, func(l image.Layer) bool {
			return !s.trees.Has(tree.Name(i.Kind, l.DiffID))
		})
		if !missing {
			continue
		}
		if err := s.unpackMissing(ctx, i); err != nil {
			return err
		}
	}
	return nil
}

// holdDependencies keeps an image's dependencies in the store until the lock is
// closed, which the image's own appearance must precede; nil where it has none.
func (s *Store) holdDependencies(img image.Image) (*flock.Lock, error) {
	if len(img.Dependencies) == 0 {
		return nil, nil
	}
	l, err := s.RLock()
	if err != nil {
		return nil, err
	}
	if _, err := s.Closure(img); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

// withoutNeeded takes out of chosen what images that stay depend on.
func withoutNeeded(all, chosen []image.Image) []image.Image {
	gone := byImageID(chosen)
	if len(gone) == 0 {
		return chosen
	}
	known := byImageID(all)
	var keep func(img image.Image)
	keep = func(img image.Image) {
		for _, id := range img.Dependencies {
			if dep, ok := gone[id]; ok {
				delete(gone, id)
				keep(dep)
			}
		}
	}
	for id, img := range known {
		if _, going := gone[id]; !going {
			keep(img)
		}
	}
	return slices.DeleteFunc(slices.Clone(chosen), func(i image.Image) bool {
		_, going := gone[i.ID]
		return !going
	})
}

// checkNeeded refuses to remove what another image depends on.
func checkNeeded(all []image.Image, img image.Image) error {
	for _, other := range all {
		if slices.Contains(other.Dependencies, img.ID) {
			return fmt.Errorf("%w: image %s (%s) depends on it", ErrInUse, image.ShortID(other), other.Name())
		}
	}
	return nil
}
