package main

import (
	"golang.org/x/sys/unix"

	"github.com/raket/raket/stage2/podview"
)

// leaveApp moves this thread from an app's root, which systemd has entered, to the
// pod's. What it starts starts there.
func leaveApp() error {
	proc, err := podview.Processes()
	if err != nil {
		return wrap("look at the pod's processes", err)
	}
	ns, err := unix.Openat(proc, "1/ns/mnt", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return wrap("find the pod's mounts", err)
	}
	if err := unix.Unshare(unix.CLONE_FS); err != nil {
		return err
	}
	return wrap("enter the pod's mounts", unix.Setns(ns, unix.CLONE_NEWNS))
}
