package flock

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Lock is an open file or directory that can be locked. It is not safe for
// concurrent use.
type Lock struct {
	path string
	fd   int
}

// Open opens an existing file or directory, without locking it. The
// descriptor is close-on-exec until Inherit. The error wraps fs.ErrNotExist
// where there is no such path.
func Open(path string) (*Lock, error) {
	return open(path, unix.O_RDONLY, 0)
}

// Create opens a file for locking and makes it, empty and with mode 0600 as
// far as the umask allows, where it does not exist.
func Create(path string) (*Lock, error) {
	return open(path, unix.O_RDWR|unix.O_CREAT|unix.O_NOFOLLOW, 0o600)
}

func open(path string, flags int, mode uint32) (*Lock, error) {
	for {
		fd, err := unix.Open(path, flags|unix.O_CLOEXEC, mode)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return nil, &os.PathError{Op: "open lock", Path: path, Err: err}
		}
		return &Lock{path: path, fd: fd}, nil
	}
}

// FromFd takes over a descriptor, inherited or received, that may already
// hold a lock. The name is used in errors only. It fails on a descriptor that
// is not open.
func FromFd(fd int, name string) (*Lock, error) {
	if _, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err != nil {
		return nil, fmt.Errorf("take lock descriptor %d of %s: %w", fd, name, err)
	}
	return &Lock{path: name, fd: fd}, nil
}

// TryExclusive takes the lock for this holder alone, or turns a shared lock
// into that, without waiting. It reports whether it has it.
func (l *Lock) TryExclusive() (bool, error) { return l.try(unix.LOCK_EX) }

// TryShared takes the lock together with other shared holders, without
// waiting. It reports whether it has it.
func (l *Lock) TryShared() (bool, error) { return l.try(unix.LOCK_SH) }

// Exclusive waits until it holds the lock alone.
func (l *Lock) Exclusive() error { return l.wait(unix.LOCK_EX) }

// Shared waits until it holds the lock with shared holders only.
func (l *Lock) Shared() error { return l.wait(unix.LOCK_SH) }

// ExclusiveContext is Exclusive that gives up when ctx ends, with ctx's error.
func (l *Lock) ExclusiveContext(ctx context.Context) error {
	return l.poll(ctx, unix.LOCK_EX)
}

// SharedContext is Shared that gives up when ctx ends, with ctx's error.
func (l *Lock) SharedContext(ctx context.Context) error {
	return l.poll(ctx, unix.LOCK_SH)
}

// poll tries at growing intervals: flock(2) cannot be cancelled, and a
// goroutine left blocked in it could take the lock after all.
func (l *Lock) poll(ctx context.Context, how int) error {
	delay := time.Millisecond
	for {
		ok, err := l.try(how)
		if ok || err != nil {
			return err
		}
		timer := time.NewTimer(delay)
		select {
		case <-ctx.Done():
			timer.Stop()
			return fmt.Errorf("wait for lock %s: %w", l.path, ctx.Err())
		case <-timer.C:
		}
		delay = min(2*delay, 50*time.Millisecond)
	}
}

// MakeDir makes the directory where it is missing, with mode 0700, and waits
// until it holds its lock alone. A holder may rename the directory to its final
// place or remove it; those who waited then ask done, and begin again unless it
// reports that there is nothing left to do, when MakeDir returns nil and no
// error. Content that a killed holder left is still there.
func MakeDir(ctx context.Context, path string, done func() bool) (*Lock, error) {
	for {
		if done() {
			return nil, nil
		}
		if err := os.Mkdir(path, 0o700); err != nil && !errors.Is(err, os.ErrExist) {
			return nil, fmt.Errorf("make lock directory: %w", err)
		}
		l, err := Open(path)
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		err = l.ExclusiveContext(ctx)
		here := false
		if err == nil {
			here, err = l.Is(path)
		}
		switch {
		case err != nil:
			return nil, errors.Join(err, l.Close())
		case here && !done():
			return l, nil
		case here:
			// Done by one that did not need the directory.
			return nil, errors.Join(os.RemoveAll(path), l.Close())
		}
		if err := l.Close(); err != nil {
			return nil, err
		}
	}
}

// Unlock drops the lock and keeps the descriptor.
func (l *Lock) Unlock() error { return l.wait(unix.LOCK_UN) }

func (l *Lock) try(how int) (bool, error) {
	for {
		err := unix.Flock(l.fd, how|unix.LOCK_NB)
		switch {
		case err == nil:
			return true, nil
		case errors.Is(err, syscall.EINTR):
			continue
		case errors.Is(err, syscall.EWOULDBLOCK):
			return false, nil
		}
		return false, &os.PathError{Op: "lock", Path: l.path, Err: err}
	}
}

func (l *Lock) wait(how int) error {
	for {
		err := unix.Flock(l.fd, how)
		if err == nil {
			return nil
		}
		if !errors.Is(err, syscall.EINTR) {
			return &os.PathError{Op: "lock", Path: l.path, Err: err}
		}
	}
}

// Fd is the descriptor that holds the lock, -1 once closed.
func (l *Lock) Fd() int { return l.fd }

// Path is the path the lock was opened at.
func (l *Lock) Path() string { return l.path }

// Inherit lets the descriptor, and with it the lock, live on in programs this
// process executes from now on.
func (l *Lock) Inherit() error { return l.setFlags(0) }

// NoInherit undoes Inherit.
func (l *Lock) NoInherit() error { return l.setFlags(unix.FD_CLOEXEC) }

func (l *Lock) setFlags(flags int) error {
	if _, err := unix.FcntlInt(uintptr(l.fd), unix.F_SETFD, flags); err != nil {
		return fmt.Errorf("set close-on-exec of lock %s: %w", l.path, err)
	}
	return nil
}

// Is reports whether path still names what was opened: false after the
// file was renamed away, removed or replaced.
func (l *Lock) Is(path string) (bool, error) {
	var here, there unix.Stat_t
	if err := unix.Fstat(l.fd, &here); err != nil {
		return false, &os.PathError{Op: "stat lock", Path: l.path, Err: err}
	}
	err := unix.Stat(path, &there)
	if errors.Is(err, syscall.ENOENT) {
		return false, nil
	}
	if err != nil {
		return false, &os.PathError{Op: "stat lock", Path: path, Err: err}
	}
	return here.Dev == there.Dev && here.Ino == there.Ino, nil
}

// Close closes this process's descriptor. The lock is dropped unless another
// process has inherited it. Closing twice is harmless.
func (l *Lock) Close() error {
	if l.fd < 0 {
		return nil
	}
	fd := l.fd
	l.fd = -1
	if err := unix.Close(fd); err != nil {
		return &os.PathError{Op: "close lock", Path: l.path, Err: err}
	}
	return nil
}
