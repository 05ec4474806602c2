package imagestore

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/opencontainers/go-digest"

	"github.com/raket/raket/pkg/atomicfile"
	"github.com/raket/raket/pkg/flock"
	"github.com/raket/raket/pkg/image"
	"github.com/raket/raket/pkg/tree"
)

// What callers branch on.
var (
	ErrNotFound  = errors.New("image is not in the store")
	ErrAmbiguous = errors.New("image name is ambiguous")
	ErrInUse     = errors.New("image is in use")
	ErrReadOnly  = errors.New("image is in a read-only store")
)

// Store is a store of images on disk. Its methods may be called concurrently,
// also by several processes.
type Store struct {
	images string   // …/images
	seeds  []string // …/images of each read-only store
	trees  *tree.Store
	sync   syncer
	onStep func(string)
}

// Options are for OpenWith.
type Options struct {
	// Seeds are directories as Open takes, with images that came with the
	// host: they are searched first and never written to. One that does not
	// exist is empty.
	Seeds []string
	// OnStep is called with a name before each change that is visible on disk,
	// for tests that end the process there; nil for none.
	OnStep func(name string)
}

// Open uses dir (/var/lib/raket) as the store, and makes what is missing in it.
func Open(dir string) (*Store, error) { return OpenWith(dir, Options{}) }

// OpenWith is Open with options.
func OpenWith(dir string, opts Options) (*Store, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("open image store: %w", err)
	}
	s := &Store{images: filepath.Join(abs, "images"), onStep: opts.OnStep}
	var trees []string
	for _, seed := range opts.Seeds {
		if seed, err = filepath.Abs(seed); err != nil {
			return nil, fmt.Errorf("open image store: %w", err)
		}
		if seed == abs {
			continue
		}
		// Looked for once: most hosts have none.
		if _, err := os.Stat(filepath.Join(seed, "images", "index.json")); err != nil {
			if errors.Is(err, fs.ErrNotExist) {
				continue
			}
			return nil, fmt.Errorf("open read-only image store: %w", err)
		}
		s.seeds = append(s.seeds, filepath.Join(seed, "images"))
		trees = append(trees, filepath.Join(seed, "trees"))
	}
	if _, err := os.Stat(s.path("fetch.lock")); errors.Is(err, fs.ErrNotExist) {
		if err := s.create(abs); err != nil {
			return nil, fmt.Errorf("open image store: %w", err)
		}
	} else if err != nil {
		return nil, fmt.Errorf("open image store: %w", err)
	}
	if s.trees, err = tree.Open(filepath.Join(abs, "trees"), trees...); err != nil {
		return nil, fmt.Errorf("open image store: %w", err)
	}
	return s, nil
}

// create makes the layout; the last file made is the one Open looks for.
func (s *Store) create(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for _, d := range []string{"blobs/sha256", "records", "ingest"} {
		if err := os.MkdirAll(s.path(d), 0o750); err != nil {
			return err
		}
	}
	layout := []byte(layoutFile)
	if err := atomicfile.WriteFile(s.path("oci-layout"), layout, 0o640); err != nil {
		return err
	}
	for _, name := range []string{"lock", "index.lock", "fetch.lock"} {
		l, err := flock.Create(s.path(name))
		if err != nil {
			return err
		}
		if err := l.Close(); err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) path(elem ...string) string {
	return filepath.Join(append([]string{s.images}, elem...)...)
}

func (s *Store) step(name string) {
	if s.onStep != nil {
		s.onStep(name)
	}
}

// RLock holds off removal of images until the lock is closed. Who prepares a
// pod takes it before Lookup and keeps it until the pod's reference to the
// image is written and its trees are rendered.
func (s *Store) RLock() (*flock.Lock, error) { return s.lock("lock", (*flock.Lock).Shared) }

// FetchLock keeps blobs that no image refers to yet; who fetches holds it
// until Commit has returned. It may wait for a removal that is under way.
func (s *Store) FetchLock() (*flock.Lock, error) { return s.lock("fetch.lock", (*flock.Lock).Shared) }

func (s *Store) lock(name string, take func(*flock.Lock) error) (*flock.Lock, error) {
	l, err := flock.Create(s.path(name))
	if err != nil {
		return nil, err
	}
	if err := take(l); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

func hexOf(d digest.Digest) string { return strings.TrimPrefix(d.String(), "sha256:") }

// BlobPath is where the blob is, or would be.
func (s *Store) BlobPath(d digest.Digest) string {
	for _, seed := range s.seeds {
		path := filepath.Join(seed, "blobs", "sha256", hexOf(d))
		if _, err := os.Lstat(path); err == nil {
			return path
		}
	}
	return s.ownBlobPath(d)
}

// ownBlobPath is where the blob is made.
func (s *Store) ownBlobPath(d digest.Digest) string { return s.path("blobs", "sha256", hexOf(d)) }

// HasBlob reports whether the blob is in the store.
func (s *Store) HasBlob(d digest.Digest) bool {
	_, err := os.Lstat(s.BlobPath(d))
	return err == nil
}

// OpenBlob opens a blob. Who needs its content to be right must hold it
// against its digest.
func (s *Store) OpenBlob(d digest.Digest) (*os.File, error) {
	f, err := os.Open(s.BlobPath(d))
	if err != nil {
		return nil, fmt.Errorf("open blob: %w", err)
	}
	return f, nil
}

// readBlob reads a small blob and checks it.
func (s *Store) readBlob(what string, d digest.Digest, limit int64) ([]byte, error) {
	f, err := s.OpenBlob(d)
	if err != nil {
		return nil, err
	}
	raw, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err := errors.Join(err, f.Close()); err != nil {
		return nil, fmt.Errorf("read %s: %w", what, err)
	}
	return raw, image.CheckDigest(what, raw, d)
}

// layoutFile is the content of oci-layout (image-spec, "oci-layout file").
const layoutFile = `{"imageLayoutVersion":"1.0.0"}`
