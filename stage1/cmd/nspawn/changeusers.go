package main

import (
	"context"
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/raket/raket/pkg/sd"
)

// connect connects to the pod's systemd, and makes this thread, as far as files go, the pod's
// root: in a pod with users of its own that has no rights on the host. Mounts take
// the host's, so the process stays out of the pod's user namespace.
func (c *changer) connect(ctx context.Context) (*sd.Manager, error) {
	if c.Owner == 0 {
		return sd.ConnectPrivate(ctx)
	}
	if err := c.ownFiles(); err != nil {
		return nil, err
	}
	// The pod's systemd knows its root by the effective user of who connects.
	if err := setEffectiveUser(c.Owner); err != nil {
		return nil, err
	}
	m, err := sd.ConnectPrivate(ctx)
	// This sets the user of files as well.
	if serr := setEffectiveUser(0); serr != nil {
		return nil, serr
	}
	if ferr := c.ownFiles(); ferr != nil {
		return nil, ferr
	}
	return m, err
}

// ownFiles has this thread read and write files as the pod's root.
func (c *changer) ownFiles() error {
	for _, set := range []func(int) (int, error){unix.SetfsgidRetGid, unix.SetfsuidRetUid} {
		if _, err := set(c.Owner); err != nil {
			return err
		}
		// Neither says whether it has.
		if now, err := set(c.Owner); err != nil || now != c.Owner {
			return fmt.Errorf("become the pod's root for files: user %d still (%v)", now, err)
		}
	}
	return nil
}

// setEffectiveUser is seteuid(2) for this thread alone.
func setEffectiveUser(uid int) error {
	const keep = ^uintptr(0)
	if _, _, errno := unix.RawSyscall(unix.SYS_SETRESUID, keep, uintptr(uid), keep); errno != 0 {
		return fmt.Errorf("become user %d: %w", uid, errno)
	}
	return nil
}

// covered reports whether a mount stays at path that was there at the start of a pod with
// users of its own: the kernel parts it from what it is mounted on for nobody. What is mounted there
// later covers it.
func (c *changer) covered(path string) bool { return c.Owner != 0 && mounted(path) }
