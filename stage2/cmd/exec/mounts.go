package main

import (
	"errors"

	"golang.org/x/sys/unix"
)

const apiFlags = unix.MS_NOSUID | unix.MS_NOEXEC | unix.MS_NODEV

// readOnlyPaths and maskedPaths are what docker and rkt protect in every
// container: kernel knobs that root without capabilities could still turn.
var (
	readOnlyPaths = [...]string{"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"}
	maskedFiles   = [...]string{"/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/timer_list", "/proc/timer_stats", "/proc/sched_debug", "/proc/kmsg"}
	maskedDirs    = [...]string{"/proc/acpi", "/proc/asound", "/proc/scsi", "/sys/firmware", "/sys/devices/virtual/powercap"}
)

// emptyDir covers masked directories.
const emptyDir = "/dev/raket/empty"

// What the pod lends to the roots of its apps: where it is in the pod's root,
// and where in the app's.
const (
	notifyVar    = "NOTIFY_SOCKET="
	notifySource = "/run/systemd/notify"
	notifyPath   = "/dev/raket/notify"
	logSource    = "/run/systemd/journal/dev-log"
	logPath      = "/dev/log"
)

// enterRoot moves the thread into a mount namespace of its own whose root is
// the app's, with /proc, /sys and /dev.
//
// systemd could do it (RootDirectory=, MountAPIVFS=, ProtectKernelTunables=),
// at several times the processor time for each app.
func enterRoot(o options) error {
	if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
		return wrap("make a mount namespace", err)
	}
	// The pod's mounts are shared ones; nothing below may reach the pod.
	if err := unix.Mount("", "/", "", unix.MS_PRIVATE|unix.MS_REC, ""); err != nil {
		return wrap("make the pod's mounts private", err)
	}
	loans, err := takeLoans(o)
	if err != nil {
		return err
	}
	if err := unix.Chdir(o.root); err != nil {
		return wrap("enter the app's root", err)
	}
	// From here on no symbolic link of the image leads out of it.
	if err := unix.PivotRoot(".", "."); err != nil {
		return wrap("make the app's root the root", err)
	}
	if err := unix.Unmount(".", unix.MNT_DETACH); err != nil {
		return wrap("detach the pod's root", err)
	}
	if err := unix.Chdir("/"); err != nil {
		return wrap("enter the app's root", err)
	}
	if err := mountAt("proc", "/proc", apiFlags, ""); err != nil {
		return err
	}
	if err := mountAt("sysfs", "/sys", apiFlags|unix.MS_RDONLY, ""); err != nil {
		return err
	}
	if err := mountDev(); err != nil {
		return err
	}
	if !o.openPaths {
		if err := protect(); err != nil {
			return err
		}
	}
	for _, l := range loans {
		if err := l.place(); err != nil {
			return err
		}
	}
	if err := sealDev(); err != nil {
		return err
	}
	if o.readOnly {
		err := unix.Mount("", "/", "", unix.MS_REMOUNT|unix.MS_BIND|unix.MS_RDONLY, "")
		return wrap("make the root read-only", err)
	}
	return nil
}

// mountAt mounts a file system of the kernel's, making the mount point if the
// image has none. A symbolic link is none: what is mounted through it could be
// out of reach of protect, by its name, and in reach of the app, by another.
func mountAt(fstype, target string, flags uintptr, data string) error {
	var st unix.Stat_t
	err := unix.Lstat(target, &st)
	switch {
	case errors.Is(err, unix.ENOENT):
		err = unix.Mkdir(target, 0o755)
	case err == nil && st.Mode&unix.S_IFMT != unix.S_IFDIR:
		err = unix.ENOTDIR
	}
	if err == nil {
		err = unix.Mount(fstype, target, fstype, flags, data)
	}
	return wrap("mount "+target, err)
}

// loan is a detached copy of a mount of the pod's, and where it goes in the app's root.
type loan struct {
	tree   int
	target string
	dir    bool
}

// takeLoans copies what apps of a pod share: POSIX shared memory goes with the
// IPC namespace; the sockets lead to systemd and to the host's journal.
func takeLoans(o options) ([]loan, error) {
	want := []struct {
		source, target string
		dir, optional  bool
	}{{"/dev/shm", "/dev/shm", true, false}, {logSource, logPath, false, true}}
	if o.notify {
		want = append(want, struct {
			source, target string
			dir, optional  bool
		}{notifySource, notifyPath, false, false})
	}
	loans := make([]loan, 0, len(want))
	for _, w := range want {
		fd, err := unix.OpenTree(unix.AT_FDCWD, w.source, unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC)
		if w.optional && errors.Is(err, unix.ENOENT) {
			continue
		}
		if err != nil {
			return nil, wrap("share "+w.source, err)
		}
		loans = append(loans, loan{fd, w.target, w.dir})
	}
	return loans, nil
}

// place mounts the loan. All targets are in the app's own /dev, where no image
// has laid anything out.
func (l loan) place() error {
	if !l.dir {
		fd, err := unix.Open(l.target, unix.O_CREAT|unix.O_EXCL|unix.O_WRONLY|unix.O_CLOEXEC, 0o666)
		if err != nil {
			return wrap("make "+l.target, err)
		}
		_ = unix.Close(fd)
	}
	if err := unix.MoveMount(l.tree, "", unix.AT_FDCWD, l.target, unix.MOVE_MOUNT_F_EMPTY_PATH); err != nil {
		return wrap("share "+l.target, err)
	}
	return wrap("close "+l.target, unix.Close(l.tree))
}

func protect() error {
	for _, p := range maskedFiles {
		if err := bind("/dev/null", p, 0); err != nil {
			return err
		}
	}
	for _, p := range maskedDirs {
		if err := bind(emptyDir, p, unix.MS_RDONLY); err != nil {
			return err
		}
	}
	for _, p := range readOnlyPaths {
		if err := bind(p, p, unix.MS_RDONLY); err != nil {
			return err
		}
	}
	return nil
}

// bind mounts source on target, which this kernel need not have.
func bind(source, target string, flags uintptr) error {
	err := unix.Mount(source, target, "", unix.MS_BIND, "")
	if errors.Is(err, unix.ENOENT) {
		return nil
	}
	if err == nil && flags != 0 {
		err = unix.Mount("", target, "", unix.MS_REMOUNT|unix.MS_BIND|apiFlags|flags, "")
	}
	return wrap("protect "+target, err)
}
