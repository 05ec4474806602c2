package tree

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/opencontainers/go-digest"

	"github.com/raket/raket/pkg/atomicfile"
	"github.com/raket/raket/pkg/flock"
	"github.com/raket/raket/pkg/image"
	"github.com/raket/raket/pkg/layer"
)

const (
	ingestDir  = ".ingest"
	deadPrefix = "dead-"
	fsDir      = "fs"
	metaFile   = "meta.json"
	// maxMetaBytes bounds the list of implied directories that is read back.
	maxMetaBytes = 256 << 20
)

// Store is a directory of trees, and others that are only read. Its methods may
// be called concurrently, also by several processes.
type Store struct {
	dir   string
	seeds []string
}

// Open uses dir, an absolute path, for trees, and makes it where it is missing.
// Only root may look into it: trees hold set-user-ID programs of strangers.
// Trees in the seeds, absolute paths too, are used before those in dir; nothing
// is ever changed there, and they need not exist.
func Open(dir string, seeds ...string) (*Store, error) {
	ingest := filepath.Join(dir, ingestDir)
	if _, err := os.Stat(ingest); errors.Is(err, fs.ErrNotExist) {
		if err := os.MkdirAll(ingest, 0o700); err != nil {
			return nil, fmt.Errorf("make directory of trees: %w", err)
		}
	}
	return &Store{dir: dir, seeds: seeds}, nil
}

// Dir is the directory the store was opened at: where trees are made.
func (s *Store) Dir() string { return s.dir }

// Name is the directory name of the tree of a layer of an image of this kind:
// an ACI's tar gives another tree than the same tar as an OCI layer.
func Name(kind image.Kind, diffID digest.Digest) string {
	hex := strings.TrimPrefix(diffID.String(), "sha256:")
	if kind == image.Appc {
		return "aci-" + hex
	}
	return "sha256-" + hex
}

// Path is where the tree of this name is, or would be.
func (s *Store) Path(name string) string { return filepath.Join(s.home(name), name, fsDir) }

// Has reports whether the tree is there, whole.
func (s *Store) Has(name string) bool {
	_, err := os.Lstat(filepath.Join(s.home(name), name))
	return err == nil
}

// Seeded reports whether the tree is in a directory that is only read.
func (s *Store) Seeded(name string) bool { return s.home(name) != s.dir }

// home is the directory of the tree: the first seed that has it, or the store's.
func (s *Store) home(name string) string {
	for _, seed := range s.seeds {
		if _, err := os.Lstat(filepath.Join(seed, name)); err == nil {
			return seed
		}
	}
	return s.dir
}

// Staging is a tree that is being made.
type Staging struct {
	store *Store
	name  string
	dir   string
	lock  *flock.Lock
}

// Begin starts a tree, or waits for the process that makes it already. It
// returns nil where the tree is there.
func (s *Store) Begin(ctx context.Context, name string) (*Staging, error) {
	st := &Staging{store: s, name: name, dir: filepath.Join(s.dir, ingestDir, name)}
	return st.begin(ctx, func() bool { return s.Has(name) })
}

func (st *Staging) begin(ctx context.Context, done func() bool) (*Staging, error) {
	name := st.name
	lock, err := flock.MakeDir(ctx, st.dir, done)
	if err != nil {
		return nil, fmt.Errorf("begin tree %s: %w", name, err)
	}
	if lock == nil {
		return nil, nil
	}
	st.lock = lock
	// What a killed process left is of unknown worth.
	for _, old := range []string{fsDir, metaFile} {
		if err := os.RemoveAll(filepath.Join(st.dir, old)); err != nil {
			return nil, errors.Join(fmt.Errorf("begin tree %s: %w", name, err), st.Discard())
		}
	}
	if err := os.Mkdir(st.Dir(), 0o755); err != nil {
		return nil, errors.Join(fmt.Errorf("begin tree %s: %w", name, err), st.Discard())
	}
	// The mode of the root of a layer that does not describe it.
	if err := os.Chmod(st.Dir(), 0o755); err != nil {
		return nil, errors.Join(fmt.Errorf("begin tree %s: %w", name, err), st.Discard())
	}
	return st, nil
}

// Dir is where to unpack.
func (st *Staging) Dir() string { return filepath.Join(st.dir, fsDir) }

