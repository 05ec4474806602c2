package imagestore

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
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
	if err := s.PutBlob("image config", v.ConfigBytes(), img.Config); err != nil {
		return image.Image{}, err
	}
	if err := s.PutBlob("image manifest", v.ManifestBytes(), img.ID); err != nil {
		return image.Image{}, err
	}
	held, err := s.holdDependencies(img)
	if err != nil {
		return image.Image{}, fmt.Errorf("commit image %s: %w", img.ID, err)
	}
	if held != nil {
		defer held.Close()
	}
	if _, err := s.stack(ctx, img); err != nil {
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
	entry := indexEntry{MediaType: manifestType(v.ManifestBytes()), Digest: img.ID, Size: int64(len(v.ManifestBytes()))}
	err = s.changeIndex(func(idx *index) (bool, error) {
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
		old, err := readRecord(s.images, img.ID)
		if err == nil {
			img.Evidence = image.MergeEvidence(old.Evidence, img.Evidence)
			if image.SameEvidence(img.Evidence, old.Evidence) {
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

// manifestType is the media type of a checked manifest.
func manifestType(raw []byte) string {
	var doc struct {
		MediaType string `json:"mediaType"`
	}
	if json.Unmarshal(raw, &doc) == nil && doc.MediaType == image.MediaTypeDockerManifest {
		return doc.MediaType
	}
	return mediaTypeManifest
}

// readRecord reads a record of the store at dir (…/images).
func readRecord(dir string, id digest.Digest) (image.Image, error) {
	path := filepath.Join(dir, "records", hexOf(id)+".json")
	raw, err := os.ReadFile(path)
	if err != nil {
		return image.Image{}, fmt.Errorf("read image record: %w", err)
	}
	img, err := parseRecord(raw)
	if err == nil && img.ID != id {
		err = fmt.Errorf("it is of image %q", img.ID)
	}
	if err != nil {
		return image.Image{}, fmt.Errorf("read image record %s: %w", path, err)
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
