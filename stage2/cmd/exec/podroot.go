package main

import (
	"golang.org/x/sys/unix"

	"github.com/raket/raket/stage2/podview"
)

// openPodRoot opens the pod's root: that of this process or, where systemd has
// entered an app's root, that of process 1.
func openPodRoot(inApp bool) (int, error) {
	if !inApp {
		return unix.Open("/", pathFlags, 0)
	}
	proc, err := podview.Processes()
	if err != nil {
		return -1, wrap("look at the pod's processes", err)
	}
	return unix.Openat(proc, "1/root", pathFlags, 0)
}
