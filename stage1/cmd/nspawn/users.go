package main

import (
	"io/fs"
	"os"
	"path/filepath"

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
	return filepath.WalkDir(rootDir, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return p.chown(path, 0, 0)
	})
}
