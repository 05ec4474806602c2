package inotify

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// Watch tells of changes in a directory.
type Watch struct{ f *os.File }

// Dir watches a directory: files written, made, renamed, removed in it.
func Dir(dir string) (*Watch, error) {
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		return nil, fmt.Errorf("watch %s: %w", dir, err)
	}
	const changes = unix.IN_MODIFY | unix.IN_CREATE | unix.IN_MOVED_TO | unix.IN_MOVED_FROM | unix.IN_DELETE | unix.IN_CLOSE_WRITE
	if _, err := unix.InotifyAddWatch(fd, dir, changes|unix.IN_ONLYDIR); err != nil {
		return nil, errors.Join(fmt.Errorf("watch %s: %w", dir, err), unix.Close(fd))
	}
	// Not blocking, so that Close ends a Wait.
	return &Watch{os.NewFile(uintptr(fd), "inotify")}, nil
}

// Wait returns when something has changed since it last returned. After Close it returns an
// error that wraps os.ErrClosed.
func (w *Watch) Wait() error {
	// One read takes all that is queued; what changed is looked up, not parsed.
	var buf [64 * 1024]byte
	if _, err := w.f.Read(buf[:]); err != nil {
		return fmt.Errorf("wait for a change: %w", err)
	}
	return nil
}

// Close ends the watch.
func (w *Watch) Close() error { return w.f.Close() }
