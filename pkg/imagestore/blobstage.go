package imagestore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/raket/raket/pkg/flock"
	"github.com/raket/raket/pkg/tree"
)

const (
	blobFile    = "blob"    // what has come
	partialFile = "partial" // what came before, to an earlier fetch

	// minPartialBytes is the least worth keeping.
	minPartialBytes = 1 << 20
	// partialsKept is how long a blob of which a part came waits for the rest.
	partialsKept = 24 * time.Hour
)

// blobStage is a blob that is being fetched, in a directory locked by its
// fetcher.
type blobStage struct {
	store *Store
	id    digest.Digest
	dir   string
	lock  *flock.Lock
	f     *os.File
	// partial is what an earlier fetch left, of so many bytes; nil for nothing.
	partial      *os.File
	partialBytes int64
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
	if err := b.open(); err != nil {
		return nil, errors.Join(err, b.discard())
	}
	return b, nil
}

// open puts what an earlier fetch left aside, and begins anew.
func (b *blobStage) open() error {
	blob, partial := filepath.Join(b.dir, blobFile), filepath.Join(b.dir, partialFile)
	if sizeOf(blob) > sizeOf(partial) {
		if err := os.Rename(blob, partial); err != nil {
			return fmt.Errorf("keep part of a blob: %w", err)
		}
	}
	if n := sizeOf(partial); n >= minPartialBytes {
		f, err := os.Open(partial)
		if err != nil {
			return fmt.Errorf("open part of a blob: %w", err)
		}
		b.partial, b.partialBytes = f, n
	}
	var err error
	b.f, err = os.OpenFile(blob, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o640)
	return err
}

// sizeOf is 0 where there is no file.
func sizeOf(path string) int64 {
	fi, err := os.Lstat(path)
	if err != nil {
		return 0
	}
	return fi.Size()
}

// reader reads the part that is there, and then the rest.
func (b *blobStage) reader(ctx context.Context, src LayerSource) (io.ReadCloser, error) {
	if b.partial == nil || src.OpenFrom == nil {
		return src.Open(ctx)
	}
	rest, err := src.OpenFrom(ctx, b.partialBytes)
	if err != nil {
		return nil, err
	}
	return struct {
		io.Reader
		io.Closer
	}{io.MultiReader(io.LimitReader(b.partial, b.partialBytes), rest), rest}, nil
}

// publish shows the blob; it has been verified and brought to the disk.
func (b *blobStage) publish() error {
	if err := os.Rename(filepath.Join(b.dir, blobFile), b.store.ownBlobPath(b.id)); err != nil {
		return errors.Join(fmt.Errorf("publish blob: %w", err), b.discard())
	}
	return b.discard()
}

// discard removes what is not published. Doing it again is harmless.
func (b *blobStage) discard() error {
	err := b.close()
	if b.lock.Fd() < 0 {
		return err
	}
	return errors.Join(err, os.RemoveAll(b.dir), b.lock.Close())
}

// keep leaves what has come for the next fetch, if that is worth it.
func (b *blobStage) keep() error {
	if max(sizeOf(filepath.Join(b.dir, blobFile)), b.partialBytes) < minPartialBytes {
		return b.discard()
	}
	return errors.Join(b.close(), b.lock.Close())
}

func (b *blobStage) close() error {
	var errs []error
	for _, f := range []**os.File{&b.f, &b.partial} {
		if *f != nil {
			errs = append(errs, (*f).Close())
			*f = nil
		}
	}
	return errors.Join(errs...)
}

// SweepLeftovers removes what killed fetches left, but for blobs of which enough
// has come lately for a fetch to go on with. It never waits, and leaves alone
// what lives.
func (s *Store) SweepLeftovers() error {
	return errors.Join(tree.SweepDir(s.path("ingest"), isResumable), s.trees.Sweep())
}

// sweepAll is SweepLeftovers that leaves no part of a blob either.
func (s *Store) sweepAll() error {
	return errors.Join(tree.SweepDir(s.path("ingest"), nil), s.trees.Sweep())
}

func isResumable(dir string) bool {
	for _, name := range []string{blobFile, partialFile} {
		fi, err := os.Lstat(filepath.Join(dir, name))
		if err == nil && fi.Mode().IsRegular() && fi.Size() >= minPartialBytes && time.Since(fi.ModTime()) < partialsKept {
			return true
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return false
		}
	}
	return false
}
