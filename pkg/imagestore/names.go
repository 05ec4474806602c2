package imagestore

import (
	"fmt"
	"slices"

	"github.com/raket/raket/pkg/image"
)

// AddNames gives an image that is in the store, and not only in a read-only one,
// these names (canonical references, or bare names) too. A name moves here from
// the image that had it.
func (s *Store) AddNames(img image.Image, names []string) error {
	err := s.changeIndex(func(idx *index) (bool, error) {
		at := slices.IndexFunc(idx.Manifests, func(e indexEntry) bool { return e.Digest == img.ID })
		if at < 0 {
			return false, ErrNotFound
		}
		entry := idx.Manifests[at]
		entry.Annotations = nil
		return idx.setNames(entry, img.AppcID, names), nil
	})
	if err != nil {
		return fmt.Errorf("name image %s: %w", image.ShortID(img), err)
	}
	return nil
}
