package imagestore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/raket/raket/pkg/image"
	"github.com/raket/raket/pkg/tree"
)

// Render returns the absolute directories of an image's trees, top first, as
// overlayfs wants its lowerdir. Trees that are missing are unpacked from the
// store's blobs. The caller holds RLock until its reference to the image is
// written. An image without layers has one empty tree.
func (s *Store) Render(ctx context.Context, img image.Image) ([]string, error) {
	if err := s.unpackAll(ctx, img); err != nil {
		return nil, fmt.Errorf("render image %s: %w", image.ShortID(img), err)
	}
	stack, err := s.stack(ctx, img)
	if err != nil {
		return nil, fmt.Errorf("render image %s: %w", image.ShortID(img), err)
	}
	return stack, nil
}

// OpensOutput reports whether a layer of the image, rendered before, has a link to
// standard output or errors (layer.Stats).
func (s *Store) OpensOutput(img image.Image) (bool, error) {
	for _, name := range treeNames(img) {
		stats, err := s.trees.Stats(name)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			continue // unpacked elsewhere
		case err != nil || stats.OpensOutput:
			return stats.OpensOutput, err
		}
	}
	return false, nil
}

// treeNames has the bottom first.
func treeNames(img image.Image) []string {
	names := make([]string, len(img.Layers))
	for i, l := range img.Layers {
		names[i] = tree.Name(img.Kind, l.DiffID)
	}
	return names
}

func (s *Store) unpackMissing(ctx context.Context, img image.Image) error {
	v, err := s.Verified(ctx, img)
	if err != nil {
		return err
	}
	return s.AddLayers(ctx, v, func(l image.VerifiedLayer) LayerSource {
		return LayerSource{Open: func(context.Context) (io.ReadCloser, error) {
			return nil, fmt.Errorf("blob %s is missing from the store: fetch the image again", l.Layer().Digest)
		}}
	})
}

// UnpackInto unpacks an image's layers one over the other into dir, an existing
// empty directory, for where overlayfs is not used. On an error dir holds
// remains.
func (s *Store) UnpackInto(ctx context.Context, dir string, img image.Image) error {
	if len(img.Dependencies) == 0 && !img.Whitelisted {
		return s.unpackOwn(ctx, dir, img)
	}
	err := s.copyInto(ctx, dir, img)
	if err != nil {
		err = fmt.Errorf("unpack image %s: %w", image.ShortID(img), err)
	}
	return err
}
