package main

import (
	"bytes"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"github.com/raket/raket/pkg/streamwire"
)

// kind is where output came from.
type kind int

const (
	kindOut kind = 1
	kindErr kind = 2
	kindTTY kind = 3
)

// wants are those that a client has to take part in to be sent it.
func (k kind) wants() byte {
	if k == kindErr {
		return streamwire.WantErr
	}
	return streamwire.WantOut
}

func (k kind) frame() byte {
	if k == kindErr {
		return streamwire.Errors
	}
	return streamwire.Output
}

// chunk is output that nobody was there for: a frame.
type chunk struct {
	kind  kind
	frame []byte
}

// log is where the app's output is written besides.
type log struct {
	queue
	fd int
}

func newLog(fd int) *log {
	// It is this process's own: systemd opened it.
	if unix.SetNonblock(fd, true) != nil {
		return nil
	}
	return &log{fd: fd}
}

// flush writes what can be written. After an error nothing more is taken.
func (l *log) flush() {
	for len(l.items) > 0 {
		n, err := unix.Write(l.fd, l.items[0])
		switch {
		case err == unix.EINTR:
			continue
		case err == unix.EAGAIN:
			return
		case err != nil:
			l.fd, l.items, l.bytes = -1, nil, 0
			return
		}
		l.took(n)
	}
	if lost, ok := l.caughtUp(); ok && lost > 0 {
		note := []byte("raket: " + strconv.FormatUint(lost, 10) + " bytes of the app's output are not here: the log did not take them in time\n")
		l.items, l.bytes = append(l.items, note), l.bytes+len(note)
	}
}

// logOf is the log of a kind of output, nil for none.
func (m *mux) logOf(k kind) *log {
	l := m.logs[0]
	if k == kindErr {
		l = m.logs[1]
	}
	echo := k == kindTTY && m.modes[1] != streamwire.TTY && m.modes[2] != streamwire.TTY
	if l != nil && l.fd < 0 || echo {
		return nil
	}
	return l
}

// blocked reports whether output of a kind has to wait for one of its receivers.
func (m *mux) blocked(k kind) bool {
	if l := m.logOf(k); l != nil && l.blocks() {
		return true
	}
	for _, c := range m.clients {
		if m.shown(k) && c.receives(k) && c.blocks() {
			return true
		}
	}
	return false
}

// shown reports whether output of a kind is for clients: not what is for the log alone.
func (m *mux) shown(k kind) bool { return k == kindTTY || m.modes[k] == streamwire.Stream }

// readSize leaves room for a frame's letter.
const readSize = streamwire.MaxFrame - 1

// read passes on what a pipe has.
func (m *mux) read(fd int, k kind, now time.Time) {
	var buf [1 + readSize]byte
	n, err := unix.Read(fd, buf[1:])
	if err == nil && n > 0 {
		m.deliver(k, buf[:1+n], now)
	}
}

// readTerminal passes on what a terminal's app has written. One that nobody has open any
// more is closed.
func (m *mux) readTerminal(fd int, now time.Time) {
	var buf [1 + readSize]byte
	n, err := unix.Read(fd, buf[1:])
	switch {
	case err == unix.EINTR || err == unix.EAGAIN:
	case err != nil || n == 0:
		m.dropTerminal(fd)
	default:
		m.deliver(kindTTY, buf[:1+n], now)
	}
}

// deliver sends output to everybody it is for. There is room for a letter before it.
func (m *mux) deliver(k kind, buf []byte, now time.Time) {
	if l := m.logOf(k); l != nil {
		text := bytes.Clone(buf[1:])
		if k == kindTTY {
			text = bytes.ReplaceAll(text, []byte("\r\n"), []byte("\n"))
		}
		l.add(text, len(text), now)
		l.flush()
	}
	if !m.shown(k) {
		return
	}
	frame := bytes.Clone(buf)
	frame[0] = k.frame()
	seen := false
	for _, c := range m.clients {
		if c.receives(k) {
			c.add(frame, len(frame)-1, now)
			m.flush(c, now)
			seen = seen || !c.left
		}
	}
	if seen {
		return
	}
	m.missed = append(m.missed, chunk{k, frame})
	m.kept += len(frame)
	for m.kept > missedLimit {
		first := &m.missed[0]
		if over := m.kept - missedLimit; over < len(first.frame)-1 {
			first.frame = append([]byte{first.frame[0]}, first.frame[1+over:]...)
			m.kept -= over
			return
		}
		m.kept -= len(first.frame)
		m.missed = m.missed[1:]
	}
}

// recall gives a client what nobody has seen yet of what it is for.
func (m *mux) recall(c *client, now time.Time) {
	m.missed = sweep(m.missed, func(ch chunk) bool {
		if c.want&ch.kind.wants() == 0 {
			return false
		}
		c.add(ch.frame, len(ch.frame)-1, now)
		m.kept -= len(ch.frame)
		return true
	})
}
