package imagestore

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/raket/raket/pkg/image"
)

// GCOptions say what GC collects.
type GCOptions struct {
	// Grace is how long an image may be unused before it may be removed; 0
	// lets go of every image that no pod uses.
	Grace time.Duration
	// TargetBytes, where it is not 0, keeps images beyond their grace as long as
	// the store's blobs and trees are no larger than that; those not used
	// for longest go first.
	TargetBytes int64
	// InUse may be nil, where there are no pods.
	InUse InUse
	// DryRun removes nothing, and tells what would be.
	DryRun bool
}

// Collected is what a removal did.
type Collected struct {
	Images []image.Image
	// Blobs and Trees count what nothing needed any more.
	Blobs, Trees int
	// SizeBytes is of the blobs removed, TreeBytes of the files in the trees;
	// the latter is known of GC only.
	SizeBytes, TreeBytes int64
	// Deferred is set where a fetch was under way: blobs and trees were left
	// for the next GC.
	Deferred bool
}

// GC removes images that no pod has used lately, blobs and trees that no image
// needs, and what killed processes left. Read-only stores are not looked at.
func (s *Store) GC(opts GCOptions) (Collected, error) {
	oldest := time.Now().Add(-opts.Grace)
	var freed sizes
	done, err := s.collect(collection{inUse: opts.InUse, dryRun: opts.DryRun, choose: func(all []image.Image, used map[digest.Digest][]string) ([]image.Image, error) {
		old := slices.DeleteFunc(slices.Clone(all), func(i image.Image) bool {
			return len(used[i.ID]) > 0 || i.LastUsed.After(oldest)
		})
		old = withoutNeeded(all, old)
		slices.SortStableFunc(old, func(a, b image.Image) int { return a.LastUsed.Compare(b.LastUsed) })
		w, err := s.weigh(all)
		if err != nil {
			return nil, err
		}
		var gone []image.Image
		for _, img := range old {
			if opts.TargetBytes > 0 && w.total.blobs+w.total.trees <= opts.TargetBytes {
				break
			}
			w.remove(img, &freed)
			gone = append(gone, img)
		}
		freed.blobs += w.orphans.blobs
		freed.trees += w.orphans.trees
		return gone, nil
	}})
	if err == nil && !opts.DryRun {
		err = errors.Join(s.sweepDownloads(oldest), s.sweepRemotes())
	}
	done.TreeBytes = freed.trees
	if opts.DryRun {
		done.SizeBytes = freed.blobs
	}
	if done.Deferred {
		done.SizeBytes, done.TreeBytes = 0, 0
	}
	return done, err
}

type sizes struct{ blobs, trees int64 }

// weights are the sizes of what is in the store, and how many images need each.
type weights struct {
	store          *Store
	blobs, trees   map[string]*weight
	total, orphans sizes
}

type weight struct {
	size  int64
	users int
}

// weigh measures the store's own blobs and trees.
func (s *Store) weigh(all []image.Image) (*weights, error) {
	w := &weights{store: s, blobs: map[string]*weight{}, trees: map[string]*weight{}}
	entries, err := os.ReadDir(s.path("blobs", "sha256"))
	if err != nil {
		return nil, fmt.Errorf("measure blobs: %w", err)
	}
	for _, e := range entries {
		fi, err := e.Info()
		if err != nil {
			continue // gone since
		}
		w.blobs[e.Name()] = &weight{size: fi.Size()}
		w.total.blobs += fi.Size()
	}
	trees, err := s.trees.List()
	if err != nil {
		return nil, err
	}
	for _, name := range trees {
		// A tree whose size is not known is no reason to keep it.
		stats, _ := s.trees.Stats(name)
		w.trees[name] = &weight{size: stats.Bytes}
		w.total.trees += stats.Bytes
	}
	for _, img := range all {
		w.each(img, func(x *weight) { x.users++ }, func(x *weight) { x.users++ })
	}
	seeded := map[string]bool{}
	if err := s.keepForSeeds(seeded); err != nil {
		return nil, err
	}
	for name := range seeded {
		if x := w.trees[name]; x != nil {
			x.users++
		}
	}
	for _, x := range w.blobs {
		if x.users == 0 {
			w.orphans.blobs += x.size
		}
	}
	for _, x := range w.trees {
		if x.users == 0 {
			w.orphans.trees += x.size
		}
	}
	w.total.blobs -= w.orphans.blobs // these go anyway
	w.total.trees -= w.orphans.trees
	return w, nil
}

// each calls for every blob and tree of the store's own that an image has, once.
func (w *weights) each(img image.Image, blob, tree func(*weight)) {
	seen := map[string]bool{}
	visit := func(of map[string]*weight, name string, do func(*weight)) {
		if x := of[name]; x != nil && !seen[name] {
			seen[name] = true
			do(x)
		}
	}
	visit(w.blobs, hexOf(img.ID), blob)
	visit(w.blobs, hexOf(img.Config), blob)
	for _, l := range img.Layers {
		visit(w.blobs, hexOf(l.Digest), blob)
	}
	names, err := w.store.neededTrees(img)
	if err != nil {
		names = treeNames(img)
	}
	for _, name := range names {
		visit(w.trees, name, tree)
	}
}

// remove takes an image's weight off, where no other image has its part.
func (w *weights) remove(img image.Image, freed *sizes) {
	drop := func(total, freed *int64) func(*weight) {
		return func(x *weight) {
			if x.users--; x.users == 0 {
				*total -= x.size
				*freed += x.size
			}
		}
	}
	w.each(img, drop(&w.total.blobs, &freed.blobs), drop(&w.total.trees, &freed.trees))
}
