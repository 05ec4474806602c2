package main

import (
	"errors"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// Bounds on clients.
const (
	maxClients = 128
	patience   = 5 * time.Second // from a connection to the last byte of its answer
)

// server answers connections until none has come for a while.
type server struct {
	listener int
	idle     time.Duration
	answer   func(request) response
	clients  []*client // the oldest first
}

// client is one connection.
type client struct {
	fd    int
	until time.Time
	in    []byte
	need  int    // how much of in there has to be before it can be the whole request
	out   []byte // of the answer, what is still to be sent; once there is any, nothing is read
	asked bool   // 100 Continue was sent
	sent  bool   // the answer is out: what the client still says is dropped until it closes
}

// serve returns nil when nobody has come for s.idle.
func (s *server) serve() error {
	if err := unix.SetNonblock(s.listener, true); err != nil {
		return err
	}
	for {
		fds := make([]unix.PollFd, 0, len(s.clients)+1)
		fds = append(fds, unix.PollFd{Fd: int32(s.listener), Events: unix.POLLIN})
		for _, c := range s.clients {
			events := int16(unix.POLLIN)
			if len(c.out) > 0 {
				events = unix.POLLOUT
			}
			fds = append(fds, unix.PollFd{Fd: int32(c.fd), Events: events})
		}
		wait := s.idle
		if len(s.clients) > 0 {
			wait = max(time.Until(s.clients[0].until), 0) + time.Millisecond
		}
		n, err := unix.Poll(fds, int(wait.Milliseconds()))
		if err != nil && !errors.Is(err, unix.EINTR) {
			return err
		}
		if n == 0 && len(s.clients) == 0 {
			return nil
		}
		now := time.Now()
		kept := s.clients[:0]
		for i, c := range s.clients {
			ready := fds[i+1].Revents != 0
			if now.After(c.until) || ready && !s.advance(c) {
				_ = unix.Close(c.fd)
				continue
			}
			kept = append(kept, c)
		}
		s.clients = kept
		if fds[0].Revents != 0 {
			if err := s.accept(now); err != nil {
				return err
			}
		}
	}
}

// accept takes one connection: those who are ready come first, however many wait.
func (s *server) accept(now time.Time) error {
	fd, _, err := unix.Accept4(s.listener, unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC)
	switch {
	case errors.Is(err, unix.EMFILE), errors.Is(err, unix.ENFILE), errors.Is(err, unix.ENOBUFS), errors.Is(err, unix.ENOMEM), errors.Is(err, unix.EINVAL):
		return err
	case err != nil:
		return nil // it has gone already
	}
	if len(s.clients) == maxClients {
		_ = unix.Close(s.clients[0].fd)
		s.clients = s.clients[1:]
	}
	c := &client{fd: fd, until: now.Add(patience)}
	s.clients = append(s.clients, c)
	// Most have said what they want by now.
	if !s.advance(c) {
		_ = unix.Close(fd)
		s.clients = s.clients[:len(s.clients)-1]
	}
	return nil
}

// advance does what can be done for a client without waiting, and reports whether
// there will be more.
func (s *server) advance(c *client) bool {
	if len(c.out) == 0 && !s.receive(c) {
		return false
	}
	return c.send()
}

// receive reads what has come, and answers it if that is all.
func (s *server) receive(c *client) bool {
	var buf [16 << 10]byte
	n, err := unix.Read(c.fd, buf[:])
	if errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EINTR) {
		return true
	}
	if err != nil || n == 0 {
		return false
	}
	if c.sent {
		return true
	}
	if c.in = append(c.in, buf[:n]...); len(c.in) < c.need {
		return true
	}
	st := parse(string(c.in))
	c.need = st.need
	switch {
	case st.refused != 0:
		c.out = encode(text(st.refused, "the request cannot be read"))
	case st.whole:
		c.out = encode(s.answer(st.req))
	case st.expected && !c.asked:
		c.asked = true
		c.out = []byte("HTTP/1.1 100 Continue\r\n\r\n")
		return true
	default:
		return true
	}
	c.in, c.sent = nil, true
	return true
}

// send sends what there is to send. The answer's end is told by a shutdown: to close
// a connection on which more has come would take the answer away from the client.
func (c *client) send() bool {
	if len(c.out) == 0 {
		return true
	}
	n, err := unix.SendmsgN(c.fd, c.out, nil, nil, unix.MSG_NOSIGNAL)
	if errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EINTR) {
		return true
	}
	if err != nil {
		return false
	}
	c.out = c.out[n:]
	if len(c.out) == 0 && c.sent {
		return unix.Shutdown(c.fd, unix.SHUT_WR) == nil
	}
	return true
}

func reason(status int) string {
	switch status {
	case 200:
		return "OK"
	case 400:
		return "Bad Request"
	case 403:
		return "Forbidden"
	case 404:
		return "Not Found"
	case 405:
		return "Method Not Allowed"
	case 411:
		return "Length Required"
	case 413:
		return "Content Too Large"
	case 415:
		return "Unsupported Media Type"
	case 417:
		return "Expectation Failed"
	case 431:
		return "Request Header Fields Too Large"
	case 501:
		return "Not Implemented"
	case 505:
		return "HTTP Version Not Supported"
	}
	return "Internal Server Error"
}

func encode(r response) []byte {
	out := "HTTP/1.1 " + strconv.Itoa(r.status) + " " + reason(r.status) + "\r\n" +
		"Content-Type: " + r.contentType + "\r\n" +
		"Content-Length: " + strconv.Itoa(len(r.body)) + "\r\n"
	if r.allow != "" {
		out += "Allow: " + r.allow + "\r\n"
	}
	return []byte(out + "Connection: close\r\n\r\n" + r.body)
}
