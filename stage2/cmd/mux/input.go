package main

import (
	"bytes"
	"time"

	"golang.org/x/sys/unix"

	"github.com/raket/raket/pkg/streamwire"
)

// input is what a client wants the app to read.
type input struct {
	data []byte
	from *client // who waits for the Ack; nil for nobody
	end  bool    // the end of the input, rather than data
}

// typedLimit bounds what is typed before anybody reads it: a terminal forgets too.
const typedLimit = 16 << 10

func (m *mux) takeInput(c *client, data []byte, now time.Time) {
	in := input{data: bytes.Clone(data), from: c}
	switch m.modes[0] {
	case streamwire.TTY:
		in.from = nil
		c.add([]byte{streamwire.Ack}, 0, now)
		total := len(data)
		for _, waits := range m.input {
			total += len(waits.data)
		}
		if total > typedLimit || m.hungUp {
			return
		}
	case streamwire.Stream:
		// After the input's end this is for the app's next run, and waits for it.
		c.waiting = true
	default:
		m.drop(c)
		return
	}
	m.input = append(m.input, in)
	m.writeInput()
}

// inputTarget is where the app's input is written; negative for nowhere yet.
func (m *mux) inputTarget() int {
	switch m.modes[0] {
	case streamwire.TTY:
		if len(m.terminals) > 0 {
			return m.terminals[len(m.terminals)-1]
		}
	case streamwire.Stream:
		return m.pipes[0].w
	}
	return -1
}

// writeInput writes what the app's side takes.
func (m *mux) writeInput() {
	for len(m.input) > 0 {
		in := &m.input[0]
		target := m.inputTarget()
		if target < 0 {
			return
		}
		if in.end {
			if m.modes[0] == streamwire.Stream {
				m.closeInput()
			}
			m.input = m.input[1:]
			continue
		}
		n, err := unix.Write(target, in.data)
		switch {
		case err == unix.EINTR:
			continue
		case err == unix.EAGAIN:
			return
		case err != nil:
			n = len(in.data) // nobody will read it
		}
		in.data = in.data[n:]
		if len(in.data) > 0 {
			continue
		}
		if c := in.from; c != nil && c.fd >= 0 {
			c.waiting = false
			// Not counted as the app's, so that it is never left out.
			c.items, c.bytes = append(c.items, []byte{streamwire.Ack}), c.bytes+1
			m.flush(c, time.Now())
		}
		m.input = m.input[1:]
	}
}
