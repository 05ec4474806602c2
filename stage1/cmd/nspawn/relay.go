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

// relayStreams replaces standard output and error, where they are sockets, by
// pipes that a child copies from. Apps open the streams of raket run by their
// names in /proc; sockets have none that can be opened. The child ends when the
// last writer is gone.
func relayStreams(l unitgen.Log) error {
	if l.Mode != stageabi.LogConsole {
		return nil
	}
	for fd := 1; fd <= 2; fd++ {
		var st unix.Stat_t
		if err := unix.Fstat(fd, &st); err != nil || st.Mode&unix.S_IFMT != unix.S_IFSOCK {
			continue
		}
		if err := relayStream(fd); err != nil {
			return fmt.Errorf("relay descriptor %d: %w", fd, err)
		}
	}
	return nil
}

func relayStream(fd int) (err error) {
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	cmd := exec.Command("/proc/self/exe")
	cmd.Args = []string{relayName}
	cmd.Stdin, cmd.Stdout = r, os.NewFile(uintptr(fd), "stream")
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
