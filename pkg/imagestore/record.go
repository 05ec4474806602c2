package imagestore

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/raket/raket/pkg/atomicfile"
	"github.com/raket/raket/pkg/image"
	"github.com/raket/raket/pkg/tree"
)

const listCache = ".list"

func (s *Store) recordPath(id digest.Digest) string {
	return s.path("records", hexOf(id)+".json")
}

// Commit puts an image whose layers were added into the store, under these
// names (canonical references, and bare names). A name moves here from the
// image that had it. The caller holds FetchLock.
func (s *Store) Commit(ctx context.Context, v image.Verified, origin image.Ref, names []string) (image.Image, error) {
	img := v.Image()
	for _, l := range img.Layers {
		if !s.HasBlob(l.Digest) || !s.trees.Has(tree.Name(img.Kind, l.DiffID)) {
			return image.Image{}, fmt.Errorf("commit image %s: layer %s was not added", img.ID, l.Digest)
		}
	}
	if _, err := s.trees.Stack(ctx, treeNames(img)); err != nil {
		return image.Image{}, err
	}
	if err := s.PutBlob("image config", v.ConfigBytes(), img.Config); err != nil {
		return image.Image{}, err
	}
	if err := s.PutBlob("image manifest", v.ManifestBytes(), img.ID); err != nil {
		return image.Image{}, err
	}
	// The renames of layers and trees become durable before the image does.
	for _, dir := range []string{s.path("blobs", "sha256"), s.trees.Dir()} {
		if err := atomicfile.SyncDir(dir); err != nil {
			return image.Image{}, err
		}
	}
	names = slices.Concat(names, img.Names)
	img.Origin, img.Names, img.Imported = origin.String(), nil, time.Now().UTC()
	entry := indexEntry{MediaType: mediaTypeManifest, Digest: img.ID, Size: int64(len(v.ManifestBytes()))}
	err := s.changeIndex(func(idx *index) (bool, error) {
		if err := s.writeRecord(img, idx.has(img.ID)); err != nil {
			return false, err
		}
		return idx.setNames(entry, img.AppcID, names), nil
	})
	if err != nil {
		return image.Image{}, fmt.Errorf("commit image %s: %w", img.ID, err)
	}
	return s.byID(img.ID)
}

// writeRecord keeps the record of an image that is in the store, unless it was
// verified in another way since.
func (s *Store) writeRecord(img image.Image, known bool) error {
	if known {
		old, err := s.readRecord(img.ID)
		if err == nil && old.Verification == img.Verification {
			return nil
		}
		if err == nil {
			img.Imported, img.Origin = old.Imported, old.Origin
		}
		if err := os.Remove(s.path("records", listCache)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	raw, err := json.Marshal(img)
	if err != nil {
		return fmt.Errorf("write record: %w", err)
	}
	s.step("write record")
	return atomicfile.WriteFile(s.recordPath(img.ID), raw, 0o640)
}

func (s *Store) readRecord(id digest.Digest) (image.Image, error) {
	raw, err := os.ReadFile(s.recordPath(id))
	if err != nil {
		return image.Image{}, fmt.Errorf("read image record: %w", err)
	}
	img, err := parseRecord(raw)
	if err == nil && img.ID != id {
		err = fmt.Errorf("it is of image %q", img.ID)
	}
	if err != nil {
		return image.Image{}, fmt.Errorf("read image record %s: %w", s.recordPath(id), err)
	}
	return img, nil
}

func parseRecord(raw []byte) (image.Image, error) {
	var img image.Image
	if err := json.Unmarshal(raw, &img); err != nil {
		return image.Image{}, err
	}
	return img, nil
}

// byID returns the image of this ID, with its names.
func (s *Store) byID(id digest.Digest) (image.Image, error) {
	idx, _, err := s.readIndex()
	if err != nil {
		return image.Image{}, err
	}
	_, names := idx.names()
	own, ok := names[id]
	if !ok {
		return image.Image{}, fmt.Errorf("%s: %w", id, ErrNotFound)
	}
	img, err := s.readRecord(id)
	if err != nil {
		return image.Image{}, err
	}
	img.Names = own
	s.setLastUsed(&img)
	return img, nil
}

// setLastUsed reads the last use off the record's mtime; Touch sets it.
func (s *Store) setLastUsed(img *image.Image) {
	img.LastUsed = img.Imported
	if fi, err := os.Stat(s.recordPath(img.ID)); err == nil && fi.ModTime().After(img.Imported) {
		img.LastUsed = fi.ModTime().UTC()
	}
}

// Touch notes that an image is being used now. It waits for nothing.
func (s *Store) Touch(img image.Image) error {
	now := time.Now()
	if err := os.Chtimes(s.recordPath(img.ID), now, now); err != nil {
		return fmt.Errorf("note use of image: %w", err)
	}
	return nil
}

// cachedList is the disposable index file: all records, good for the
// index.json it has the digest of.
type cachedList struct {
	Index  string        `json:"index"`
	Images []image.Image `json:"images"`
}

// List returns all images, in order of import. It never waits for a lock.
func (s *Store) List() ([]image.Image, error) {
	idx, raw, err := s.readIndex()
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(raw)
	want := hex.EncodeToString(sum[:])
	var list cachedList
	if cached, err := os.ReadFile(s.path("records", listCache)); err == nil {
		if json.Unmarshal(cached, &list) != nil || list.Index != want {
			list = cachedList{}
		}
	}
	if list.Index == "" {
		if list, err = s.readAll(idx, want); err != nil {
			return nil, err
		}
	}
	for i := range list.Images {
		s.setLastUsed(&list.Images[i])
	}
	return list.Images, nil
}

func (s *Store) readAll(idx index, sum string) (cachedList, error) {
	list := cachedList{Index: sum, Images: []image.Image{}}
	order, names := idx.names()
	for _, id := range order {
		img, err := s.readRecord(id)
		if errors.Is(err, fs.ErrNotExist) {
			continue // removed since index.json was read
		}
		if err != nil {
			return list, err
		}
		img.Names = names[id]
		list.Images = append(list.Images, img)
	}
	slices.SortStableFunc(list.Images, func(a, b image.Image) int { return a.Imported.Compare(b.Imported) })
	if raw, err := json.Marshal(list); err == nil && len(list.Images) > 1 {
		// Who may not write here reads slowly, and right.
		_ = atomicfile.Write(s.path("records", listCache), raw, 0o640, atomicfile.Options{NoSync: true})
	}
	return list, nil
}
