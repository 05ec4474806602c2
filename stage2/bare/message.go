package bare

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// Failure says what failed, with what, and why. The zero value says that nothing
// did.
type Failure struct {
	Step  string // "mount"
	What  string // what the step was about; quoted in the message
	Errno syscall.Errno
	Why   string // in place of Errno
}

// Failed reports whether it is one.
func (f Failure) Failed() bool { return f.Step != "" }

// Check is the failure of a step, if the kernel gave an error.
func Check(step, what string, errno syscall.Errno) Failure {
	if errno == 0 {
		return Failure{}
	}
	return Failure{Step: step, What: what, Errno: errno}
}

// Die says on standard error why the program ends, and ends it.
func (f Failure) Die(status int) {
	var m line
	m.add("raket: ")
	m.failure(f)
	m.add("\n")
	Write(2, m.text[:m.n])
	Exit(status)
}

func (m *line) failure(f Failure) {
	m.add(f.Step)
	if f.What != "" {
		m.add(" ")
		m.quote(f.What)
	}
	switch {
	case f.Why != "":
		m.add(": ")
		m.add(f.Why)
	case f.Errno != 0:
		m.add(": ")
		m.add(f.Errno.Error())
	}
}

// line is a message being written. What does not fit is left out.
type line struct {
	text [1024]byte
	n    int
}

func (l *line) add(s string) {
	// The last byte is kept for the end of the line.
	for i := 0; i < len(s) && (l.n < len(l.text)-1 || s == "\n"); i++ {
		l.text[l.n] = s[i]
		l.n++
	}
}

// quote adds a text between quotes, with what would not show, or show as
// something else, as hexadecimal numbers.
func (l *line) quote(s string) {
	const digits = "0123456789abcdef"
	l.add(`"`)
	for i := range len(s) {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			l.add(`\`)
			l.add(s[i : i+1])
		case c < ' ' || c == 0x7f:
			l.add(`\x`)
			l.add(digits[c>>4 : c>>4+1])
			l.add(digits[c&15 : c&15+1])
		default:
			l.add(s[i : i+1])
		}
	}
	l.add(`"`)
}

// Write writes all of b, as far as it goes.
func Write(fd int, b []byte) syscall.Errno {
	for len(b) > 0 {
		n, errno := write(fd, b)
		if errno == unix.EINTR {
			continue
		}
		if errno != 0 {
			return errno
		}
		b = b[n:]
	}
	return 0
}
