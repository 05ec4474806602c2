package main

import (
	"os"

	"golang.org/x/sys/unix"

	"github.com/raket/raket/pkg/journalstream"
	"github.com/raket/raket/pkg/streamwire"
	"github.com/raket/raket/stage2/bare"
)

func (o options) journal() *os.File {
	if o.onErrors {
		return os.Stderr
	}
	return os.Stdout
}

// fail says why among the app's errors, and ends.
func (o options) fail(code int, msg string) {
	prefix, to := "", 2
	if o.identifier != "" && bare.SameFile(int(o.journal().Fd()), 2) {
		prefix = journalstream.ErrorPrefix
	}
	if o.modes != "" {
		to = o.held()
	}
	_, _ = unix.Write(to, []byte(prefix+"raket: "+msg+"\n"))
	unix.Exit(code)
}

// held is where the app's errors go whose streams somebody holds: descriptor 1 is a connection
// to that. A terminal is only made with the app, and there is nobody to tell: -1.
func (o options) held() int {
	m, err := streamwire.ParseModes(o.modes)
	if err != nil || m[2] != streamwire.Log && m[2] != streamwire.Stream {
		return -1
	}
	if _, err := unix.Write(1, []byte{streamwire.AskOutput}); err != nil {
		return -1
	}
	var answer [1]byte
	var rights [128]byte
	_, n, _, _, err := unix.Recvmsg(1, answer[:], rights[:], unix.MSG_CMSG_CLOEXEC)
	if err != nil || answer[0] != streamwire.Done {
		return -1
	}
	msgs, err := unix.ParseSocketControlMessage(rights[:n])
	if err != nil || len(msgs) == 0 {
		return -1
	}
	fds, err := unix.ParseUnixRights(&msgs[0])
	if err != nil || len(fds) == 0 {
		return -1
	}
	return fds[len(fds)-1]
}
