package main

import (
	"errors"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// initPID is the process of the pod's service manager.
const initPID = 1

// managerSocket is where the pod's systemd listens.
const managerSocket = "/run/systemd/notify"

// datagram is one that an app sent.
type datagram struct {
	text []byte
	pid  int32
	fds  []int
}

// roomForControl is what the kernel may add to a datagram: who sent it, and descriptors, 253 at
// most (SCM_MAX_FD).
var roomForControl = unix.CmsgSpace(unix.SizeofUcred) + unix.CmsgSpace(253*4)

// receive takes a datagram; nil if there is none.
func (f *forwarder) receive(fd int) (*datagram, error) {
	n, oobn, flags, _, err := unix.Recvmsg(fd, f.text, f.control, unix.MSG_DONTWAIT|unix.MSG_CMSG_CLOEXEC)
	if errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EINTR) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	d := &datagram{text: f.text[:n]}
	messages, err := unix.ParseSocketControlMessage(f.control[:oobn])
	if err != nil {
		return nil, err
	}
	for i := range messages {
		if cred, err := unix.ParseUnixCredentials(&messages[i]); err == nil {
			d.pid = cred.Pid
		}
		if fds, err := unix.ParseUnixRights(&messages[i]); err == nil {
			d.fds = append(d.fds, fds...)
		}
	}
	if flags&(unix.MSG_TRUNC|unix.MSG_CTRUNC) != 0 {
		d.text = nil // systemd reads none of those either
	}
	return d, nil
}

func (d *datagram) close() {
	for _, fd := range d.fds {
		_ = unix.Close(fd)
	}
}

// pass gives a datagram to the pod's systemd as its sender's own. It waits while systemd has
// no time, as the sender would have to. A sender that has gone has none whose own it were, and
// systemd would not know whose it is either.
func (d *datagram) pass(fd int, to string) bool {
	if d.text == nil || d.pid == 0 {
		return false
	}
	return send(fd, to, d.text, d.pid, d.fds) == nil
}

// send sends a datagram as that process: it takes CAP_SYS_ADMIN, but for one's own.
func send(fd int, to string, text []byte, pid int32, fds []int) error {
	var control []byte
	if pid != 0 {
		control = unix.UnixCredentials(&unix.Ucred{Pid: pid, Uid: uint32(os.Getuid()), Gid: uint32(os.Getgid())})
	}
	if len(fds) > 0 {
		control = append(control, unix.UnixRights(fds...)...)
	}
	for {
		err := unix.Sendmsg(fd, text, control, &unix.SockaddrUnix{Name: to}, unix.MSG_NOSIGNAL)
		if !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

// barrier reports whether whoever listens there has read what it was sent before, within
// limit.
func barrier(fd int, to string, pid int32, limit time.Duration) bool {
	var p [2]int
	if unix.Pipe2(p[:], unix.O_CLOEXEC) != nil {
		return false
	}
	defer func() { _ = unix.Close(p[0]) }()
	err := send(fd, to, []byte("BARRIER=1"), pid, p[1:])
	_ = unix.Close(p[1])
	if err != nil {
		return false
	}
	end := time.Now().Add(limit)
	for {
		// systemd closes its end.
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(p[0])}}, milliseconds(time.Until(end)))
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case err != nil || n == 0:
			return false
		}
		return true
	}
}

// milliseconds are those of a time to wait, rounded up.
func milliseconds(d time.Duration) int {
	return int((max(d, 0) + time.Millisecond - 1) / time.Millisecond)
}

// monotonic is the time that RELOADING=1 goes with (sd_notify(3)).
func monotonic() string {
	var ts unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts)
	return strconv.FormatInt(ts.Nano()/1000, 10)
}
