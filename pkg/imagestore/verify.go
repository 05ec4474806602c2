package imagestore

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/raket/raket/pkg/image"
	"github.com/raket/raket/pkg/layer"
	"github.com/raket/raket/pkg/tree"
)

// Verify reads all blobs of an image and holds them against their digests, and
// looks for its trees.
func (s *Store) Verify(ctx context.Context, img image.Image) error {
	v, err := s.Verified(ctx, img)
	if err != nil {
		return fmt.Errorf("verify image %s: %w", image.ShortID(img), err)
	}
	var errs []error
	for _, l := range v.Layers() {
		f, err := s.OpenBlob(l.Layer().Digest)
		if err == nil {
			err = layer.Verify(ctx, f, l, io.Discard, nil)
		}
		if name := tree.Name(img.Kind, l.Layer().DiffID); err == nil && !s.trees.Has(name) {
			err = fmt.Errorf("tree %s is missing", name)
		}
		errs = append(errs, err)
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("verify image %s: %w", image.ShortID(img), err)
	}
	return nil
}
