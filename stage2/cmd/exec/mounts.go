package main

import (
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/raket/raket/stage2/bare"
)

const apiFlags = unix.MS_NOSUID | unix.MS_NOEXEC | unix.MS_NODEV

// readOnlyPaths and maskedPaths are what docker and rkt protect in every
// container: kernel knobs that root without capabilities could still turn.
var (
	readOnlyPaths = [...]bare.Str{"/proc/bus\x00", "/proc/fs\x00", "/proc/irq\x00", "/proc/sys\x00", "/proc/sysrq-trigger\x00"}
	maskedFiles   = [...]bare.Str{
		"/proc/kcore\x00", "/proc/keys\x00", "/proc/latency_stats\x00", "/proc/timer_list\x00", "/proc/timer_stats\x00", "/proc/sched_debug\x00",
		"/proc/kmsg\x00",
	}
	maskedDirs = [...]bare.Str{"/proc/acpi\x00", "/proc/asound\x00", "/proc/scsi\x00", "/sys/firmware\x00", "/sys/devices/virtual/powercap\x00"}
)

// emptyDir covers masked directories.
const emptyDir = "/dev/raket/empty\x00"

// What the pod lends to the roots of its apps: where it is in the pod's root,
// and where in the app's.
const (
	notifyVar    = "NOTIFY_SOCKET="
	notifySource = "/run/systemd/notify\x00"
	notifyPath   = "/dev/raket/notify"
	// innerNotifyPath is where another socket is in a root that systemd has entered.
	innerNotifyPath = "/.raket/notify"
	logSource       = "/run/systemd/journal/dev-log\x00"
	logPath         = "/dev/log\x00"
	shmPath         = "/dev/shm\x00" // in both
)

// enterRoot moves the thread into a mount namespace of its own whose root is
// the app's, with /proc, /sys and /dev.
//
// systemd could do it (RootDirectory=, MountAPIVFS=, ProtectKernelTunables=),
// at several times the processor time for each app.
func enterRoot(p bare.Process, o options) bare.Failure {
	const slash, here = bare.Str("/\x00"), bare.Str(".\x00")
	if errno := bare.Unshare(unix.CLONE_NEWNS); errno != 0 {
		return bare.Check("make a mount namespace", "", errno)
	}
	// The pod's mounts are shared ones; nothing below may reach the pod.
	if errno := bare.Mount("", slash, "", unix.MS_PRIVATE|unix.MS_REC, ""); errno != 0 {
		return bare.Check("make the pod's mounts private", "", errno)
	}
	loans, bad := takeLoans(o)
	if bad.Failed() {
		return bad
	}
	shm, errno := bare.Open(shmPath, unix.O_PATH|unix.O_CLOEXEC, 0)
	if errno != 0 {
		return bare.Check("share", bare.Str(shmPath).Text(), errno)
	}
	var lent lent
	if o.ownUsers {
		if bad := lent.take(o.root); bad.Failed() {
			return bad
		}
	}
	if errno := bare.Chdir(o.root); errno != 0 {
		return bare.Check("enter the app's root", o.root.Text(), errno)
	}
	// From here on no symbolic link of the image leads out of it.
	if errno := bare.PivotRoot(here, here); errno != 0 {
		return bare.Check("make the app's root the root", "", errno)
	}
	if errno := bare.Chdir(slash); errno != 0 {
		return bare.Check("enter the app's root", "", errno)
	}
	// In the order that app specs have them in.
	if bad := mountAt("proc\x00", "/proc\x00", apiFlags, ""); bad.Failed() {
		return bad
	}
	if bad := mountDev(&lent, shm); bad.Failed() {
		return bad
	}
	if bad := lent.mountSys(); bad.Failed() {
		return bad
	}
	// It has been on top of the app's root until here, and shm in it.
	if errno := bare.Unmount(here, unix.MNT_DETACH); errno != 0 {
		return bare.Check("detach the pod's root", "", errno)
	}
	if lent.given {
		// The pod's /sys has the pod's control groups, and on legacy hierarchies the host's.
		if bad := bind(emptyDir, "/sys/fs/cgroup\x00", unix.MS_RDONLY); bad.Failed() {
			return bad
		}
	}
	if !o.openPaths {
		if bad := protect(); bad.Failed() {
			return bad
		}
	}
	for _, l := range loans {
		if bad := l.place(); bad.Failed() {
			return bad
		}
	}
	if o.extras {
		if bad := addExtras(p, o); bad.Failed() {
			return bad
		}
	}
	if bad := sealDev(); bad.Failed() {
		return bad
	}
	if o.readOnly {
		return bare.Check("make the root read-only", "", bare.ReadOnly(slash))
	}
	return bare.Failure{}
}

