package capset

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Limit leaves the calling thread with the capabilities that a program is meant
// to have which it executes next: bounding for one of root's, ambient for one of
// another user's. It needs CAP_SETPCAP to take anything off the bounding set. It
// fails if ambient has a capability that the thread does not.
func Limit(bounding, ambient uint64) error { return asError(LimitThread(bounding, ambient, false)) }

// LimitNext leaves the program executed next with the same sets, and the thread
// with its permitted and effective ones until then: execve(2) makes these of the
// bounding, the inheritable and the ambient set.
func LimitNext(bounding, ambient uint64) error { return asError(LimitThread(bounding, ambient, true)) }

func asError(errno syscall.Errno) error {
	if errno == 0 {
		return nil
	}
	return errno
}

// LimitThread is Limit or, with keep, LimitNext, for programs that run without
// Go's runtime; 0 is no error.
func LimitThread(bounding, ambient uint64, keep bool) syscall.Errno {
	hdr := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if errno := capCall(unix.SYS_CAPGET, &hdr, &data); errno != 0 {
		return errno
	}
	// A change of user has emptied the effective set.
	for i := range data {
		data[i].Effective = data[i].Permitted
	}
	if errno := capCall(unix.SYS_CAPSET, &hdr, &data); errno != 0 {
		return errno
	}
	// A newer kernel may know more capabilities than this program.
	for c := range uintptr(64) {
		if bounding&(1<<c) != 0 {
			continue
		}
		have, errno := prctl(unix.PR_CAPBSET_READ, c, 0)
		if errno != 0 {
			break // beyond the last capability this kernel knows
		}
		if have == 0 {
			continue
		}
		if _, errno := prctl(unix.PR_CAPBSET_DROP, c, 0); errno != 0 {
			return errno
		}
	}
	if _, errno := prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL, 0); errno != 0 {
		return errno
	}
	for i := range data {
		retain := uint32(bounding >> (32 * i))
		amb := uint32(ambient >> (32 * i))
		data[i].Inheritable = data[i].Permitted & amb
		if !keep {
			data[i].Permitted &= retain | amb
			data[i].Effective = data[i].Permitted
		}
	}
	if errno := capCall(unix.SYS_CAPSET, &hdr, &data); errno != 0 {
		return errno
	}
	for c := range uintptr(64) {
		if ambient&(1<<c) == 0 {
			continue
		}
		if _, errno := prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_RAISE, c); errno != 0 {
			return errno
		}
	}
	return 0
}

func capCall(trap uintptr, hdr *unix.CapUserHeader, data *[2]unix.CapUserData) syscall.Errno {
	_, _, errno := syscall.RawSyscall(trap, uintptr(unsafe.Pointer(hdr)), uintptr(unsafe.Pointer(data)), 0)
	return errno
}

func prctl(option, a, b uintptr) (uintptr, syscall.Errno) {
	r, _, errno := syscall.RawSyscall6(unix.SYS_PRCTL, option, a, b, 0, 0, 0)
	return r, errno
}
