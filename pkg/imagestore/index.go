package imagestore

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/opencontainers/go-digest"

	"github.com/raket/raket/pkg/atomicfile"
	"github.com/raket/raket/pkg/flock"
)

const (
	annotationRefName = "org.opencontainers.image.ref.name" // image-spec, "Pre-Defined Annotation Keys"
	// annotationName has a name of the image in full. The one above has it as
	// other tools can take it (image-spec, "Pre-Defined Annotation Keys"), where
	// it has such a form.
	annotationName    = "raket.name"
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

func (e indexEntry) name() string {
	if name := e.Annotations[annotationName]; name != "" {
		return name
	}
	return e.Annotations[annotationRefName] // as stores of old have it
}

// parseIndex reads the content of index.json in dir; nil is that of a new store.
func parseIndex(dir string, raw []byte) (index, error) {
	idx := index{SchemaVersion: 2, MediaType: mediaTypeIndex, Manifests: []indexEntry{}}
	if raw == nil {
		return idx, nil
	}
	if err := json.Unmarshal(raw, &idx); err != nil {
		return idx, fmt.Errorf("parse image index %s: %w", filepath.Join(dir, "index.json"), err)
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
	idx, err := parseIndex(s.images, raw)
	if err != nil {
		return err
	}
	changed, err := change(&idx)
	if err != nil || !changed {
		return err
	}
	idx.setRefNames()
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
			e.Annotations[annotationName] = name
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
				delete(old.Annotations, annotationName)
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

// removeName takes a name from its image, which stays if it has others. It
// reports whether there was such a name, and whether the image is gone.
func (idx *index) removeName(name string) (found, last bool) {
	at := slices.IndexFunc(idx.Manifests, func(e indexEntry) bool { return e.name() == name })
	if at < 0 {
		return false, false
	}
	id := idx.Manifests[at].Digest
	idx.Manifests = slices.Delete(idx.Manifests, at, at+1)
	return true, !idx.has(id)
}

func placeRank(name string) int {
	if isPlace(name) {
		return 1
	}
	return 0
}

// setRefNames gives entries the names by which other tools find them: that of a
// registry before the same one that an archive gave its image.
func (idx *index) setRefNames() {
	taken := map[string]bool{}
	for _, fromRegistry := range []bool{true, false} {
		for i := range idx.Manifests {
			e := &idx.Manifests[i]
			name := e.name()
			ref, isDocker := strings.CutPrefix(name, "docker://")
			if name == "" || isDocker != fromRegistry {
				continue
			}
			e.Annotations = maps.Clone(e.Annotations)
			e.Annotations[annotationName] = name
			delete(e.Annotations, annotationRefName)
			if isRefName(ref) && !taken[ref] {
				e.Annotations[annotationRefName] = ref
				taken[ref] = true
			}
		}
	}
}

// isRefName matches the grammar of org.opencontainers.image.ref.name: letters and
// digits, with a slash, one of "-._:@+", or two dashes between them.
func isRefName(s string) bool {
	between := "" // what follows the last letter or digit
	for i, c := range []byte(s) {
		switch {
		case c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9':
			if len(between) > 1 && between != "--" {
				return false
			}
			between = ""
		case i == 0 || !strings.ContainsRune("-._:@+/", rune(c)):
			return false
		default:
			between += string(c)
		}
	}
	return s != "" && between == ""
}

func (idx *index) has(id digest.Digest) bool {
	return slices.ContainsFunc(idx.Manifests, func(e indexEntry) bool { return e.Digest == id })
}

// names has each image once, in order of appearance, with its names: those that say
// where a file lay are last.
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
	for _, list := range names {
		slices.SortStableFunc(list, func(a, b string) int { return cmp.Compare(placeRank(a), placeRank(b)) })
	}
	return order, names
}
