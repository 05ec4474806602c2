package imagestore

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/raket/raket/pkg/image"
	"github.com/raket/raket/pkg/layer"
)

// ExtractOptions say what Extract writes. The zero value writes DIR/manifest, which
// is the config, and DIR/rootfs, of the image's own layers.
type ExtractOptions struct {
	// RootfsOnly makes the directory itself the root of the files.
	RootfsOnly bool
	// Overwrite replaces a directory that has something in it.
	Overwrite bool
	// Rendered adds what an ACI's dependencies have, and leaves out what its
	// pathWhitelist does: the files as an app sees them.
	Rendered bool
}

// Extract writes the files of an image below dir, with their owners, modes, times,
// attributes and hard links, out of blobs whose digests it checks. Nothing is to
// be seen in dir before all is. The error is an *ExistsError where something is.
func (s *Store) Extract(ctx context.Context, img image.Image, dir string, opts ExtractOptions) (err error) {
	lock, err := s.FetchLock() // no blob goes meanwhile
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lock.Close()) }()
	replaceable := func() error {
		if opts.Overwrite {
			return nil
		}
		return &ExistsError{dir}
	}
	return s.writeDir(ctx, dir, replaceable, func(fresh string) error {
		rootfs := fresh
		if !opts.RootfsOnly {
			config, err := s.Config(ctx, img)
			if err != nil {
				return err
			}
			if err := os.WriteFile(filepath.Join(fresh, "manifest"), config, 0o644); err != nil {
				return err
			}
			rootfs = filepath.Join(fresh, "rootfs")
			if err := os.Mkdir(rootfs, 0o755); err != nil {
				return err
			}
			if err := os.Chmod(rootfs, 0o755); err != nil {
				return err
			}
		}
		if opts.Rendered {
			return s.UnpackInto(ctx, rootfs, img)
		}
		return s.unpackOwn(ctx, rootfs, img)
	})
}

// unpackOwn unpacks an image's own layers one over the other into dir.
func (s *Store) unpackOwn(ctx context.Context, dir string, img image.Image) error {
	v, err := s.Verified(ctx, img)
	if err != nil {
		return fmt.Errorf("unpack image %s: %w", image.ShortID(img), err)
	}
	for _, l := range v.Layers() {
		f, err := s.OpenBlob(l.Layer().Digest)
		if err != nil {
			return fmt.Errorf("unpack image %s: %w", image.ShortID(img), err)
		}
		if _, err := layer.Unpack(ctx, f, l, dir, layer.Options{Flat: true}); err != nil {
			return fmt.Errorf("unpack image %s: %w", image.ShortID(img), err)
		}
	}
	return nil
}
