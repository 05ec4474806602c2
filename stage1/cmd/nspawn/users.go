package main

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/raket/raket/pkg/idmap"
	"github.com/raket/raket/pkg/stageabi"
)

// openUsers makes the map of the pod's user IDs, where it has some of its own
// (docs/adr/0018-user-namespaces.md).
func (p *pod) openUsers() (err error) {
	if u := p.sandbox.Users; u != nil {
		p.ids, err = idmap.Open(idmap.Range{Base: u.Base, Count: u.Count})
	}
	return err
}

// chown gives a file of the host's to a user of the pod's.
func (p *pod) chown(path string, uid, gid uint32) error {
	if u := p.sandbox.Users; u != nil {
		uid, gid = u.Base+uid, u.Base+gid
	}
	return os.Lchown(path, int(uid), int(gid))
}

// ownRoot gives the pod's root what is in its root so far, and what the pod writes of its
// directory on the host.
func (p *pod) ownRoot() error {
	if p.ids == nil {
		return nil
	}
	for _, dir := range [...]string{stageabi.StatusDir, stageabi.LogsDir} {
		if err := p.chown(dir, 0, 0); err != nil {
			return err
		}
	}
	return p.ownTree(rootDir)
}

// ownTree gives the pod's root a file, or a directory and all in it, where that is another
// user than the host's.
func (p *pod) ownTree(path string) error {
	if p.ids == nil {
		return nil
	}
	return filepath.WalkDir(path, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return p.chown(path, 0, 0)
	})
}

// enterNetwork moves this thread, and what it executes, to the pod's network: nspawn would
// do that as the pod's root, who has no rights over a network that the host's root made.
// For that reason apps may bind every port there and send pings without rights.
func enterNetwork(fd int) error {
	if err := unix.Setns(fd, unix.CLONE_NEWNET); err != nil {
		return fmt.Errorf("join the pod's network: %w", err)
	}
	for name, value := range map[string]string{"ip_unprivileged_port_start": "0", "ping_group_range": "0 2147483647"} {
		if err := os.WriteFile("/proc/sys/net/ipv4/"+name, []byte(value), 0); err != nil {
			return fmt.Errorf("open the pod's network to its apps: %w", err)
		}
	}
	return nil
}