// Finish completes the tree with what was unpacked into Dir, without showing
// it. It refuses proof of another layer's unpacking.
func (st *Staging) Finish(kind image.Kind, u layer.Unpacked) error {
	if Name(kind, u.Layer().DiffID) != st.name || u.Layer().Digest == "" {
		return fmt.Errorf("finish tree %s: unpacked was %q", st.name, u.Layer().DiffID)
	}
	return st.finish(u.Stats())
}

func (st *Staging) finish(meta layer.Stats) error {
	raw, err := json.Marshal(meta)
	if err != nil {
		return fmt.Errorf("finish tree %s: %w", st.name, err)
	}
	return atomicfile.Write(filepath.Join(st.dir, metaFile), raw, 0o600, atomicfile.Options{NoSync: true})
}

// Publish shows the finished tree, by one rename. The caller has brought the
// tree to the disk before, and makes the rename durable afterwards if it must
// be (SyncDir of Store.Dir).
func (st *Staging) Publish() error {
	if err := os.Rename(st.dir, filepath.Join(st.store.dir, st.name)); err != nil {
		return errors.Join(fmt.Errorf("publish tree: %w", err), st.Discard())
	}
	return st.lock.Close()
}

// Discard removes what was made. After Publish it does nothing.
func (st *Staging) Discard() error {
	if st.lock.Fd() < 0 {
		return nil
	}
	return errors.Join(os.RemoveAll(st.dir), st.lock.Close())
}

// Stats are what is recorded of a tree.
func (s *Store) Stats(name string) (layer.Stats, error) {
	var meta layer.Stats
	f, err := os.Open(filepath.Join(s.home(name), name, metaFile))
	if err != nil {
		return meta, fmt.Errorf("read tree: %w", err)
	}
	raw, err := readLimited(f, maxMetaBytes)
	if err := errors.Join(err, f.Close()); err != nil {
		return meta, fmt.Errorf("read tree %s: %w", name, err)
	}
	if err := json.Unmarshal(raw, &meta); err != nil {
		return meta, fmt.Errorf("read tree %s: %w", name, err)
	}
	return meta, nil
}

// Hide takes all trees but those in keep out of sight, so that nobody may begin
// to use them; Sweep removes them. The caller holds off users while it runs.
func (s *Store) Hide(keep map[string]bool) (int, error) {
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return 0, fmt.Errorf("list trees: %w", err)
	}
	n := 0
	for _, e := range entries {
		if keep[e.Name()] || e.Name() == ingestDir {
			continue
		}
		if _, err := s.hide(e.Name()); err != nil {
			return n, fmt.Errorf("hide tree: %w", err)
		}
		n++
	}
	return n, nil
}

// hide takes a tree out of sight, and says where it is.
func (s *Store) hide(name string) (dead string, err error) {
	dead = deadPath(filepath.Join(s.dir, ingestDir), name)
	return dead, os.Rename(filepath.Join(s.dir, name), dead)
}

// deadPath is a place in dir for what is to be removed. Nobody else has it: several
// processes may be removing what had one name.
func deadPath(dir, name string) string {
	return filepath.Join(dir, deadPrefix+name+"."+rand.Text())
}

// Sweep removes hidden trees and those whose makers are gone. It may be called
// at any time.
func (s *Store) Sweep() error { return SweepDir(filepath.Join(s.dir, ingestDir), nil) }

// SweepDir removes every directory in dir whose lock nobody holds, but for those
// that keep wants; nil wants none.
func SweepDir(dir string, keep func(path string) bool) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("sweep: %w", err)
	}
	var errs []error
	for _, e := range entries {
		if keep == nil || !keep(filepath.Join(dir, e.Name())) {
			errs = append(errs, sweepOne(dir, e.Name()))
		}
	}
	return errors.Join(errs...)
}

func sweepOne(dir, name string) error {
	path := filepath.Join(dir, name)
	lock, err := flock.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("sweep: %w", err)
	}
	ok, err := lock.TryExclusive()
	if ok && err == nil {
		ok, err = lock.Is(path)
	}
	if ok && err == nil && !strings.HasPrefix(name, deadPrefix) {
		// Renamed first: whoever makes this name anew must not lose it.
		dead := deadPath(dir, name)
		err = os.Rename(path, dead)
		path = dead
	}
	if ok && err == nil {
		err = os.RemoveAll(path)
	}
	if err != nil {
		err = fmt.Errorf("sweep: %w", err)
	}
	return errors.Join(err, lock.Close())
}
