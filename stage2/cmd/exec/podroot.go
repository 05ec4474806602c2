package main

import "golang.org/x/sys/unix"

// openPodRoot opens the pod's root: that of this process or, where systemd has
// entered an app's root, that of process 1, by a view of the processes that is
// mounted nowhere.
func openPodRoot(inApp bool) (int, error) {
	if !inApp {
		return unix.Open("/", pathFlags, 0)
	}
	fs, err := unix.Fsopen("proc", unix.FSOPEN_CLOEXEC)
	if err != nil {
		return -1, wrap("look at the pod's processes", err)
	}
	if err := unix.FsconfigCreate(fs); err != nil {
		return -1, wrap("look at the pod's processes", err)
	}
	proc, err := unix.Fsmount(fs, unix.FSMOUNT_CLOEXEC, 0)
	if err != nil {
		return -1, wrap("look at the pod's processes", err)
	}
	return unix.Openat(proc, "1/root", pathFlags, 0)
}
