package tree

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/raket/raket/pkg/flock"
)

const copyPrefix = "copy-"

// BeginCopy starts a copy of a tree, to compare the tree with. It waits for
// another process that makes one.
func (s *Store) BeginCopy(ctx context.Context, name string) (*Staging, error) {
	st := &Staging{store: s, name: name, dir: filepath.Join(s.dir, ingestDir, copyPrefix+name)}
	return st.begin(ctx, func() bool { return false })
}

// TreeName is the name of the tree that is being made or compared.
func (st *Staging) TreeName() string { return st.name }

// Compare reports each way in which the visible tree differs from the finished
// copy. A tree that is not there is one difference without a path.
func (st *Staging) Compare(ctx context.Context, report func(Difference)) error {
	if !st.store.Has(st.name) {
		report(Difference{How: Missing})
		return nil
	}
	home := filepath.Join(st.store.home(st.name), st.name)
	same, err := sameBytes(filepath.Join(st.dir, metaFile), filepath.Join(home, metaFile))
	if err != nil {
		return fmt.Errorf("compare tree %s: %w", st.name, err)
	}
	if !same {
		report(Difference{Path: metaFile, How: Content, Beside: true})
	}
	if err := compare(ctx, st.Dir(), filepath.Join(home, fsDir), report); err != nil {
		return fmt.Errorf("compare tree %s: %w", st.name, err)
	}
	return nil
}

// Replace puts the finished copy, which the caller has brought to the disk, in
// the visible tree's place, and removes that. At no time is there no tree. The
// caller holds off users.
func (st *Staging) Replace() (err error) {
	if st.store.Seeded(st.name) {
		return errors.Join(fmt.Errorf("replace tree %s: it is in a read-only store", st.name), st.Discard())
	}
	place := filepath.Join(st.store.dir, st.name)
	old, err := flock.Open(place)
	if err == nil {
		// It will be where the copy was made, which others may want to do then.
		defer func() { err = errors.Join(err, old.Close()) }()
		err = old.Exclusive()
	}
	if err == nil {
		err = unix.Renameat2(unix.AT_FDCWD, st.dir, unix.AT_FDCWD, place, unix.RENAME_EXCHANGE)
	}
	switch {
	case err == nil:
		return st.Discard() // of what is now there
	case errors.Is(err, fs.ErrNotExist):
		return st.Publish()
	case errors.Is(err, unix.EINVAL), errors.Is(err, unix.ENOSYS):
		// A file system that can't exchange names.
		dead, err := st.store.hide(st.name)
		if err != nil {
			return errors.Join(fmt.Errorf("replace tree: %w", err), st.Discard())
		}
		return errors.Join(st.Publish(), os.RemoveAll(dead))
	}
	return errors.Join(fmt.Errorf("replace tree %s: %w", st.name, err), st.Discard())
}

// Remove takes the visible tree out of sight and removes it, where it ought not
// to be. The caller holds off users.
func (s *Store) Remove(name string) error {
	if s.Seeded(name) {
		return fmt.Errorf("remove tree %s: it is in a read-only store", name)
	}
	dead, err := s.hide(name)
	if err == nil {
		err = os.RemoveAll(dead)
	}
	if err != nil {
		return fmt.Errorf("remove tree: %w", err)
	}
	return nil
}

// PatchName is the name of the tree that Stack puts on these, where it must.
func PatchName(names []string) string { return patchName(names) }

// BeginPatchCopy is BeginCopy of the patch that Stack puts on these trees, given
// bottom first, filled and finished. It returns nil where they need none.
func (s *Store) BeginPatchCopy(ctx context.Context, names []string) (*Staging, error) {
	var dirs []string
	for i := range names {
		dirs = append(dirs, s.Path(names[len(names)-1-i]))
	}
	fixes, err := s.fixes(names, dirs)
	if err != nil || len(fixes) == 0 {
		return nil, err
	}
	st, err := s.BeginCopy(ctx, patchName(names))
	if err != nil {
		return nil, err
	}
	if err := st.finishPatch(fixes); err != nil {
		return nil, errors.Join(fmt.Errorf("copy tree %s: %w", st.name, err), st.Discard())
	}
	return st, nil
}

// List names the trees in the store's own directory.
func (s *Store) List() ([]string, error) {
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return nil, fmt.Errorf("list trees: %w", err)
	}
	var list []string
	for _, e := range entries {
		if e.Name() != ingestDir {
			list = append(list, e.Name())
		}
	}
	return list, nil
}
