package main

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/raket/raket/stage2/bare"
)

// privateSocket is where the pod's systemd answers, relative to the pod's root.
const privateSocket = "run/systemd/private\x00"

// findMain prints the number of an app's main process, and ends this one.
func findMain(app bare.Str) {
	if bad := mainPID(app); bad.Failed() {
		bad.Die(1)
	}
	bare.Exit(0)
}

// mainPID asks the pod's systemd for the main process of an app, and prints its number, 0
// if there is none. The working directory is the pod's root. systemd answers processes of
// the pod only, and this is one that costs little: it speaks as much of D-Bus as one
// question takes (D-Bus Specification, "Authentication Protocol" and "Message Format").
func mainPID(app bare.Str) bare.Failure {
	const step = "ask the pod's systemd for the main process"
	// What the path leads through is the pod's.
	if errno := bare.Chroot(".\x00"); errno != 0 {
		return bare.Check("enter the pod's root", "", errno)
	}
	fd, errno := bare.ConnectUnix(privateSocket)
	if errno != 0 {
		return bare.Check("connect to the pod's systemd", "", errno)
	}
	q, ok := propertyCall(app.Text(), "org.freedesktop.systemd1.Service", "MainPID")
	if !ok {
		return bare.Failure{Step: step, What: app.Text(), Why: "the name is too long"}
	}
	var hello question
	hello.add("\x00AUTH EXTERNAL 30\r\nBEGIN\r\n") // 30 is the user's number, 0, in hexadecimal digits of ASCII
	if errno := bare.Write(fd, hello.b[:hello.n]); errno != 0 {
		return bare.Check(step, "", errno)
	}
	var in answer
	in.fd = fd
	if text, errno := in.line(); errno != 0 || len(text) < 3 || text[:3] != "OK " {
		return bare.Failure{Step: step, Why: "it did not let this process in"}
	}
	// Only now: systemd waits for more to come before it looks at what came with BEGIN.
	if errno := bare.Write(fd, q.b[:q.n]); errno != 0 {
		return bare.Check(step, "", errno)
	}
	pid, errno := in.uint32()
	if errno != 0 {
		return bare.Check(step, app.Text(), errno)
	}
	var text bare.Text
	text.AddUint(uint64(pid), 1)
	text.Add("\n")
	return bare.Check("print the main process", "", bare.Write(1, text.Bytes()))
}

// question is a message being written. What does not fit makes it too long.
type question struct {
	b [2048]byte
	n int
}

// propertyCall is a call that returns a property of an app's unit.
func propertyCall(app, iface, property string) (q question, ok bool) {
	q.add("l\x01\x00\x01") // little endian; a method call; no flags; version 1
	q.uint32(0)            // of the body, see below
	q.uint32(1)            // serial number
	q.uint32(0)            // of the fields
	fields := q.n
	q.add("\x01\x01o\x00") // the path
	length := q.hole()
	q.add("/org/freedesktop/systemd1/unit/")
	q.label(app)
	q.label(".service")
	q.fill(length)
	q.field("\x02\x01s\x00", "org.freedesktop.DBus.Properties")
	q.field("\x03\x01s\x00", "Get")
	q.align(8)
	q.add("\x08\x01g\x00\x02ss\x00") // the body is two strings
	q.put(fields-4, uint32(q.n-fields))
	q.align(8)
	body := q.n
	q.text(iface)
	q.align(4)
	q.text(property)
	q.put(4, uint32(q.n-body))
	return q, q.n < len(q.b)
}

// field adds one of the header, a string; kind is its code and its type.
func (q *question) field(kind, value string) {
	q.align(8)
	q.add(kind)
	q.text(value)
}

func (q *question) text(s string) {
	length := q.hole()
	q.add(s)
	q.fill(length)
}

// hole leaves room for a length, and fill writes it, and the zero byte that ends the text.
func (q *question) hole() int {
	q.uint32(0)
	return q.n
}

func (q *question) fill(from int) {
	q.put(from-4, uint32(q.n-from))
	q.add("\x00")
}

func (q *question) align(to int) {
	for q.n%to != 0 && q.n < len(q.b) {
		q.add("\x00")
	}
}

func (q *question) add(s string) {
	for i := 0; i < len(s) && q.n < len(q.b); i++ {
		q.b[q.n] = s[i]
		q.n++
	}
}

func (q *question) uint32(v uint32) {
	q.n += 4
	if q.n > len(q.b) {
		q.n = len(q.b)
		return
	}
	q.put(q.n-4, v)
}

func (q *question) put(at int, v uint32) {
	for i := 0; i < 4 && at+i < len(q.b); i++ {
		q.b[at+i] = byte(v >> (8 * i))
	}
}

// label adds a part of an object's path: what is no letter or digit, or a digit at the
// beginning, as its number (systemd's bus_label_escape).
func (q *question) label(s string) {
	const digits = "0123456789abcdef"
	for i := range len(s) {
		c := s[i]
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
		if letter || i > 0 && c >= '0' && c <= '9' {
			q.add(s[i : i+1])
			continue
		}
		q.add("_")
		q.add(digits[c>>4 : c>>4+1])
		q.add(digits[c&15 : c&15+1])
	}
}

// answer is what the server says, as far as it has been read.
type answer struct {
	fd          int
	b           [4096]byte
	from, until int
}

// need returns n bytes.
func (a *answer) need(n int) ([]byte, syscall.Errno) {
	if n < 0 || n > len(a.b) {
		return nil, unix.EMSGSIZE
	}
	if a.from+n > len(a.b) {
		a.until = copy(a.b[:], a.b[a.from:a.until])
		a.from = 0
	}
	for a.until-a.from < n {
		got, errno := bare.Read(a.fd, a.b[a.until:])
		switch {
		case errno == unix.EINTR:
		case errno != 0:
			return nil, errno
		case got == 0:
			return nil, unix.ECONNRESET
		default:
			a.until += got
		}
	}
	a.from += n
	return a.b[a.from-n : a.from], 0
}

// line returns a line without its end.
func (a *answer) line() (string, syscall.Errno) {
	n := 0
	for {
		c, errno := a.need(1)
		if errno != 0 {
			return "", errno
		}
		if n++; c[0] == '\n' {
			text := a.b[a.from-n : a.from]
			return unsafe.String(&text[0], n), 0
		}
	}
}

// uint32 returns the number that a call returns. Other messages are passed over.
func (a *answer) uint32() (uint32, syscall.Errno) {
	const header, methodReturn, methodError = 16, 2, 3
	for {
		h, errno := a.need(header)
		if errno != 0 {
			return 0, errno
		}
		kind, little := h[1], h[0] == 'l'
		body, fields := int(get32(h[4:])), int(get32(h[12:]))
		if !little || fields < 0 || fields > len(a.b) || body < 0 || body > len(a.b) {
			return 0, unix.EBADMSG
		}
		if _, errno := a.need((fields + 7) &^ 7); errno != 0 {
			return 0, errno
		}
		b, errno := a.need(body)
		switch {
		case errno != 0:
			return 0, errno
		case kind == methodError:
			return 0, unix.ENOENT
		case kind != methodReturn:
			continue
		case body != 8 || b[0] != 1 || b[1] != 'u' || b[2] != 0:
			return 0, unix.EBADMSG
		}
		return get32(b[4:]), 0
	}
}

func get32(b []byte) uint32 {
	return uint32(b[0]) | uint32(b[1])<<8 | uint32(b[2])<<16 | uint32(b[3])<<24
}
