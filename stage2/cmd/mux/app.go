package main

import (
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"github.com/raket/raket/pkg/streamwire"
)

// pipe is one of the app's, both ends: it outlives a run of the app.
type pipe struct {
	r, w int // -1 for none
	// given: the app has it. Of the input's, which may end before the app starts.
	given bool
}

// listen makes the sockets, and connects to the owner.
func (m *mux) listen() error {
	if err := unix.Mkdir(m.dir, 0o700); err != nil && err != unix.EEXIST {
		return wrap("make "+m.dir, err)
	}
	if err := unix.Chdir(m.dir); err != nil {
		return wrap("enter "+m.dir, err)
	}
	var err error
	if m.clientSide, err = listenAt(streamwire.ClientSocket, unix.SOCK_SEQPACKET); err != nil {
		return err
	}
	if m.appSide, err = listenAt(streamwire.AppSocket, unix.SOCK_STREAM); err != nil {
		return err
	}
	m.notify.open()
	if m.owner == "" || m.restored {
		return nil // what a predecessor's owner had is everybody's
	}
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err == nil {
		err = unix.Connect(fd, &unix.SockaddrUnix{Name: m.owner})
	}
	if err != nil {
		return wrap("connect to the owner of the app's terminal", err)
	}
	m.clients = append(m.clients, &client{fd: fd, owner: true})
	return nil
}

func listenAt(name string, kind int) (int, error) {
	// Of a predecessor that was killed.
	if err := unix.Unlink(name); err != nil && err != unix.ENOENT {
		return -1, wrap("remove the socket "+name, err)
	}
	fd, err := unix.Socket(unix.AF_UNIX, kind|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err == nil {
		err = unix.Bind(fd, &unix.SockaddrUnix{Name: name})
	}
	if err == nil {
		const backlog = 16
		err = unix.Listen(fd, backlog)
	}
	return fd, wrap("listen at "+name, err)
}

// makePipes makes those that are missing.
func (m *mux) makePipes() error {
	for i := range m.pipes {
		if !m.piped(i) || m.pipes[i].r >= 0 {
			continue
		}
		var p [2]int
		if err := unix.Pipe2(p[:], unix.O_CLOEXEC); err != nil {
			return wrap("make a pipe", err)
		}
		if m.uid >= 0 {
			if err := unix.Fchown(p[0], m.uid, -1); err != nil {
				return wrap("give the app its pipe", err)
			}
		}
		m.pipes[i] = pipe{r: p[0], w: p[1]}
		// The end of this process alone: modes belong to the open file.
		own := p[0]
		if i == 0 {
			own = p[1]
		}
		if err := unix.SetNonblock(own, true); err != nil {
			return wrap("make a pipe", err)
		}
		m.notify.store(pipeName(i, "r"), p[0])
		m.notify.store(pipeName(i, "w"), p[1])
	}
	return nil
}

// piped reports whether a stream of the app's is a pipe: also one for the log, so that
// exec has one place to ask.
func (m *mux) piped(i int) bool {
	return m.modes[i] == streamwire.Stream || m.modes[i] == streamwire.Log
}

func pipeName(i int, end string) string { return "pipe" + strconv.Itoa(i) + end }

// closeInput lets the app see the end of its input.
func (m *mux) closeInput() {
	p := &m.pipes[0]
	m.notify.remove(pipeName(0, "w"))
	m.notify.remove(pipeName(0, "r"))
	_ = unix.Close(p.w)
	p.w = -1
	if p.given {
		m.forgetInput()
	}
}

// forgetInput makes room for the pipe of the app's next run.
func (m *mux) forgetInput() {
	_ = unix.Close(m.pipes[0].r)
	m.pipes[0].r = -1
}

// start is the last step of a start of the app's.
type start struct {
	fd int
	// talks: what comes is text for people, as from one that failed.
	talks bool
}

func (m *mux) acceptStart(time.Time) {
	fd, _, err := unix.Accept4(m.appSide, unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK)
	if err == nil {
		m.starts = append(m.starts, &start{fd: fd})
	}
}

func (m *mux) serveStart(s *start, now time.Time) {
	if s.fd < 0 {
		return
	}
	var buf [1 + streamwire.MaxMessage]byte
	var oob [256]byte
	n, noob, _, _, err := unix.Recvmsg(s.fd, buf[1:], oob[:], unix.MSG_DONTWAIT|unix.MSG_CMSG_CLOEXEC)
	if err == unix.EAGAIN || err == unix.EINTR {
		return
	}
	fds := rights(oob[:noob])
	if err != nil || n == 0 {
		_ = unix.Close(s.fd)
		s.fd = -1
		return
	}
	switch {
	case s.talks, n > 1:
		s.talks = true
		m.talk(buf[:1+n], now)
	case buf[1] == streamwire.AskPipes, buf[1] == streamwire.AskOutput:
		m.handPipes(s, buf[1] == streamwire.AskPipes)
	case buf[1] == streamwire.AskTerminal && len(fds) == 1:
		m.adopt(fds[0])
		fds = nil
		_, _ = unix.Write(s.fd, []byte{streamwire.Done})
	}
	for _, fd := range fds {
		_ = unix.Close(fd)
	}
}

// talk passes on what raket says of the app's start.
func (m *mux) talk(buf []byte, now time.Time) {
	switch {
	case m.piped(2):
		m.deliver(kindErr, buf, now)
	case m.modes.Has(streamwire.TTY):
		text := buf[:1:1]
		for _, c := range buf[1:] {
			if c == '\n' {
				text = append(text, '\r')
			}
			text = append(text, c)
		}
		m.deliver(kindTTY, text, now)
	default:
		m.deliver(kindOut, buf, now)
	}
}

// handPipes gives the app's ends of its pipes.
func (m *mux) handPipes(s *start, withInput bool) {
	if err := m.makePipes(); err != nil {
		_ = unix.Close(s.fd)
		s.fd = -1
		return
	}
	var fds []int
	for i, p := range m.pipes {
		switch {
		case !m.piped(i):
		case i == 0 && withInput:
			fds = append(fds, p.r)
			m.pipes[0].given = true
		case i == 0:
		default:
			fds = append(fds, p.w)
		}
	}
	var oob []byte
	if len(fds) > 0 {
		oob = unix.UnixRights(fds...)
	}
	_ = unix.Sendmsg(s.fd, []byte{streamwire.Done}, oob, nil, unix.MSG_NOSIGNAL)
	if p := m.pipes[0]; withInput && p.w < 0 && p.r >= 0 {
		m.forgetInput() // all of it is the app's
	}
	m.writeInput()
}

// rights are the descriptors that came with a message.
func rights(oob []byte) []int {
	msgs, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return nil
	}
	var all []int
	for i := range msgs {
		fds, err := unix.ParseUnixRights(&msgs[i])
		if err == nil {
			all = append(all, fds...)
		}
	}
	return all
}

