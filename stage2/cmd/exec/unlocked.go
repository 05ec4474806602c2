package main

import (
	"errors"

	"golang.org/x/sys/unix"
)

// awaitUnlocked returns when no process has an exclusive lock of the file.
func awaitUnlocked(path string) error {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	for {
		err := unix.Flock(fd, unix.LOCK_SH)
		if !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}
