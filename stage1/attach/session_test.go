package attach_test

import (
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/raket/raket/pkg/streamwire"
	"github.com/raket/raket/pkg/terminal"
	"github.com/raket/raket/stage1/attach"
)

// peer is the other end of a session: what mux is in a pod.
type peer struct {
	t    *testing.T
	conn net.Conn
	in   *os.File // what the caller types or writes
	done chan outcome
	out  *os.File // a pipe: what the caller is shown
	errs *os.File
}

type outcome struct {
	attach.Result
	err error
}

func pair(t *testing.T) (a, b net.Conn) {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	var ends [2]net.Conn
	for i, fd := range fds {
		f := os.NewFile(uintptr(fd), "peer")
		if ends[i], err = net.FileConn(f); err != nil {
			t.Fatal(err)
		}
		_ = f.Close()
	}
	return ends[0], ends[1]
}

func pipe(t *testing.T) (r, w *os.File) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = r.Close(), w.Close() })
	return r, w
}

// begin starts a session whose input is a pipe, unless it has one.
func begin(t *testing.T, s *attach.Session) *peer {
	t.Helper()
	mine, its := pair(t)
	p := &peer{t: t, conn: mine, done: make(chan outcome, 1)}
	t.Cleanup(func() { _ = mine.Close() })
	if s.Stdin == nil {
		s.Stdin, p.in = pipe(t)
	}
	p.out, s.Stdout = pipe(t)
	p.errs, s.Stderr = pipe(t)
	go func() {
		r, err := s.Run(its)
		_, _ = s.Stdout.Close(), s.Stderr.Close()
		p.done <- outcome{r, err}
	}()
	p.expect(string([]byte{streamwire.Hello, s.Want}))
	return p
}

func (p *peer) expect(frame string) {
	p.t.Helper()
	b := make([]byte, streamwire.MaxFrame)
	n, err := p.conn.Read(b)
	if err != nil || string(b[:n]) != frame {
		p.t.Fatalf("the session says %q, %v; want %q", b[:n], err, frame)
	}
}

func (p *peer) send(frame string) {
	p.t.Helper()
	if _, err := p.conn.Write([]byte(frame)); err != nil {
		p.t.Fatal(err)
	}
}

// end returns how the session ended, and what the caller was shown.
func (p *peer) end() (o outcome, out, errs string) {
	p.t.Helper()
	o = <-p.done
	a, err1 := io.ReadAll(p.out)
	b, err2 := io.ReadAll(p.errs)
	if err1 != nil || err2 != nil {
		p.t.Fatal(err1, err2)
	}
	return o, string(a), string(b)
}

const all = streamwire.WantIn | streamwire.WantOut | streamwire.WantErr

func TestOutputIsShownUntilTheAppEnds(t *testing.T) {
	p := begin(t, &attach.Session{Want: streamwire.WantOut | streamwire.WantErr})
	p.send("Mnss")
	p.send("Oone\n")
	p.send("Rtwo\n")
	p.send("O") // nothing
	p.send("?of a later version")
	p.send("N\x00\x00\x00\x00\x00\x00\x00\x07")
	p.send("Othree\n")
	p.send("X")
	o, out, errs := p.end()
	if o.err != nil || o.How != attach.AppEnded || o.Lost != 7 || out != "one\nthree\n" || !strings.HasPrefix(errs, "two\nraket: 7 bytes") {
		t.Errorf("got %+v, %q, %q", o, out, errs)
	}
}

func TestInputWaitsForWhatTheAppHasTaken(t *testing.T) {
	p := begin(t, &attach.Session{Want: all | streamwire.WantEnd})
	big := strings.Repeat("x", streamwire.MaxFrame-1) // as much as a frame holds
	if _, err := p.in.WriteString(big + "rest"); err != nil {
		t.Fatal(err)
	}
	p.expect("I" + big)
	p.send("A")
	p.expect("Irest")
	if err := p.in.Close(); err != nil {
		t.Fatal(err)
	}
	p.send("A")
	p.expect("Z")
	p.send("X")
	if o, _, _ := p.end(); o.err != nil || o.How != attach.AppEnded {
		t.Errorf("got %+v", o)
	}
}

