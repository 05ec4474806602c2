package main

import (
	"time"

	"golang.org/x/sys/unix"

	"github.com/raket/raket/pkg/streamwire"
)

// client is one who attached.
type client struct {
	queue
	fd    int  // -1 once it is gone
	want  byte // 0 before its Hello
	owner bool // the app's terminal goes with it
	// waiting: an Input of its has not reached the app yet.
	waiting bool
	// left: its end is closed. What it said before, a Detach perhaps, is still to be read.
	left bool
}

// receives reports whether output of a kind is for the client.
func (c *client) receives(k kind) bool { return !c.left && c.want&k.wants() != 0 }

func (m *mux) acceptClient(time.Time) {
	fd, _, err := unix.Accept4(m.clientSide, unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK)
	if err != nil {
		return
	}
	if len(m.clients) >= streamwire.MaxClients {
		_, _ = unix.SendmsgN(fd, append([]byte{streamwire.Refused}, "too many are attached already"...), nil, nil, unix.MSG_NOSIGNAL)
		_ = unix.Close(fd)
		return
	}
	m.clients = append(m.clients, &client{fd: fd})
}

// serveClient reads a frame, if there is one, and sends what can be sent.
func (m *mux) serveClient(c *client, now time.Time) {
	if c.fd < 0 {
		return
	}
	var buf [streamwire.MaxFrame]byte
	n, _, flags, _, err := unix.Recvmsg(c.fd, buf[:], nil, unix.MSG_DONTWAIT)
	switch {
	case err == unix.EAGAIN || err == unix.EINTR:
	case err == unix.ECONNRESET: // it left with something unread, and may have said why
	case err != nil || n == 0 || flags&unix.MSG_TRUNC != 0:
		m.drop(c)
		return
	default:
		m.take(c, buf[:n], now)
	}
	m.flush(c, now)
}

// take does what a frame asks for. Whoever does not keep to the rules is dropped.
func (m *mux) take(c *client, frame []byte, now time.Time) {
	body := frame[1:]
	if (frame[0] == streamwire.Hello) != (c.want == 0) {
		m.drop(c)
		return
	}
	switch frame[0] {
	case streamwire.Hello:
		if len(body) != 1 || body[0]&(streamwire.WantIn|streamwire.WantOut|streamwire.WantErr) == 0 {
			m.drop(c)
			return
		}
		c.want = body[0]
		c.add(append([]byte{streamwire.Welcome}, m.modes[:]...), 0, now)
		m.recall(c, now)
	case streamwire.Size:
		if len(body) == len(m.size) {
			m.resize([4]byte(body))
		}
	case streamwire.Input:
		if c.want&streamwire.WantIn == 0 || c.waiting || len(body) == 0 {
			m.drop(c)
			return
		}
		m.takeInput(c, body, now)
	case streamwire.EndIn:
		if c.want&streamwire.WantIn != 0 && c.want&streamwire.WantEnd != 0 {
			m.input = append(m.input, input{end: true})
			m.writeInput()
		}
	case streamwire.Detach:
		c.owner = false
	default:
		m.drop(c)
	}
}

// flush sends what the client's socket takes.
func (m *mux) flush(c *client, now time.Time) {
	for c.fd >= 0 && !c.left && len(c.items) > 0 {
		item := c.items[0]
		_, err := unix.SendmsgN(c.fd, item, nil, nil, unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL)
		switch {
		case err == unix.EINTR:
			continue
		case err == unix.EAGAIN:
			return
		case err != nil:
			c.left, c.queue = true, queue{}
			return
		}
		c.took(len(item))
	}
	if lost, ok := c.caughtUp(); ok && lost > 0 {
		note := make([]byte, 9)
		note[0] = streamwire.Lost
		streamwire.PutUint(note[1:], lost)
		c.add(note, 0, now)
	}
}

// drop ends a client's part. An owner that did not say Detach hangs up.
func (m *mux) drop(c *client) {
	if c.fd < 0 {
		return
	}
	_ = unix.Close(c.fd)
	c.fd, c.want = -1, 0
	if !c.owner {
		return
	}
	c.owner = false
	m.hungUp = true
	for len(m.terminals) > 0 {
		m.dropTerminal(m.terminals[0])
	}
}
