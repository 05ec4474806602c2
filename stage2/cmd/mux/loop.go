package main

import (
	"time"

	"golang.org/x/sys/unix"

	"github.com/raket/raket/pkg/streamwire"
)

// mux is the program's state, of one goroutine.
type mux struct {
	options
	end        int // readable once the program is to end
	appSide    int // listening sockets
	clientSide int
	notify     notifier

	pipes     [3]pipe
	terminals []int // masters; the last is the app's present one
	size      [4]byte
	hungUp    bool // no terminal any more
	restored  bool // a predecessor was killed

	starts  []*start
	clients []*client
	logs    [2]*log
	missed  []chunk
	kept    int // bytes of missed
	input   []input

	ready    bool
	deadline time.Time // of the ending; zero before
	ended    bool      // clients have been told
}

func newMux(o options, end int) *mux {
	m := &mux{options: o, end: end, appSide: -1, clientSide: -1}
	for i := range m.pipes {
		m.pipes[i] = pipe{r: -1, w: -1}
	}
	if o.logs > 0 {
		m.logs[0] = newLog(1)
		m.logs[1] = m.logs[0]
	}
	if o.logs > 1 {
		m.logs[1] = newLog(2)
	}
	return m
}

// endPatience is how long the last output may take to whom it is for.
const endPatience = 5 * time.Second

// watch is one descriptor of a round of poll(2), and what to do when it is ready.
type watch struct {
	fd     int
	events int16
	do     func(now time.Time)
	source bool // of the app's output
}

// loop serves until the program is to end and all that was said has been passed on.
func (m *mux) loop() error {
	for {
		now := time.Now()
		if !m.ready && m.mayStart() {
			m.ready = true
			m.notify.send("READY=1")
		}
		// Whose time is up blocks nothing in this round.
		wait := m.patience(now)
		watches, held := m.watches()
		fds := make([]unix.PollFd, len(watches))
		for i, w := range watches {
			fds[i] = unix.PollFd{Fd: int32(w.fd), Events: w.events}
		}
		if !m.deadline.IsZero() {
			if m.finished(now) {
				return nil
			}
			if !m.ended {
				wait = 0 // has the app left anything?
				if held {
					wait = 10
				}
			}
		}
		if _, err := unix.Poll(fds, wait); err != nil && err != unix.EINTR {
			return wrap("wait", err)
		}
		now = time.Now()
		quiet := !held
		for i, w := range watches {
			if fds[i].Revents != 0 {
				quiet = quiet && !w.source
				w.do(now)
			}
		}
		m.clients = sweep(m.clients, func(c *client) bool { return c.fd < 0 })
		m.starts = sweep(m.starts, func(s *start) bool { return s.fd < 0 })
		if !m.deadline.IsZero() && quiet && !m.ended {
			m.ended = true
			for _, c := range m.clients {
				c.add([]byte{streamwire.End}, 0, now)
			}
		}
	}
}

// mayStart reports whether the app may start: the owner of its terminal is there.
func (m *mux) mayStart() bool {
	for _, c := range m.clients {
		if c.owner && c.want == 0 {
			return false
		}
	}
	return true
}

// watches are what there is to wait for; held reports whether output of the app waits for
// a receiver.
func (m *mux) watches() (list []watch, held bool) {
	if m.deadline.IsZero() {
		list = append(list,
			watch{m.end, unix.POLLIN, m.beginEnd, false},
			watch{m.appSide, unix.POLLIN, m.acceptStart, true},
			watch{m.clientSide, unix.POLLIN, m.acceptClient, false})
	}
	for _, s := range m.starts {
		list = append(list, watch{s.fd, unix.POLLIN, func(now time.Time) { m.serveStart(s, now) }, true})
	}
	for _, c := range m.clients {
		events := int16(unix.POLLIN)
		if len(c.items) > 0 {
			events |= unix.POLLOUT
		}
		list = append(list, watch{c.fd, events, func(now time.Time) { m.serveClient(c, now) }, false})
	}
	for i, l := range m.logs {
		if l != nil && len(l.items) > 0 && (i == 0 || l != m.logs[0]) {
			list = append(list, watch{l.fd, unix.POLLOUT, func(time.Time) { l.flush() }, false})
		}
	}
	for i := 1; i <= 2; i++ {
		p := &m.pipes[i]
		if p.r < 0 {
			continue
		}
		if m.blocked(kind(i)) {
			held = true
			continue
		}
		list = append(list, watch{p.r, unix.POLLIN, func(now time.Time) { m.read(p.r, kind(i), now) }, true})
	}
	for _, fd := range m.terminals {
		if m.blocked(kindTTY) {
			held = true // its hang-up would be told all the time
			continue
		}
		list = append(list, watch{fd, unix.POLLIN, func(now time.Time) { m.readTerminal(fd, now) }, true})
	}
	if target := m.inputTarget(); target >= 0 && len(m.input) > 0 {
		list = append(list, watch{target, unix.POLLOUT, func(time.Time) { m.writeInput() }, false})
	}
	return list, held
}

// patience is for how long to wait at most, in milliseconds; negative for ever. It notes
// whose time is up.
func (m *mux) patience(now time.Time) int {
	least := time.Duration(-1)
	consider := func(d time.Duration) {
		if d >= 0 && (least < 0 || d < least) {
			least = d
		}
	}
	for _, c := range m.clients {
		consider(c.expire(now))
	}
	for _, l := range m.logs {
		if l != nil {
			consider(l.expire(now))
		}
	}
	if !m.deadline.IsZero() {
		consider(max(0, m.deadline.Sub(now)))
	}
	if least < 0 {
		return -1
	}
	return int(least/time.Millisecond) + 1
}

// beginEnd stops taking in anything but what the app has said.
func (m *mux) beginEnd(now time.Time) { m.deadline = now.Add(endPatience) }

// finished reports whether everybody has everything, or has had time enough.
func (m *mux) finished(now time.Time) bool {
	if !now.Before(m.deadline) {
		return true
	}
	if !m.ended {
		return false
	}
	for _, c := range m.clients {
		if len(c.items) > 0 {
			return false
		}
	}
	for _, l := range m.logs {
		if l != nil && len(l.items) > 0 {
			return false
		}
	}
	return true
}

// sweep removes what is gone.
func sweep[T any](list []T, gone func(T) bool) []T {
	kept := list[:0]
	for _, v := range list {
		if !gone(v) {
			kept = append(kept, v)
		}
	}
	clear(list[len(kept):])
	return kept
}
