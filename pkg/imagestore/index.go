package imagestore

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"

	"github.com/opencontainers/go-digest"

	"github.com/raket/raket/pkg/atomicfile"
	"github.com/raket/raket/pkg/flock"
)

const (
	annotationRefName = "org.opencontainers.image.ref.name" // image-spec, "Pre-Defined Annotation Keys"
	annotationAppcID  = "raket.appc.image-id"
	mediaTypeManifest = "application/vnd.oci.image.manifest.v1+json"
	mediaTypeIndex    = "application/vnd.oci.image.index.v1+json"
)

// index is index.json (image-spec, "Image Index Specification"): one entry for
// each name of each image, or one without a name.
type index struct {
	SchemaVersion int          `json:"schemaVersion"`
	MediaType     string       `json:"mediaType"`
	Manifests     []indexEntry `json:"manifests"`
}

type indexEntry struct {
	MediaType   string            `json:"mediaType"`
	Digest      digest.Digest     `json:"digest"`
	Size        int64             `json:"size"`
	Annotations map[string]string `json:"annotations,omitempty"`
}

func (e indexEntry) name() string { return e.Annotations[annotationRefName] }

// parseIndex reads index.json's content; nil is that of a new store.
func (s *Store) parseIndex(raw []byte) (index, error) {
	idx := index{SchemaVersion: 2, MediaType: mediaTypeIndex, Manifests: []indexEntry{}}
	if raw == nil {
		return idx, nil
	}
	if err := json.Unmarshal(raw, &idx); err != nil {
		return idx, fmt.Errorf("parse image index %s: %w", s.path("index.json"), err)
	}
	return idx, nil
}

// changeIndex replaces index.json by what change makes of it, under its lock.
// Where change reports false nothing is written.
func (s *Store) changeIndex(change func(*index) (bool, error)) (err error) {
	l, err := s.lock("index.lock", (*flock.Lock).Exclusive)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.Close()) }()
	raw, err := os.ReadFile(s.path("index.json"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("read image index: %w", err)
	}
	idx, err := s.parseIndex(raw)
	if err != nil {
		return err
	}
	changed, err := change(&idx)
	if err != nil || !changed {
		return err
	}
	if raw, err = json.Marshal(idx); err != nil {
		return fmt.Errorf("write image index: %w", err)
	}
	s.step("write index")
	return atomicfile.WriteFile(s.path("index.json"), raw, 0o640)
}

// setNames gives the image these names too, taking them from other images,
// which stay without them. It reports whether that changed anything.
func (idx *index) setNames(entry indexEntry, appcID string, names []string) bool {
	changed := false
	withName := func(name string) indexEntry {
		e := entry
		e.Annotations = map[string]string{}
		if name != "" {
			e.Annotations[annotationRefName] = name
		}
		if appcID != "" {
			e.Annotations[annotationAppcID] = appcID
		}
		return e
	}
	for _, name := range names {
		at := slices.IndexFunc(idx.Manifests, func(e indexEntry) bool { return e.name() == name })
		switch {
		case at < 0:
			idx.Manifests = append(idx.Manifests, withName(name))
			changed = true
		case idx.Manifests[at].Digest != entry.Digest:
			old := idx.Manifests[at]
			idx.Manifests[at] = withName(name)
			if !idx.has(old.Digest) {
				old.Annotations = maps.Clone(old.Annotations)
				delete(old.Annotations, annotationRefName)
				idx.Manifests = append(idx.Manifests, old)
			}
			changed = true
		}
	}
	if !idx.has(entry.Digest) {
		idx.Manifests = append(idx.Manifests, withName(""))
		return true
	}
	if len(names) == 0 {
		return changed
	}
	// A name makes the entry without one superfluous.
	before := len(idx.Manifests)
	idx.Manifests = slices.DeleteFunc(idx.Manifests, func(e indexEntry) bool {
		return e.Digest == entry.Digest && e.name() == ""
	})
	return changed || len(idx.Manifests) != before
}

func (idx *index) has(id digest.Digest) bool {
	return slices.ContainsFunc(idx.Manifests, func(e indexEntry) bool { return e.Digest == id })
}

// names has each image once, in order of appearance, with its names.
func (idx *index) names() ([]digest.Digest, map[digest.Digest][]string) {
	var order []digest.Digest
	names := make(map[digest.Digest][]string, len(idx.Manifests))
	for _, e := range idx.Manifests {
		if _, ok := names[e.Digest]; !ok {
			order = append(order, e.Digest)
			names[e.Digest] = []string{}
		}
		if n := e.name(); n != "" {
			names[e.Digest] = append(names[e.Digest], n)
		}
	}
	return order, names
}
