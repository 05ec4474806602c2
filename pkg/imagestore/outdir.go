package imagestore

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

const partialPrefix = ".raket-partial-"

// writeDir makes the directory path of what fill puts into the empty directory it
// is given: all of it or nothing. A directory that is there must be empty, or
// replaceable. Until it is complete it lies, out of others' sight, beside path; what a
// killed process leaves there the next one for path removes.
func (s *Store) writeDir(ctx context.Context, path string, replaceable func() error, fill func(dir string) error) (err error) {
	if path, err = filepath.Abs(path); err != nil {
		return err
	}
	if err := checkTarget(path, replaceable); err != nil {
		return err
	}
	partial := filepath.Join(filepath.Dir(path), partialPrefix+filepath.Base(path))
	lock, err := flock.MakeDir(ctx, partial, func() bool { return false })
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(partial), lock.Close()) }()
	if err := removeContent(partial); err != nil {
		return err
	}
	fresh := filepath.Join(partial, "new")
	if err := os.Mkdir(fresh, 0o755); err != nil {
		return err
	}
	if err := os.Chmod(fresh, 0o755); err != nil { // whatever the umask
		return err
	}
	s.step("fill directory")
	if err := fill(fresh); err != nil {
		return err
	}
	if err := s.sync.sync(fresh); err != nil {
		return err
	}
	// Whoever waited for the lock finds what the one before made.
	if err := checkTarget(path, replaceable); err != nil {
		return err
	}
	s.step("show directory")
	err = os.Rename(fresh, path) // which takes the place of an empty one
	if errors.Is(err, unix.ENOTEMPTY) || errors.Is(err, unix.EEXIST) {
		err = s.swap(fresh, path, partial)
	}
	if err != nil {
		return fmt.Errorf("write %q: %w", path, err)
	}
	return nil
}

// swap puts fresh in the place of path, which goes below partial.
func (s *Store) swap(fresh, path, partial string) error {
	err := unix.Renameat2(unix.AT_FDCWD, fresh, unix.AT_FDCWD, path, unix.RENAME_EXCHANGE)
	if !errors.Is(err, unix.EINVAL) && !errors.Is(err, unix.ENOSYS) {
		return err
	}
	old := filepath.Join(partial, "old")
	if err := os.Rename(path, old); err != nil {
		return err
	}
	s.step("show directory in the place of another")
	if err := os.Rename(fresh, path); err != nil {
		return errors.Join(err, os.Rename(old, path))
	}
	return nil
}

// checkTarget says what is wrong with a directory to write to.
func checkTarget(path string, replaceable func() error) error {
	fi, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if !fi.IsDir() {
		return fmt.Errorf("%q is not a directory", path)
	}
	empty, err := isEmpty(path)
	if err != nil || empty {
		return err
	}
	return replaceable()
}

func isEmpty(dir string) (bool, error) {
	f, err := os.Open(dir)
	if err != nil {
		return false, err
	}
	defer f.Close()
	names, _ := f.Readdirnames(1)
	return len(names) == 0, nil
}

func removeContent(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if err := os.RemoveAll(filepath.Join(dir, e.Name())); err != nil {
			return err
		}
	}
	return nil
}
