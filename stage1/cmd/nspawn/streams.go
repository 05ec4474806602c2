package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/raket/raket/pkg/approot"
	"github.com/raket/raket/pkg/stageabi"
	"github.com/raket/raket/stage1/unitgen"
)

// relayName is this program as a copier of output.
const relayName = "relay"

// shareStreams makes standard output and error fit to be opened again, by their
// names in /proc: that is how apps write to the console of raket run. The app of an
// interactive pod reads standard input in the same way.
//
// A socket cannot be opened: a pipe takes its place, and a child that copies
// from it and ends when the last writer is gone. A file would be opened with a
// position of its own: appending, all agree on where the end is.
func (p *pod) shareStreams() error {
	first, last := 1, 2
	if p.stdin == unitgen.InteractivePipe {
		first = 0
	}
	if p.log.Mode != stageabi.LogConsole {
		last = 0
	}
	for fd := first; fd <= last; fd++ {
		var st unix.Stat_t
		if err := unix.Fstat(fd, &st); err != nil {
			continue // closed: there is nothing to write to
		}
		var err error
		switch kind := st.Mode & unix.S_IFMT; {
		case kind == unix.S_IFSOCK, kind == unix.S_IFREG && fd == 0 && begun():
			err = relayStream(fd)
		case kind == unix.S_IFREG && fd > 0:
			err = setAppend(fd)
		}
		if err != nil {
			return fmt.Errorf("share descriptor %d with the apps: %w", fd, err)
		}
	}
	if p.log.Mode != stageabi.LogConsole {
		return nil
	}
	return approot.ShareOutput()
}

// pipeStreams does the same for a pod with a user namespace, whose root may open no
// descriptor of the host's root: named pipes take the place of all streams, one of both
// where they are the same file.
func (p *pod) pipeStreams() error {
	if p.log.Mode != stageabi.LogConsole {
		return nil
	}
	var out, errs unix.Stat_t
	same := unix.Fstat(1, &out) == nil && unix.Fstat(2, &errs) == nil && out.Dev == errs.Dev && out.Ino == errs.Ino
	if same {
		if err := setAppend(1); err != nil {
			return err
		}
	}
	dir := filepath.Join(rootDir, unitgen.StreamsPath)
	for fd := 1; fd <= 2; fd++ {
		path := filepath.Join(dir, strconv.Itoa(fd))
		if fd == 2 && same {
			return errors.Join(os.Link(filepath.Join(dir, "1"), path), unix.Dup2(1, 2))
		}
		var st unix.Stat_t
		if err := unix.Fstat(fd, &st); err != nil {
			continue // closed: there is nothing to write to
		}
		err := unix.Mkfifo(path, 0o600)
		if err == nil {
			err = errors.Join(p.chown(path, 0, 0), os.Chmod(path, 0o622)) // an app of any user opens its /dev/stdout
		}
		if err == nil {
			err = relayNamed(path, fd)
		}
		if err != nil {
			return fmt.Errorf("share descriptor %d with the apps: %w", fd, err)
		}
	}
	return nil
}

// relayNamed is relayStream with a pipe that has a name.
func relayNamed(path string, fd int) error {
	r, err := unix.Open(path, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0) // with nobody there to write
	if err != nil {
		return err
	}
	w, err := unix.Open(path, unix.O_WRONLY|unix.O_CLOEXEC, 0)
	if err == nil {
		err = unix.SetNonblock(r, false)
	}
	if err != nil {
		return errors.Join(err, unix.Close(r))
	}
	return relayFrom(os.NewFile(uintptr(r), path), os.NewFile(uintptr(w), path), fd)
}

// opensStreams reports whether the pod opens descriptors of the process that it is. One with
// a user namespace may not: see pipeStreams.
func (p *pod) opensStreams() bool {
	return p.ids == nil && (p.log.Mode == stageabi.LogConsole || p.stdin == unitgen.InteractivePipe)
}

// begun reports whether something of the file that is standard input has been read: who
// opens it again would have that too.
func begun() bool {
	at, err := unix.Seek(0, 0, io.SeekCurrent)
	return err == nil && at != 0
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
	return relayFrom(r, w, fd)
}

// relayFrom puts w in the place of the descriptor, and has a child copy there from r what
// comes.
func relayFrom(r, w *os.File, fd int) error {
	cmd := exec.Command("/proc/self/exe")
	cmd.Args = []string{relayName}
	own := w
	// A file made for the descriptor would close it when collected as garbage.
	if fd == 0 {
		own, cmd.Stdin, cmd.Stdout = r, os.Stdin, w
	} else {
		cmd.Stdin, cmd.Stdout = r, []*os.File{1: os.Stdout, 2: os.Stderr}[fd]
	}
	cmd.Env = []string{}
	if err := cmd.Start(); err != nil {
		return err
	}
	return errors.Join(unix.Dup2(int(own.Fd()), fd), w.Close(), r.Close(), cmd.Process.Release())
}

// relay ends with the last of those who write, whoever is told to end before.
func relay(stdin io.Reader, stdout io.Writer) error {
	signal.Ignore(syscall.SIGINT, syscall.SIGTERM, syscall.SIGQUIT, syscall.SIGHUP)
	_, err := io.Copy(stdout, stdin)
	return err
}
