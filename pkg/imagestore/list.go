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
	"golang.org/x/sys/unix"

	"github.com/raket/raket/pkg/atomicfile"
	"github.com/raket/raket/pkg/image"
)

// List returns all images, in order of import: those of read-only stores too,
// and one that is in several of them once. It never waits for a lock.
func (s *Store) List() ([]image.Image, error) {
	images, err := s.load()
	if err != nil {
		return nil, err
	}
	return images, s.withLastUsed(images)
}

// listOwn is List without read-only stores.
func (s *Store) listOwn() ([]image.Image, error) {
	images, err := s.loadOwn()
	if err != nil {
		return nil, err
	}
	return images, s.withLastUsed(images)
}

// Touch notes that an image is being used now. It waits for nothing. The use of
// an image in a read-only store is not noted.
func (s *Store) Touch(img image.Image) error {
	now := time.Now()
	err := os.Chtimes(s.recordPath(img.ID), now, now)
	if err != nil && s.Seed(img) == "" {
		return fmt.Errorf("note use of image: %w", err)
	}
	return nil
}

// Seed is the directory of the read-only store that an image is in, as Options
// have it, or "".
func (s *Store) Seed(img image.Image) string {
	for _, seed := range s.seeds {
		if _, err := os.Lstat(filepath.Join(seed, "records", hexOf(img.ID)+".json")); err == nil {
			return filepath.Dir(seed)
		}
	}
	return ""
}

// Dir is the directory that the store was opened at.
func (s *Store) Dir() string { return filepath.Dir(s.images) }

// withLastUsed reads the last use off the records' mtime, where Touch put it.
func (s *Store) withLastUsed(images []image.Image) error {
	records, err := os.Open(s.path("records"))
	if err != nil {
		return fmt.Errorf("read image records: %w", err)
	}
	for i := range images {
		setLastUsed(int(records.Fd()), &images[i])
	}
	return records.Close()
}

func setLastUsed(records int, img *image.Image) {
	img.LastUsed = img.Imported
	var st unix.Stat_t
	if unix.Fstatat(records, hexOf(img.ID)+".json", &st, 0) != nil {
		return
	}
	if used := time.Unix(st.Mtim.Unix()).UTC(); used.After(img.Imported) {
		img.LastUsed = used
	}
}

// load returns the images of all stores without their last use.
func (s *Store) load() ([]image.Image, error) {
	own, err := s.loadOwn()
	if err != nil || len(s.seeds) == 0 {
		return own, err
	}
	var lists [][]image.Image
	for _, seed := range s.seeds {
		images, err := loadDir(seed, s.seedCache(seed))
		if err != nil {
			return nil, err
		}
		lists = append(lists, images)
	}
	return merge(append(lists, own)), nil
}

func (s *Store) loadOwn() ([]image.Image, error) {
	return loadDir(s.images, s.path("records", listCache))
}

// seedCache is where the records of a read-only store are kept in one file, should
// it have none.
func (s *Store) seedCache(seed string) string {
	return s.path("records", listCache+"-"+image.Sum([]byte(seed)).Encoded()[:16])
}

// merge makes one list, in order of import. Of an image in several lists the
// first counts, with the names that all give it. A name means the image that
// got it last, as within a store.
func merge(lists [][]image.Image) []image.Image {
	type claim struct {
		image int
		at    time.Time
	}
	claims := map[string]claim{}
	at := map[digest.Digest]int{}
	all := []image.Image{}
	for _, list := range lists {
		for _, img := range list {
			n, known := at[img.ID]
			if !known {
				n = len(all)
				at[img.ID] = n
				all = append(all, img)
			} else {
				all[n].Evidence = image.MergeEvidence(all[n].Evidence, img.Evidence)
			}
			for _, name := range img.Names {
				if old, taken := claims[name]; !taken || img.Imported.After(old.at) {
					claims[name] = claim{n, img.Imported}
				}
				if known && !slices.Contains(all[n].Names, name) {
					all[n].Names = append(slices.Clone(all[n].Names), name)
				}
			}
		}
	}
	for n := range all {
		all[n].Names = slices.DeleteFunc(slices.Clone(all[n].Names), func(name string) bool { return claims[name].image != n })
	}
	sortByImport(all)
	return all
}

func sortByImport(images []image.Image) {
	slices.SortStableFunc(images, func(a, b image.Image) int { return a.Imported.Compare(b.Imported) })
}

// loadDir returns the images of the store at dir (…/images) without their last
// use, from a disposable index file where one is up to date: dir's own, or the
// one at cache, which is made if need be.
func loadDir(dir, cache string) ([]image.Image, error) {
	raw, err := os.ReadFile(filepath.Join(dir, "index.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return []image.Image{}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read image index: %w", err)
	}
	sum := image.Sum(raw).String()
	own := filepath.Join(dir, "records", listCache)
	for _, path := range slices.Compact([]string{own, cache}) {
		if cached, err := os.ReadFile(path); err == nil {
			if images, ok := decodeList(cached, sum); ok {
				return images, nil
			}
		}
	}
	idx, err := parseIndex(dir, raw)
	if err != nil {
		return nil, err
	}
	images := []image.Image{}
	order, names := idx.names()
	for _, id := range order {
		img, err := readRecord(dir, id)
		if errors.Is(err, fs.ErrNotExist) {
			continue // removed since index.json was read
		}
		if err != nil {
			return nil, err
		}
		img.Names = names[id]
		images = append(images, img)
	}
	sortByImport(images)
	// Who may not write here reads slowly, and right.
	_ = atomicfile.Write(cache, encodeList(sum, images), 0o640, atomicfile.Options{NoSync: true})
	return images, nil
}

// isListCache reports a name among the records that is of such a file.
func isListCache(name string) bool { return strings.HasPrefix(name, listCache) }
