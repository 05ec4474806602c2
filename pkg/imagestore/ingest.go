package imagestore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/opencontainers/go-digest"

	"github.com/raket/raket/pkg/atomicfile"
	"github.com/raket/raket/pkg/flock"
	"github.com/raket/raket/pkg/image"
	"github.com/raket/raket/pkg/layer"
	"github.com/raket/raket/pkg/tree"
)

// blobStage is a blob that is being fetched, in a directory locked by its
// fetcher.
type blobStage struct {
	store *Store
	id    digest.Digest
	dir   string
	lock  *flock.Lock
	f     *os.File
}

// beginBlob returns nil where the blob is in the store, if need be after
// waiting for another process to fetch it.
func (s *Store) beginBlob(ctx context.Context, id digest.Digest) (*blobStage, error) {
	b := &blobStage{store: s, id: id, dir: s.path("ingest", hexOf(id))}
	lock, err := flock.MakeDir(ctx, b.dir, func() bool { return s.HasBlob(id) })
	if err != nil || lock == nil {
		return nil, err
	}
	b.lock = lock
	b.f, err = os.OpenFile(filepath.Join(b.dir, "blob"), os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o640)
	if err != nil {
		return nil, errors.Join(err, b.discard())
	}
	return b, nil
}

// publish shows the blob; it has been verified and brought to the disk.
func (b *blobStage) publish() error {
	if err := os.Rename(filepath.Join(b.dir, "blob"), b.store.ownBlobPath(b.id)); err != nil {
		return errors.Join(fmt.Errorf("publish blob: %w", err), b.discard())
	}
	return b.discard()
}

// discard removes what is not published. Doing it again is harmless.
func (b *blobStage) discard() error {
	var err error
	if b.f != nil {
		err = b.f.Close()
		b.f = nil
	}
	if b.lock.Fd() < 0 {
		return err
	}
	return errors.Join(err, os.RemoveAll(b.dir), b.lock.Close())
}

// LayerSource is where the bytes of a layer come from.
type LayerSource struct {
	// Open begins to read the blob. It may be called more than once.
	Open func(ctx context.Context) (io.ReadCloser, error)
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
func (s *Store) AddLayer(ctx context.Context, l image.VerifiedLayer, src LayerSource) (err error) {
	desc := l.Layer()
	name := tree.Name(l.Kind(), desc.DiffID)
	if s.HasBlob(desc.Digest) && s.trees.Has(name) {
		return nil
	}
	blob, err := s.beginBlob(ctx, desc.Digest)
	if err != nil {
		return fmt.Errorf("begin layer %s: %w", desc.Digest, err)
	}
	if blob != nil {
		defer func() { err = errors.Join(err, blob.discard()) }()
	}
	stage, err := s.trees.Begin(ctx, name)
	if err != nil {
		return err
	}
	if stage != nil {
		defer func() { err = errors.Join(err, stage.Discard()) }()
	}
	if blob == nil && stage == nil {
		return nil
	}
	s.step("fill " + name)
	if err := s.fillLayer(ctx, l, src, blob, stage); err != nil {
		return err
	}
	s.step("sync " + name)
	if err := s.sync.sync(s.images, s.trees.Dir()); err != nil {
		return err
	}
	if blob != nil {
		s.step("publish blob " + hexOf(desc.Digest))
		if err := blob.publish(); err != nil {
			return err
		}
	}
	if stage != nil {
		s.step("publish tree " + name)
		return stage.Publish()
	}
	return nil
}

// fillLayer reads the blob, from the source or the store, into what is missing.
func (s *Store) fillLayer(ctx context.Context, l image.VerifiedLayer, src LayerSource, blob *blobStage, stage *tree.Staging) (err error) {
	opts := layer.Options{Limits: src.Limits, Memory: src.memory}
	var r io.ReadCloser
	if blob == nil {
		r, err = s.OpenBlob(l.Layer().Digest)
	} else {
		r, err = src.Open(ctx)
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

// SweepLeftovers removes what killed fetches left. It never waits, and leaves
// alone what lives.
func (s *Store) SweepLeftovers() error {
	return errors.Join(tree.SweepDir(s.path("ingest")), s.trees.Sweep())
}
