package imagestore

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/opencontainers/go-digest"

	"github.com/raket/raket/pkg/atomicfile"
	"github.com/raket/raket/pkg/flock"
	"github.com/raket/raket/pkg/image"
)

// InUse tells which pods (their UUIDs) use each image, by image ID. It is called
// while no pod can begin to use one.
type InUse func() (map[digest.Digest][]string, error)

// Remove removes an image, under all its names, and what only it needed. The
// error wraps ErrInUse, naming the pods, where pods use it, and ErrReadOnly
// where it is in a read-only store and nowhere else. It waits for pods that are
// being prepared. A nil inUse means none is in use.
func (s *Store) Remove(img image.Image, inUse InUse) error {
	_, err := s.collect(collection{inUse: inUse, choose: func(all []image.Image, used map[digest.Digest][]string) ([]image.Image, error) {
		return []image.Image{img}, s.checkRemovable(img, all, used)
	}})
	return err
}

// checkRemovable says why an image, of all, can't be removed.
func (s *Store) checkRemovable(img image.Image, all []image.Image, used map[digest.Digest][]string) error {
	if pods := used[img.ID]; len(pods) > 0 {
		return fmt.Errorf("%w by pod %s", ErrInUse, strings.Join(pods, ", "))
	}
	if slices.ContainsFunc(all, func(i image.Image) bool { return i.ID == img.ID }) {
		return checkNeeded(all, img)
	}
	if seed := s.Seed(img); seed != "" {
		return fmt.Errorf("%w, %s", ErrReadOnly, seed)
	}
	return ErrNotFound
}

// RemoveName takes a name, in full, from its image, and removes the image, as
// Remove does, with its last name. Where a file lay is a name that keeps no image.
// It reports whether the image is gone.
func (s *Store) RemoveName(name string, inUse InUse) (gone bool, err error) {
	_, err = s.collect(collection{inUse: inUse, choose: func(all []image.Image, used map[digest.Digest][]string) ([]image.Image, error) {
		at := slices.IndexFunc(all, func(i image.Image) bool { return slices.Contains(i.Names, name) })
		switch {
		case at < 0:
			return nil, s.noOwnName(name)
		case hasOtherName(all[at], name):
			return nil, s.changeIndex(func(idx *index) (bool, error) {
				found, _ := idx.removeName(name)
				return found, nil
			})
		}
		gone = true
		return all[at : at+1], s.checkRemovable(all[at], all, used)
	}})
	return gone && err == nil, err
}

// hasOtherName reports whether an image has a name beside this one that keeps it.
func hasOtherName(img image.Image, name string) bool {
	return slices.ContainsFunc(img.Names, func(other string) bool { return other != name && !isPlace(other) })
}

// isPlace reports a name that says where a file or a directory lay.
func isPlace(name string) bool {
	ref, err := image.Parse(name)
	return err == nil && ref.Transport != image.Docker && !ref.InStore()
}

// noOwnName says why a name can't be removed.
func (s *Store) noOwnName(name string) error {
	images, err := s.load()
	if err != nil {
		return err
	}
	for _, i := range images {
		if slices.Contains(i.Names, name) {
			return fmt.Errorf("%w, %s", ErrReadOnly, s.Seed(i))
		}
	}
	return ErrNotFound
}

type chooser func(all []image.Image, used map[digest.Digest][]string) ([]image.Image, error)

// collection says what collect does.
type collection struct {
	inUse  InUse
	choose chooser
	dryRun bool
}

// collect removes the images chosen, then what nothing refers to. Large removals
// happen after the locks are gone.
func (s *Store) collect(c collection) (Collected, error) {
	done, err := s.collectLocked(c)
	if err != nil || c.dryRun {
		return done, err
	}
	s.step("sweep")
	return done, s.sweepAll()
}

func (s *Store) collectLocked(c collection) (done Collected, err error) {
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
	if c.inUse != nil {
		if used, err = c.inUse(); err != nil {
			return done, fmt.Errorf("find images in use: %w", err)
		}
	}
	all, err := s.listOwn()
	if err != nil {
		return done, err
	}
	chosen, err := c.choose(all, used)
	chosen = withoutNeeded(all, chosen)
	if err != nil || c.dryRun {
		done.Images = chosen
		return done, err
	}
	done.Images = chosen
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
	records, blobs, trees := map[string]bool{}, map[string]bool{}, map[string]bool{}
	if err := s.keepForSeeds(trees); err != nil {
		return err
	}
	for _, img := range kept {
		records[hexOf(img.ID)+".json"] = true
		blobs[hexOf(img.ID)], blobs[hexOf(img.Config)] = true, true
		for _, l := range img.Layers {
			blobs[hexOf(l.Digest)] = true
		}
		names, err := s.neededTrees(img)
		if err != nil {
			return err
		}
		for _, name := range names {
			trees[name] = true
		}
	}
	s.step("remove records")
	keepRecord := func(name string) bool { return records[name] || isListCache(name) }
	if _, _, err := removeOthers(s.path("records"), keepRecord); err != nil {
		return err
	}
	s.step("remove blobs")
	var err error
	if done.Blobs, done.SizeBytes, err = removeOthers(s.path("blobs", "sha256"), func(name string) bool { return blobs[name] }); err != nil {
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

// keepForSeeds adds the trees that images of read-only stores may have here, should
// they have none there.
func (s *Store) keepForSeeds(trees map[string]bool) error {
	for _, seed := range s.seeds {
		images, err := loadDir(seed, s.seedCache(seed))
		if err != nil {
			return err
		}
		for _, img := range images {
			names, err := s.neededTrees(img)
			if err != nil {
				return err
			}
			for _, name := range names {
				trees[name] = true
			}
		}
	}
	return nil
}

// removeOthers removes the files of dir that are not to be kept.
func removeOthers(dir string, keep func(name string) bool) (n int, size int64, err error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return 0, 0, fmt.Errorf("collect: %w", err)
	}
	for _, e := range entries {
		if keep(e.Name()) {
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