// adopt takes the master of the app's new terminal.
func (m *mux) adopt(fd int) {
	if m.hungUp || unix.SetNonblock(fd, true) != nil {
		_ = unix.Close(fd)
		return
	}
	m.terminals = append(m.terminals, fd)
	m.applySize(fd)
	m.notify.store("terminal", fd)
	m.writeInput()
}

// dropTerminal closes a terminal. systemd forgets those that have hung up by itself.
func (m *mux) dropTerminal(fd int) {
	if m.hungUp {
		m.notify.remove("terminal")
	}
	m.terminals = sweep(m.terminals, func(t int) bool { return t == fd })
	_ = unix.Close(fd)
}

// resize makes the app's terminal as large as a client's.
func (m *mux) resize(size [4]byte) {
	m.size = size
	for _, fd := range m.terminals {
		m.applySize(fd)
	}
}

func (m *mux) applySize(fd int) {
	if m.size == [4]byte{} {
		return
	}
	_ = unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{
		Row: uint16(streamwire.Uint(m.size[:2])), Col: uint16(streamwire.Uint(m.size[2:])),
	})
}

// restore takes what a predecessor left with systemd (sd_listen_fds(3)).
func (m *mux) restore() {
	n, _ := strconv.Atoi(os.Getenv("LISTEN_FDS"))
	if os.Getenv("LISTEN_PID") != strconv.Itoa(os.Getpid()) {
		return
	}
	for i, name := range splitNames(os.Getenv("LISTEN_FDNAMES"), n) {
		const first = 3
		fd := first + i
		m.restored = true
		unix.CloseOnExec(fd)
		if name == "terminal" {
			m.terminals = append(m.terminals, fd)
			continue
		}
		for i := range m.pipes {
			switch name {
			case pipeName(i, "r"):
				m.pipes[i].r, m.pipes[i].given = fd, true
			case pipeName(i, "w"):
				m.pipes[i].w = fd
			}
		}
	}
}
