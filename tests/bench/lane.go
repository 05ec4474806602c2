package main

import (
	"errors"
	"fmt"
	"runtime"
	"syscall"
)

// lane is an operating system thread with a mount namespace of its own. What it starts sees that namespace, and what it mounts
// is gone when the last of those processes is.
type lane struct {
	jobs chan func()
	h    hierarchies
	// escape are v2 cgroups that contenders of this lane use beside their run's.
	escape []string
	serial *int // numbers the runs of all lanes
	prefix string
}

// newLane makes the namespace and runs setup in it. The thread lives until close.
func newLane(h hierarchies, prefix string, serial *int, setup func() error) (*lane, error) {
	l := &lane{jobs: make(chan func()), h: h, serial: serial, prefix: prefix}
	ready := make(chan error)
	go func() {
		// Never unlocked: Go ends the thread with the goroutine, so no other goroutine inherits the namespace.
		runtime.LockOSThread()
		ready <- func() error {
			if err := syscall.Unshare(syscall.CLONE_FS | syscall.CLONE_NEWNS); err != nil {
				return fmt.Errorf("unshare a mount namespace: %w", err)
			}
			if err := syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""); err != nil {
				return fmt.Errorf("make mounts private: %w", err)
			}
			return setup()
		}()
		for job := range l.jobs {
			job()
		}
	}()
	if err := <-ready; err != nil {
		l.close()
		return nil, err
	}
	return l, nil
}

// do runs a function on the lane's thread.
func (l *lane) do(f func() error) error {
	done := make(chan error)
	l.jobs <- func() { done <- f() }
	return <-done
}

func (l *lane) close() { close(l.jobs) }

// hideUnified takes the unified hierarchy out of a hybrid layout, in the calling thread's mount namespace only.
func hideUnified(h hierarchies) func() error {
	return func() error {
		if !h.hybrid() {
			return nil
		}
		if err := syscall.Unmount(cgroupMount+"/unified", syscall.MNT_DETACH); err != nil && !errors.Is(err, syscall.EINVAL) {
			return fmt.Errorf("hide the unified hierarchy: %w", err)
		}
		return nil
	}
}

// group makes the next run's cgroup.
func (l *lane) group() (*group, error) {
	*l.serial++
	return l.h.newGroup(fmt.Sprintf("%s-%d", l.prefix, *l.serial), l.escape)
}
