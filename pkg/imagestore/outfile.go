package imagestore

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/raket/raket/pkg/atomicfile"
)

// ExistsError is a file or directory that is in the way.
type ExistsError struct{ Path string }

func (e *ExistsError) Error() string { return fmt.Sprintf("%q is there already", e.Path) }

// Hint says what to do.
func (e *ExistsError) Hint() string { return "use --overwrite, or another name" }

// writeFile makes path of what fill writes: all of it or nothing. While it is
// written the file has no name, so that a killed process leaves none. What is
// no regular file, as a terminal or a pipe, is written to as it is.
func (s *Store) writeFile(path string, overwrite bool, fill func(io.Writer) error) error {
	fi, err := os.Stat(path)
	switch {
	case err == nil && fi.IsDir():
		return fmt.Errorf("%q is a directory", path)
	case err == nil && !fi.Mode().IsRegular():
		return fillDevice(path, fill)
	case err == nil && !overwrite:
		return &ExistsError{path}
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return err
	}
	dir := filepath.Dir(path)
	fd, err := unix.Open(dir, unix.O_TMPFILE|unix.O_WRONLY|unix.O_CLOEXEC, 0o644)
	if errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.EISDIR) {
		return s.writeNamed(path, overwrite, fill)
	}
	if err != nil {
		return &os.PathError{Op: "write in", Path: dir, Err: err}
	}
	f := os.NewFile(uintptr(fd), path)
	defer f.Close()
	s.step("fill file")
	if err := fill(f); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	s.step("name file")
	self := fmt.Sprintf("/proc/self/fd/%d", f.Fd())
	err = unix.Linkat(unix.AT_FDCWD, self, unix.AT_FDCWD, path, unix.AT_SYMLINK_FOLLOW)
	if errors.Is(err, unix.EEXIST) && overwrite {
		// No call replaces a file by one without a name.
		tmp := filepath.Join(dir, fmt.Sprintf("%s%d", atomicfile.TempPrefix, os.Getpid()))
		err = unix.Linkat(unix.AT_FDCWD, self, unix.AT_FDCWD, tmp, unix.AT_SYMLINK_FOLLOW)
		if err == nil {
			s.step("rename file")
			if err = os.Rename(tmp, path); err != nil {
				err = errors.Join(err, os.Remove(tmp))
			}
		}
	}
	if errors.Is(err, unix.EEXIST) {
		return &ExistsError{path}
	}
	if err != nil {
		return fmt.Errorf("write %q: %w", path, err)
	}
	return atomicfile.SyncDir(dir)
}

func fillDevice(path string, fill func(io.Writer) error) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	return errors.Join(fill(f), f.Close())
}

// writeNamed is writeFile where the file system has no files without names.
func (s *Store) writeNamed(path string, overwrite bool, fill func(io.Writer) error) error {
	f, err := os.CreateTemp(filepath.Dir(path), atomicfile.TempPrefix)
	if err != nil {
		return err
	}
	err = fill(f)
	if err == nil {
		err = errors.Join(f.Chmod(0o644), f.Sync())
	}
	err = errors.Join(err, f.Close())
	switch {
	case err != nil:
	case overwrite:
		err = os.Rename(f.Name(), path)
	default:
		err = os.Link(f.Name(), path)
	}
	if err != nil || !overwrite {
		err = errors.Join(err, os.Remove(f.Name()))
	}
	if errors.Is(err, fs.ErrExist) {
		return &ExistsError{path}
	}
	return err
}
