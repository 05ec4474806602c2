package main

import (
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/raket/raket/stage2/bare"
)

// lent is what the root of an app takes of the pod where that has a user namespace: in
// one nobody makes device nodes, and who has not made the network namespace, as with
// --net=host, cannot mount its /sys.
type lent struct {
	given bool
	sys   loan
	nodes [len(nodes)]loan
}

// take copies it, and puts a copy of the app's root on itself: a mount that came along
// into the user namespace is locked in its place, and can be nobody's root.
func (l *lent) take(root bare.Str) bare.Failure {
	l.given = true
	var bad bare.Failure
	if l.sys, bad = borrow("/sys\x00", true); bad.Failed() {
		return bad
	}
	for i := range nodes {
		if l.nodes[i], bad = borrow(nodes[i].path, false); bad.Failed() {
			return bad
		}
	}
	tree, bad := borrow(root, true)
	if bad.Failed() {
		return bad
	}
	return tree.attach()
}

// borrow copies the mount at a place of the pod's, for the same place of the app's.
func borrow(path bare.Str, dir bool) (loan, bare.Failure) {
	l := loan{source: path, target: path, dir: dir, wanted: true}
	fd, errno := 0, syscall.Errno(0)
	if dir {
		fd, errno = bare.OpenTrees(path)
	} else {
		fd, errno = bare.OpenTree(path)
	}
	l.tree = fd
	return l, bare.Check("share", path.Text(), errno)
}

// placeNodes puts the device nodes into the app's /dev.
func (l *lent) placeNodes() bare.Failure {
	if !l.given {
		return bare.Failure{}
	}
	for i := range l.nodes {
		if bad := l.nodes[i].place(); bad.Failed() {
			return bad
		}
	}
	return bare.Failure{}
}

// mountSys mounts /sys, read-only.
func (l *lent) mountSys() bare.Failure {
	if !l.given {
		return mountAt("sysfs\x00", "/sys\x00", apiFlags|unix.MS_RDONLY, "")
	}
	errno := mountPoint("/sys\x00")
	if errno == 0 {
		errno = bare.ReadOnlyTrees(l.sys.tree)
	}
	if errno != 0 {
		return bare.Check("mount", "/sys", errno)
	}
	return l.sys.attach()
}
