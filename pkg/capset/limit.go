package capset

import "golang.org/x/sys/unix"

// Limit leaves the calling thread with the capabilities that a program is meant
// to have which it executes next: bounding for one of root's, ambient for one of
// another user's. It needs CAP_SETPCAP to take anything off the bounding set. It
// fails if ambient has a capability that the thread does not.
func Limit(bounding, ambient uint64) error { return limit(bounding, ambient, false) }

// LimitNext leaves the program executed next with the same sets, and the thread
// with its permitted and effective ones until then: execve(2) makes these of the
// bounding, the inheritable and the ambient set.
func LimitNext(bounding, ambient uint64) error { return limit(bounding, ambient, true) }

func limit(bounding, ambient uint64, keep bool) error {
	hdr := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capget(&hdr, &data[0]); err != nil {
		return err
	}
	// A change of user has emptied the effective set.
	for i := range data {
		data[i].Effective = data[i].Permitted
	}
	if err := unix.Capset(&hdr, &data[0]); err != nil {
		return err
	}
	// A newer kernel may know more capabilities than this program.
	for c := range 64 {
		if bounding&(1<<c) != 0 {
			continue
		}
		have, err := unix.PrctlRetInt(unix.PR_CAPBSET_READ, uintptr(c), 0, 0, 0)
		if err != nil {
			break // beyond the last capability this kernel knows
		}
		if have == 0 {
			continue
		}
		if err := unix.Prctl(unix.PR_CAPBSET_DROP, uintptr(c), 0, 0, 0); err != nil {
			return err
		}
	}
	if err := unix.Prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0); err != nil {
		return err
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
	if err := unix.Capset(&hdr, &data[0]); err != nil {
		return err
	}
	for c := range 64 {
		if ambient&(1<<c) == 0 {
			continue
		}
		if err := unix.Prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_RAISE, uintptr(c), 0, 0); err != nil {
			return err
		}
	}
	return nil
}
