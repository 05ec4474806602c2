package imagestore

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/raket/raket/pkg/atomicfile"
	"github.com/raket/raket/pkg/flock"
	"github.com/raket/raket/pkg/image"
)

// InUse tells which pods (their UUIDs) use each image, by image ID. It is called
// while no pod can begin to use one.
type InUse func() (map[digest.Digest][]string, error)

// Remove removes an image, under all its names, and what only it needed. The
// error wraps ErrInUse, naming the pods, where pods use it. It waits for
// pods that are being prepared. A nil inUse means none is in use.
func (s *Store) Remove(img image.Image, inUse InUse) error {
	_, err := s.collect(inUse, func(all []image.Image, used map[digest.Digest][]string) ([]image.Image, error) {
		if pods := used[img.ID]; len(pods) > 0 {
			return nil, fmt.Errorf("remove image %s: %w by pod %s", image.ShortID(img), ErrInUse, strings.Join(pods, ", "))
		}
		if !slices.ContainsFunc(all, func(i image.Image) bool { return i.ID == img.ID }) {
			return nil, fmt.Errorf("remove image %s: %w", image.ShortID(img), ErrNotFound)
		}
		return []image.Image{img}, nil
	})
	return err
}

// GCOptions say what GC collects.
type GCOptions struct {
	// Grace is how long an image may be unused before it is removed; 0
	// removes every image that no pod uses.
	Grace time.Duration
	// InUse may be nil, where there are no pods.
	InUse InUse
}

// Collected is what a removal did.
type Collected struct {
	Images []image.Image
	// Blobs and Trees count what nothing needed any more.
	Blobs, Trees int
	// SizeBytes is of the blobs removed.
	SizeBytes int64
	// Deferred is set where a fetch was under way: blobs and trees were left
	// for the next GC.
	Deferred bool
}

// GC removes images that no pod has used lately, blobs and trees that no image
// needs, and what killed processes left.
func (s *Store) GC(opts GCOptions) (Collected, error) {
	oldest := time.Now().Add(-opts.Grace)
	return s.collect(opts.InUse, func(all []image.Image, used map[digest.Digest][]string) ([]image.Image, error) {
		return slices.DeleteFunc(slices.Clone(all), func(i image.Image) bool {
			return len(used[i.ID]) > 0 || i.LastUsed.After(oldest)
		}), nil
	})
}

type chooser func(all []image.Image, used map[digest.Digest][]string) ([]image.Image, error)

// collect removes the images chosen, then what nothing refers to. Large removals
// happen after the locks are gone.
func (s *Store) collect(inUse InUse, choose chooser) (Collected, error) {
	done, err := s.collectLocked(inUse, choose)
	if err != nil {
		return done, err
	}
	return done, s.SweepLeftovers()
}

func (s *Store) collectLocked(inUse InUse, choose chooser) (done Collected, err error) {
	fetch, err := flock.Create(s.path("fetch.lock"))
	if err != nil {
		return done, err
	}
	defer func() { err = errors.Join(err, fetch.Close()) }()
	noFetch, err := fetch.TryExclusive()
	if err != nil {
		return done, err
	}
	done.Deferred = !noFetch
	l, err := s.lock("lock", (*flock.Lock).Exclusive)
	if err != nil {
		return done, err
	}
	defer func() { err = errors.Join(err, l.Close()) }()

	used := map[digest.Digest][]string{}
	if inUse != nil {
		if used, err = inUse(); err != nil {
			return done, fmt.Errorf("find images in use: %w", err)
		}
	}
	all, err := s.List()
	if err != nil {
		return done, err
	}
	if done.Images, err = choose(all, used); err != nil {
		return done, err
	}
	gone := map[digest.Digest]bool{}
	for _, img := range done.Images {
		gone[img.ID] = true
	}
	if err := s.forget(gone); err != nil {
		return done, err
	}
	if !noFetch {
		return done, nil
	}
	kept := slices.DeleteFunc(all, func(i image.Image) bool { return gone[i.ID] })
	return done, s.dropUnreferenced(kept, &done)
}

// forget takes images out of the index, then removes records without an entry.
func (s *Store) forget(gone map[digest.Digest]bool) error {
	return s.changeIndex(func(idx *index) (bool, error) {
		before := len(idx.Manifests)
		idx.Manifests = slices.DeleteFunc(idx.Manifests, func(e indexEntry) bool { return gone[e.Digest] })
		return len(idx.Manifests) != before, nil
	})
}

// dropUnreferenced removes records, blobs and trees that none of the images
// needs. Nobody fetches or prepares meanwhile.
func (s *Store) dropUnreferenced(kept []image.Image, done *Collected) error {
	records, blobs, trees := map[string]bool{listCache: true}, map[string]bool{}, map[string]bool{}
	for _, img := range kept {
		records[hexOf(img.ID)+".json"] = true
		blobs[hexOf(img.ID)], blobs[hexOf(img.Config)] = true, true
		for _, l := range img.Layers {
			blobs[hexOf(l.Digest)] = true
		}
		for _, name := range s.trees.StackNames(treeNames(img)) {
			trees[name] = true
		}
	}
	s.step("remove records")
	if _, _, err := removeOthers(s.path("records"), records); err != nil {
		return err
	}
	s.step("remove blobs")
	var err error
	if done.Blobs, done.SizeBytes, err = removeOthers(s.path("blobs", "sha256"), blobs); err != nil {
		return err
	}
	// Of an index.json that was never finished.
	tmp, err := filepath.Glob(s.path(atomicfile.TempPrefix + "*"))
	if err != nil {
		return err
	}
	for _, path := range tmp {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("collect: %w", err)
		}
	}
	s.step("hide trees")
	done.Trees, err = s.trees.Hide(trees)
	return err
}

// removeOthers removes the files of dir that are not in keep.
func removeOthers(dir string, keep map[string]bool) (n int, size int64, err error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return 0, 0, fmt.Errorf("collect: %w", err)
	}
	for _, e := range entries {
		if keep[e.Name()] {
			continue
		}
		if fi, err := e.Info(); err == nil {
			size += fi.Size()
		}
		if err := os.Remove(filepath.Join(dir, e.Name())); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return n, size, fmt.Errorf("collect: %w", err)
		}
		n++
	}
	return n, size, nil
}
