package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"

	"golang.org/x/sys/unix"

	"github.com/raket/raket/pkg/stageabi"
	"github.com/raket/raket/stage1/unitgen"
)

// relayName is this program as a copier of output.
const relayName = "relay"

// shareStreams makes standard output and error fit to be opened again, by their
// names in /proc: that is how apps write to the console of raket run.
//
// A socket cannot be opened: a pipe takes its place, and a child that copies
// from it and ends when the last writer is gone. A file would be opened with a
// position of its own: appending, all agree on where the end is.
func shareStreams(l unitgen.Log) error {
	if l.Mode != stageabi.LogConsole {
		return nil
	}
	for fd := 1; fd <= 2; fd++ {
		var st unix.Stat_t
		if err := unix.Fstat(fd, &st); err != nil {
			continue // closed: there is nothing to write to
		}
		var err error
		switch st.Mode & unix.S_IFMT {
		case unix.S_IFSOCK:
			err = relayStream(fd)
		case unix.S_IFREG:
			err = setAppend(fd)
		}
		if err != nil {
			return fmt.Errorf("share descriptor %d with the apps: %w", fd, err)
		}
	}
	return nil
}

func setAppend(fd int) error {
	flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)
	if err != nil {
		return err
	}
	_, err = unix.FcntlInt(uintptr(fd), unix.F_SETFL, flags|unix.O_APPEND)
	return err
}

func relayStream(fd int) (err error) {
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	cmd := exec.Command("/proc/self/exe")
	cmd.Args = []string{relayName}
	// A file made for the descriptor would close it when collected as garbage.
	cmd.Stdin, cmd.Stdout = r, []*os.File{1: os.Stdout, 2: os.Stderr}[fd]
	cmd.Env = []string{}
	if err := cmd.Start(); err != nil {
		return err
	}
	return errors.Join(unix.Dup2(int(w.Fd()), fd), w.Close(), r.Close(), cmd.Process.Release())
}

func relay(stdin io.Reader, stdout io.Writer) error {
	_, err := io.Copy(stdout, stdin)
	return err
}
