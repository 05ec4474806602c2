package atomicfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// TempPrefix begins the name of every temporary file made here, so that a
// collector can tell a leftover of a killed process from data.
const TempPrefix = ".tmp-"

// Options say how a file is written. The zero value writes durably.
type Options struct {
	// NoSync leaves out both fsyncs: atomic for other processes, but not
	// across a power loss.
	NoSync bool
	// Exclusive refuses to replace an existing file; the error then is
	// fs.ErrExist.
	Exclusive bool
}

// WriteFile durably replaces path by a file with this content and these
// permission bits (the umask does not apply).
func WriteFile(path string, data []byte, perm fs.FileMode) error {
	return Write(path, data, perm, Options{})
}

// Write replaces path as opts say. On an error path is untouched and the
// temporary file is gone, unless the error came from syncing the directory
// after the rename: then the new content is visible but may not survive a
// power loss.
func Write(path string, data []byte, perm fs.FileMode, opts Options) error {
	dir := filepath.Dir(path)
	f, err := os.CreateTemp(dir, TempPrefix)
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	tmp := f.Name()
	if err := fill(f, data, perm, opts); err != nil {
		return errors.Join(fmt.Errorf("write %s: %w", path, err), os.Remove(tmp))
	}
	if err := place(tmp, path, opts); err != nil {
		return errors.Join(fmt.Errorf("write %s: %w", path, err), os.Remove(tmp))
	}
	if opts.NoSync {
		return nil
	}
	return SyncDir(dir)
}

func fill(f *os.File, data []byte, perm fs.FileMode, opts Options) error {
	_, err := f.Write(data)
	if err == nil {
		err = f.Chmod(perm)
	}
	if err == nil && !opts.NoSync {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// place gives the finished temporary file its name.
func place(tmp, path string, opts Options) error {
	if !opts.Exclusive {
		return os.Rename(tmp, path)
	}
	if err := os.Link(tmp, path); err != nil {
		return err
	}
	return os.Remove(tmp)
}

// SyncDir makes the entries of dir durable: names created, renamed or removed
// in it survive a power loss once it returns.
func SyncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("sync directory: %w", err)
	}
	err = d.Sync()
	if errors.Is(err, syscall.EINVAL) {
		// Some file systems (overlayfs without an upper directory, FUSE)
		// have no fsync for directories, and then nothing to wait for.
		err = nil
	}
	if err != nil {
		err = fmt.Errorf("sync directory: %w", err)
	}
	return errors.Join(err, d.Close())
}
