package podview

import "golang.org/x/sys/unix"

// Processes returns the descriptor of a proc file system that is mounted nowhere: the pod's. In
// it "1/root" is the pod's root, and "1/ns/mnt" its mounts.
func Processes() (int, error) {
	fs, err := unix.Fsopen("proc", unix.FSOPEN_CLOEXEC)
	if err != nil {
		return -1, err
	}
	if err := unix.FsconfigCreate(fs); err != nil {
		return -1, err
	}
	return unix.Fsmount(fs, unix.FSMOUNT_CLOEXEC, 0)
}
