package imagestore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/opencontainers/go-digest"

	"github.com/raket/raket/pkg/atomicfile"
	"github.com/raket/raket/pkg/image"
	"github.com/raket/raket/pkg/layer"
	"github.com/raket/raket/pkg/tree"
)

// LayerSource is where the bytes of a layer come from.
type LayerSource struct {
	// Open begins to read the blob. It may be called more than once.
	Open func(ctx context.Context) (io.ReadCloser, error)
	// OpenFrom begins to read the blob at an offset, for who has what is before
	// it; nil where that can't be done.
	OpenFrom func(ctx context.Context, offset int64) (io.ReadCloser, error)
	// OnBytes is told of progress in the blob, from other goroutines.
	OnBytes func(n int)
	// OnDone is told the end of what Open began; nil for none.
	OnDone func(ok bool)
	// Distrust is told that what Open gave was wrong, and reports whether to
	// open it again, from elsewhere; nil for no.
	Distrust func() bool
	Limits   layer.Limits
	// memory is shared by the layers of an image.
	memory *layer.Budget
}

// AddLayer makes a layer's blob and tree durable parts of the store, unless
// they are. Reading, verifying and unpacking overlap; both appear only after
// both digests were right. Several processes adding one layer do the work
// once. The caller holds FetchLock.
func (s *Store) AddLayer(ctx context.Context, l image.VerifiedLayer, src LayerSource) error {
	resumed, err := s.addLayer(ctx, l, src)
	if resumed && isWrong(err, l) {
		// The part that an earlier fetch left may be what is wrong, and is gone now.
		_, err = s.addLayer(ctx, l, src)
	}
	return err
}

// isWrong reports an error that is of the blob's own bytes: not of what they
// unpack to, which is the image's.
func isWrong(err error, l image.VerifiedLayer) bool {
	var digest *image.DigestError
	var size *layer.SizeError
	return errors.As(err, &digest) && digest.Want == l.Layer().Digest ||
		errors.As(err, &size) && size.Got > size.Want
}

// isShort reports a blob that ended too early.
func isShort(err error) bool {
	var size *layer.SizeError
	return errors.As(err, &size) && size.Got < size.Want
}

func (s *Store) addLayer(ctx context.Context, l image.VerifiedLayer, src LayerSource) (resumed bool, err error) {
	desc := l.Layer()
	name := tree.Name(l.Kind(), desc.DiffID)
	if s.HasBlob(desc.Digest) && s.trees.Has(name) {
		return false, nil
	}
	blob, err := s.beginBlob(ctx, desc.Digest)
	if err != nil {
		return false, fmt.Errorf("begin layer %s: %w", desc.Digest, err)
	}
	if blob != nil {
		resumed = blob.partial != nil && src.OpenFrom != nil
		defer func() { err = errors.Join(err, blob.discard()) }()
	}
	stage, err := s.trees.Begin(ctx, name)
	if err != nil {
		return resumed, err
	}
	if stage != nil {
		defer func() { err = errors.Join(err, stage.Discard()) }()
	}
	if blob == nil && stage == nil {
		return resumed, nil
	}
	s.step("fill " + name)
	if err := s.fillLayer(ctx, l, src, blob, stage); err != nil {
		if blob != nil && (isShort(err) || ctx.Err() != nil) {
			err = errors.Join(err, blob.keep())
		}
		return resumed, err
	}
	s.step("sync " + name)
	if err := s.sync.sync(s.images, s.trees.Dir()); err != nil {
		return resumed, err
	}
	if blob != nil {
		s.step("publish blob " + hexOf(desc.Digest))
		if err := blob.publish(); err != nil {
			return resumed, err
		}
	}
	if stage != nil {
		s.step("publish tree " + name)
		return resumed, stage.Publish()
	}
	return resumed, nil
}

// fillLayer reads the blob, from the source or the store, into what is missing.
func (s *Store) fillLayer(ctx context.Context, l image.VerifiedLayer, src LayerSource, blob *blobStage, stage *tree.Staging) (err error) {
	opts := layer.Options{Limits: src.Limits, Memory: src.memory}
	var r io.ReadCloser
	if blob == nil {
		r, err = s.OpenBlob(l.Layer().Digest)
	} else {
		r, err = blob.reader(ctx, src)
		opts.Tee, opts.OnBytes = &writeback{f: blob.f}, src.OnBytes
	}
	if err != nil {
		return err
	}
	if blob != nil && src.OnDone != nil {
		defer func() { src.OnDone(err == nil) }()
	}
	if stage == nil {
		return layer.Verify(ctx, r, l, opts.Tee, opts.OnBytes)
	}
	done, err := layer.Unpack(ctx, r, l, stage.Dir(), opts)
	if err != nil {
		return err
	}
	return stage.Finish(l.Kind(), done)
}

// PutBlob makes a small blob a durable part of the store, after holding it
// against its digest.
func (s *Store) PutBlob(what string, content []byte, id digest.Digest) error {
	if err := image.CheckDigest(what, content, id); err != nil {
		return err
	}
	// Small as it is, it is kept here too where a read-only store has it.
	if _, err := os.Lstat(s.ownBlobPath(id)); err == nil {
		return nil
	}
	s.step("put " + what)
	return atomicfile.WriteFile(s.ownBlobPath(id), content, 0o640)
}
