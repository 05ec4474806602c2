package main

import (
	"errors"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/raket/raket/pkg/streamwire"
	"github.com/raket/raket/stage2/bare"
)

// streams are the app's, of which mux holds some. Descriptor 0 is a connection to it,
// and so are 1 and 2 until the app's take their place.
type streams struct {
	modes streamwire.Modes
	conn  int
	fds   [3]int
}

// askForStreams gets what does not belong into the app's root.
func askForStreams(modes string) (*streams, error) {
	m, err := streamwire.ParseModes(modes)
	if err != nil {
		return nil, err
	}
	s := &streams{modes: m}
	const first = 3
	if s.conn, err = unix.FcntlInt(0, unix.F_DUPFD_CLOEXEC, first); err != nil {
		return nil, err
	}
	null, err := unix.Open("/dev/null", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	var pipes []int
	if m.Has(streamwire.Stream) || m.Has(streamwire.Log) {
		letter := byte(streamwire.AskPipes)
		if m[0] != streamwire.Stream {
			letter = streamwire.AskOutput
		}
		if pipes, err = s.ask(letter, nil); err != nil {
			return nil, err
		}
	}
	for i := range s.fds {
		switch m[i] {
		case streamwire.Null:
			s.fds[i] = null
		case streamwire.Stream, streamwire.Log:
			if len(pipes) == 0 {
				return nil, errors.New("there is no pipe for stream " + strconv.Itoa(i))
			}
			s.fds[i], pipes = pipes[0], pipes[1:]
		}
	}
	return s, nil
}

// connect makes the streams this process's. It is done in the app's root, as the app's
// user: a terminal is one of the app's own /dev/pts, and the app's user's.
func (s *streams) connect() bare.Failure {
	if s.modes.Has(streamwire.TTY) {
		slave, err := s.terminal()
		if err != nil {
			return bare.Failure{Step: "make a terminal", Why: err.Error()}
		}
		for i := range s.fds {
			if s.modes[i] == streamwire.TTY {
				s.fds[i] = slave
			}
		}
	}
	for i, fd := range s.fds {
		if err := unix.Dup2(fd, i); err != nil {
			return bare.Failure{Step: "connect the app's streams", Why: err.Error()}
		}
	}
	return bare.Failure{}
}

// terminal makes one, the controlling terminal of the app, and leaves its other end to mux.
func (s *streams) terminal() (int, error) {
	master, err := unix.Open("/dev/pts/ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, err
	}
	if err := unix.IoctlSetPointerInt(master, unix.TIOCSPTLCK, 0); err != nil {
		return -1, err
	}
	// No name is looked up for it.
	slave, _, e := unix.Syscall(unix.SYS_IOCTL, uintptr(master), unix.TIOCGPTPEER, unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC)
	if e != 0 {
		return -1, e
	}
	if err := unix.IoctlSetInt(int(slave), unix.TIOCSCTTY, 0); err != nil {
		return -1, wrap("take it", err)
	}
	if _, err := s.ask(streamwire.AskTerminal, unix.UnixRights(master)); err != nil {
		return -1, err
	}
	return int(slave), unix.Close(master)
}

// ask sends a letter, and maybe a descriptor, and returns what descriptors come back.
func (s *streams) ask(letter byte, oob []byte) ([]int, error) {
	if err := unix.Sendmsg(s.conn, []byte{letter}, oob, nil, unix.MSG_NOSIGNAL); err != nil {
		return nil, err
	}
	var answer [1]byte
	var rights [128]byte
	for {
		n, noob, _, _, err := unix.Recvmsg(s.conn, answer[:], rights[:], unix.MSG_CMSG_CLOEXEC)
		switch {
		case err == unix.EINTR:
			continue
		case err != nil:
			return nil, err
		case n == 0 || answer[0] != streamwire.Done:
			return nil, errors.New("who holds the app's streams is gone")
		}
		msgs, err := unix.ParseSocketControlMessage(rights[:noob])
		if err != nil || len(msgs) == 0 {
			return nil, err
		}
		return unix.ParseUnixRights(&msgs[0])
	}
}