// mountAt mounts a file system of the kernel's, making the mount point if the
// image has none. A symbolic link is none: what is mounted through it could be
// out of reach of protect, by its name, and in reach of the app, by another.
func mountAt(fstype, target bare.Str, flags uintptr, data bare.Str) bare.Failure {
	errno := mountPoint(target)
	if errno == 0 {
		errno = bare.Mount(fstype, target, fstype, flags, data)
	}
	return bare.Check("mount", target.Text(), errno)
}

func mountPoint(target bare.Str) syscall.Errno {
	mode, errno := bare.Lstat(target)
	switch {
	case errno == unix.ENOENT:
		errno = bare.Mkdir(target, 0o755)
	case errno == 0 && mode&unix.S_IFMT != unix.S_IFDIR:
		errno = unix.ENOTDIR
	}
	return errno
}

// loan is a detached copy of a mount of the pod's, and where it goes in the app's root.
type loan struct {
	source, target bare.Str
	dir, optional  bool
	wanted         bool
	tree           int // -1: there is none
}

// takeLoans copies the sockets that lead to systemd and to the host's journal.
func takeLoans(o options) ([2]loan, bare.Failure) {
	loans := [2]loan{
		{source: logSource, target: logPath, optional: true, wanted: true},
		{source: notifySource, target: notifyPath + "\x00", wanted: o.notify},
	}
	if o.notifyFrom != "" {
		loans[1].source = o.notifyFrom
	}
	for i := range loans {
		l := &loans[i]
		l.tree = -1
		if !l.wanted {
			continue
		}
		fd, errno := bare.OpenTree(l.source)
		if errno == unix.ENOENT && l.optional {
			continue
		}
		if errno != 0 {
			return loans, bare.Check("share", l.source.Text(), errno)
		}
		l.tree = fd
	}
	return loans, bare.Failure{}
}

// place mounts the loan. All targets are in the app's own /dev, where no image
// has laid anything out.
func (l loan) place() bare.Failure {
	if l.tree < 0 {
		return bare.Failure{}
	}
	if !l.dir {
		fd, errno := bare.Open(l.target, unix.O_CREAT|unix.O_EXCL|unix.O_WRONLY, 0o666)
		if errno != 0 {
			return bare.Check("make", l.target.Text(), errno)
		}
		bare.Close(fd)
	}
	return l.attach()
}

func (l loan) attach() bare.Failure {
	errno := bare.MoveMount(l.tree, l.target)
	if errno == 0 {
		errno = bare.Close(l.tree)
	}
	return bare.Check("share", l.target.Text(), errno)
}

func protect() bare.Failure {
	for _, p := range maskedFiles {
		if bad := bind("/dev/null\x00", p, 0); bad.Failed() {
			return bad
		}
	}
	for _, p := range maskedDirs {
		if bad := bind(emptyDir, p, unix.MS_RDONLY); bad.Failed() {
			return bad
		}
	}
	for _, p := range readOnlyPaths {
		if bad := bind(p, p, unix.MS_RDONLY); bad.Failed() {
			return bad
		}
	}
	return bare.Failure{}
}

// bind mounts source on target, which this kernel need not have.
func bind(source, target bare.Str, flags uintptr) bare.Failure {
	errno := bare.Mount(source, target, "", unix.MS_BIND, "")
	if errno == unix.ENOENT {
		return bare.Failure{}
	}
	if errno == 0 && flags != 0 {
		errno = bare.Mount("", target, "", unix.MS_REMOUNT|unix.MS_BIND|apiFlags|flags, "")
	}
	return bare.Check("protect", target.Text(), errno)
}
