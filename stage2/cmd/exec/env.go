package main

import (
	"bytes"
	"errors"

	"golang.org/x/sys/unix"
)

// maxEnvBytes is more than the kernel takes of arguments and environment.
const maxEnvBytes = 2<<20 + 1

// readEnv reads variables, NAME=VALUE and a NUL byte each. On a command line everybody
// could read them.
func readEnv(path string) ([]string, error) {
	text, err := readFile(path, maxEnvBytes)
	if err != nil {
		return nil, err
	}
	if len(text) == maxEnvBytes || len(text) > 0 && text[len(text)-1] != 0 {
		return nil, errors.New("it is not whole")
	}
	var env []string
	for len(text) > 0 {
		n := bytes.IndexByte(text, 0)
		env = append(env, string(text[:n]))
		text = text[n+1:]
	}
	return env, nil
}

// readFile reads a file, no more than so many bytes of it.
func readFile(path string, most int) ([]byte, error) {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	defer unix.Close(fd)
	b := make([]byte, most)
	n := 0
	for n < len(b) {
		more, err := unix.Read(fd, b[n:])
		if err != nil {
			return nil, err
		}
		if more == 0 {
			break
		}
		n += more
	}
	return b[:n], nil
}