func TestASessionOfInputAloneEndsWithIt(t *testing.T) {
	p := begin(t, &attach.Session{Want: streamwire.WantIn})
	if err := p.in.Close(); err != nil {
		t.Fatal(err)
	}
	if o, _, _ := p.end(); o.err != nil || o.How != attach.InputOver {
		t.Errorf("got %+v", o)
	}
}

func TestPeersThatVanishOrSayWhatTheyMustNot(t *testing.T) {
	for name, tt := range map[string]struct {
		frames []string
		err    string
	}{
		"one that goes at once":            {nil, "broke"},
		"one that goes amid output":        {[]string{"Oone"}, "broke"},
		"one that refuses":                 {[]string{"Etoo many clients"}, "too many clients"},
		"acknowledgements of nothing":      {[]string{"A", "A", "A", "A"}, "broke"},
		"a number that is too short":       {[]string{"N", "N\x01"}, "broke"},
		"a number that is too long":        {[]string{"N" + strings.Repeat("\xff", 100)}, "broke"},
		"a frame that is larger than any":  {[]string{"O" + strings.Repeat("x", 2*streamwire.MaxFrame)}, "broke"},
		"a welcome of modes that are none": {[]string{"M", "M???????"}, "broke"},
	} {
		t.Run(name, func(t *testing.T) {
			p := begin(t, &attach.Session{Want: all})
			shown := make(chan string, 1)
			go func() { text, _ := io.ReadAll(p.out); shown <- string(text) }()
			for _, f := range tt.frames {
				p.send(f)
			}
			if err := p.conn.Close(); err != nil {
				t.Fatal(err)
			}
			o := <-p.done
			if o.err == nil || !strings.Contains(o.err.Error(), tt.err) {
				t.Errorf("got %+v, want %q", o, tt.err)
			}
			if text := <-shown; len(text) >= streamwire.MaxFrame {
				t.Errorf("%d bytes were shown", len(text))
			}
		})
	}
}

func TestATerminalIsFollowedAndPutBack(t *testing.T) {
	root, err := unix.Open("/", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	tty, err := terminal.Open(root)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _, _ = tty.Master.Close(), tty.Slave.Close(), unix.Close(root) })
	fd := int(tty.Slave.Fd())
	modes := func() unix.Termios {
		m, err := unix.IoctlGetTermios(fd, unix.TCGETS)
		if err != nil {
			t.Fatal(err)
		}
		return *m
	}
	resize := func(rows, columns uint16) {
		if err := unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: rows, Col: columns}); err != nil {
			t.Fatal(err)
		}
	}
	typed := func(keys string) {
		if _, err := tty.Master.WriteString(keys); err != nil {
			t.Fatal(err)
		}
	}
	before := modes()
	resize(300, 80)
	p := begin(t, &attach.Session{Want: streamwire.WantIn | streamwire.WantOut, Terminal: true, DetachKeys: []byte{16, 17}, Stdin: tty.Slave})
	p.expect("W\x01\x2c\x00\x50")
	typed("\x03") // raw: it is no signal
	p.expect("I\x03")
	if modes() == before {
		t.Error("the terminal has kept its modes")
	}
	p.send("A")
	resize(24, 132)
	if err := syscall.Kill(os.Getpid(), syscall.SIGWINCH); err != nil {
		t.Fatal(err)
	}
	p.expect("W\x00\x18\x00\x84")
	typed("a\x10b") // a key of the sequence alone is a key
	p.expect("Ia\x10b")
	p.send("A")
	typed("\x10\x11")
	p.expect("D")
	if o, _, _ := p.end(); o.err != nil || o.How != attach.Detached {
		t.Errorf("got %+v", o)
	}
	if modes() != before {
		t.Error("the terminal was not put back")
	}
}

func TestSignalsEndASession(t *testing.T) {
	got := make(chan syscall.Signal, 1)
	p := begin(t, &attach.Session{Want: all, Signal: func(sig syscall.Signal) bool { got <- sig; return false }})
	if err := syscall.Kill(os.Getpid(), syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	if o, _, _ := p.end(); o.err != nil || o.How != attach.Signaled || o.Signal != syscall.SIGHUP || <-got != syscall.SIGHUP {
		t.Errorf("got %+v", o)
	}
}
