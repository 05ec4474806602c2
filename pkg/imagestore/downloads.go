package imagestore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/raket/raket/pkg/flock"
	"github.com/raket/raket/pkg/image"
)

// Download is a directory for a file that is being downloaded. What is in it
// survives its maker, for whoever asks for the same file next.
type Download struct {
	dir  string
	lock *flock.Lock
}

// Download returns the directory for what is at a URL, and locks it: another
// process with the same wish waits. Nothing else may be waited for with the lock
// held but blobs and trees.
func (s *Store) Download(ctx context.Context, url string) (*Download, error) {
	if err := os.MkdirAll(s.path("downloads"), 0o750); err != nil {
		return nil, fmt.Errorf("begin download: %w", err)
	}
	dir := s.path("downloads", image.Sum([]byte(url)).Encoded())
	lock, err := flock.MakeDir(ctx, dir, func() bool { return false })
	if err != nil {
		return nil, fmt.Errorf("begin download: %w", err)
	}
	return &Download{dir: dir, lock: lock}, nil
}

// Dir is the directory, absolute.
func (d *Download) Dir() string { return d.dir }

// Close keeps what was downloaded and lets others go on. Doing it again, or
// after Remove, is harmless.
func (d *Download) Close() error { return d.lock.Close() }

// Remove removes what was downloaded.
func (d *Download) Remove() error {
	if d.lock.Fd() < 0 {
		return nil
	}
	return errors.Join(os.RemoveAll(d.dir), d.lock.Close())
}

// sweepDownloads removes what nobody is at and nothing was added to since a time.
func (s *Store) sweepDownloads(oldest time.Time) error {
	dir := s.path("downloads")
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("collect: %w", err)
	}
	var errs []error
	for _, e := range entries {
		if touchedAfter(filepath.Join(dir, e.Name()), oldest) {
			continue
		}
		errs = append(errs, sweepDownload(filepath.Join(dir, e.Name())))
	}
	return errors.Join(errs...)
}

func sweepDownload(dir string) error {
	lock, err := flock.Open(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("collect: %w", err)
	}
	ok, err := lock.TryExclusive()
	if ok && err == nil {
		ok, err = lock.Is(dir)
	}
	if ok && err == nil {
		err = os.RemoveAll(dir)
	}
	return errors.Join(err, lock.Close())
}

// touchedAfter looks at the files, which change as bytes come.
func touchedAfter(dir string, oldest time.Time) bool {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return false
	}
	for _, e := range entries {
		if fi, err := e.Info(); err == nil && fi.ModTime().After(oldest) {
			return true
		}
	}
	return false
}

// Wipe removes what was downloaded and keeps the lock, for another try.
func (d *Download) Wipe() error {
	entries, err := os.ReadDir(d.dir)
	for _, e := range entries {
		err = errors.Join(err, os.Remove(filepath.Join(d.dir, e.Name())))
	}
	return err
}
