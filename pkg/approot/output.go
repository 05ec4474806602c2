package approot

import (
	"errors"

	"golang.org/x/sys/unix"
)

// pipesMagic is the type of the file system that pipes without a name are in (statfs(2)).
const pipesMagic = 0x50495045

// othersWrite are the permissions that a file needs for anybody to write to it.
const othersWrite = 0o222

// ShareOutput lets apps of any user open standard output and errors again, as /dev/stdout or
// /dev/stderr, where these are pipes: programs do so instead of writing to the descriptors
// that they have. Only who may look at a process finds its pipes. What has a name is left as
// it is, for others would find it.
func ShareOutput() error {
	return errors.Join(sharePipe(1), sharePipe(2))
}

func sharePipe(fd int) error {
	var in unix.Statfs_t
	if err := unix.Fstatfs(fd, &in); err != nil || in.Type != pipesMagic {
		return nil // closed, or something else
	}
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil || st.Mode&othersWrite == othersWrite {
		return err
	}
	return unix.Fchmod(fd, st.Mode&0o777|othersWrite)
}
