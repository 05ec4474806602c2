package layer

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// removeTree removes base and all below it, following no link. It keeps at most
// one descriptor a level open, and a layer can't nest deeper than a path is long.
func removeTree(parent int, base string) error {
	err := unix.Unlinkat(parent, base, 0)
	if err == nil || errors.Is(err, unix.ENOENT) {
		return err
	}
	if !errors.Is(err, unix.EISDIR) && !errors.Is(err, unix.EPERM) {
		return err
	}
	fd, err := unix.Openat(parent, base, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	names, err := readNames(fd)
	for _, name := range names {
		if err != nil {
			break
		}
		err = removeTree(fd, name)
	}
	if err := errors.Join(err, unix.Close(fd)); err != nil {
		return err
	}
	return unix.Unlinkat(parent, base, unix.AT_REMOVEDIR)
}

// readNames lists an open directory, from its start.
func readNames(fd int) ([]string, error) {
	again, err := unix.Openat(fd, ".", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	dir := os.NewFile(uintptr(again), "directory")
	names, err := dir.Readdirnames(-1)
	return names, errors.Join(err, dir.Close())
}
