package imagestore

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"time"

	"github.com/opencontainers/go-digest"
	"golang.org/x/sys/unix"

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
	return s.Lookup(image.Ref{Transport: image.ByID, ID: img.ID.String()})
}

// writeRecord keeps the record of an image that is in the store, unless there
// is new evidence for it.
func (s *Store) writeRecord(img image.Image, known bool) error {
	if known {
		old, err := s.readRecord(img.ID)
		if err == nil {
			img.Evidence = image.MergeEvidence(old.Evidence, img.Evidence)
			if len(img.Evidence) == len(old.Evidence) {
				return nil
			}
			img.Imported, img.Origin = old.Imported, old.Origin
		}
	}
	raw, err := json.Marshal(img)
	if err != nil {
		return fmt.Errorf("write record: %w", err)
	}
	s.step("write record")
	if err := atomicfile.WriteFile(s.recordPath(img.ID), raw, 0o640); err != nil {
		return err
	}
	if !known {
		return nil
	}
	// The index may stay as it is, and with it the list of old records.
	if err := os.Remove(s.path("records", listCache)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("write record: %w", err)
	}
	return nil
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

// setLastUsed reads the last use off the record's mtime, where Touch put it.
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

// Touch notes that an image is being used now. It waits for nothing.
func (s *Store) Touch(img image.Image) error {
	now := time.Now()
	if err := os.Chtimes(s.recordPath(img.ID), now, now); err != nil {
		return fmt.Errorf("note use of image: %w", err)
	}
	return nil
}

// List returns all images, in order of import. It never waits for a lock.
func (s *Store) List() ([]image.Image, error) {
	images, err := s.load()
	if err != nil {
		return nil, err
	}
	return images, s.withLastUsed(images)
}

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

// load returns all images without their last use, from the disposable index
// file where that is up to date.
func (s *Store) load() ([]image.Image, error) {
	raw, err := os.ReadFile(s.path("index.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return []image.Image{}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read image index: %w", err)
	}
	sum := image.Sum(raw).String()
	if cached, err := os.ReadFile(s.path("records", listCache)); err == nil {
		if images, ok := decodeList(cached, sum); ok {
			return images, nil
		}
	}
	idx, err := s.parseIndex(raw)
	if err != nil {
		return nil, err
	}
	images := []image.Image{}
	order, names := idx.names()
	for _, id := range order {
		img, err := s.readRecord(id)
		if errors.Is(err, fs.ErrNotExist) {
			continue // removed since index.json was read
		}
		if err != nil {
			return nil, err
		}
		img.Names = names[id]
		images = append(images, img)
	}
	slices.SortStableFunc(images, func(a, b image.Image) int { return a.Imported.Compare(b.Imported) })
	// Who may not write here reads slowly, and right.
	_ = atomicfile.Write(s.path("records", listCache), encodeList(sum, images), 0o640, atomicfile.Options{NoSync: true})
	return images, nil
}
