package main

import (
	"errors"

	"golang.org/x/sys/unix"
)

// Files of package os make the runtime poll descriptors, on one of its own. A process that
// closes all of them, as the command to be does, must not have that.

// readFile returns a file's content.
func readFile(path string) ([]byte, error) {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, wrap("open "+path, err)
	}
	defer unix.Close(fd)
	var text []byte
	var buf [4096]byte
	for {
		n, err := unix.Read(fd, buf[:])
		switch {
		case errors.Is(err, unix.EINTR):
		case err != nil:
			return nil, wrap("read "+path, err)
		case n == 0:
			return text, nil
		default:
			text = append(text, buf[:n]...)
		}
	}
}

// writeFile writes to a file of the kernel's, at once.
func writeFile(path string, text []byte) error {
	fd, err := unix.Open(path, unix.O_WRONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return wrap("open "+path, err)
	}
	defer unix.Close(fd)
	_, err = unix.Write(fd, text)
	return wrap("write "+path, err)
}
