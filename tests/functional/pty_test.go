package functional

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// screen is a real terminal with a shell command of the host's on it, and somebody who types
// and reads.
type screen struct {
	t      *testing.T
	master *os.File
	slave  *os.File
	cmd    *exec.Cmd

	mu   sync.Mutex
	text strings.Builder // all that was written on it
	read int             // how much of that was expected already
	more chan struct{}
	over bool
}

// newScreen runs a script on a new terminal of 24 rows and 80 columns, on the host. The
// script is a session of its own, whose terminal it is.
func (p *pods) newScreen(t *testing.T, script string) *screen {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	s := &screen{t: t, master: master, more: make(chan struct{}, 1)}
	if err := s.control(func(fd int) error { return unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0) }); err != nil {
		t.Fatal(err)
	}
	var number int
	if err := s.control(func(fd int) (err error) { number, err = unix.IoctlGetInt(fd, unix.TIOCGPTN); return err }); err != nil {
		t.Fatal(err)
	}
	if s.slave, err = os.OpenFile("/dev/pts/"+strconv.Itoa(number), os.O_RDWR|unix.O_NOCTTY, 0); err != nil {
		t.Fatal(err)
	}
	s.resize(24, 80)
	s.cmd = exec.Command("nsenter", "-t", strconv.Itoa(p.Leader()), "-a", "--", "bash", "-c", script)
	s.cmd.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "TERM=vt102"}
	s.cmd.Stdin, s.cmd.Stdout, s.cmd.Stderr = s.slave, s.slave, s.slave
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go s.watch()
	t.Cleanup(func() {
		_ = s.cmd.Process.Kill()
		_, _ = s.master.Close(), s.slave.Close()
	})
	return s
}

func (s *screen) control(f func(fd int) error) error {
	raw, err := s.master.SyscallConn()
	if err != nil {
		return err
	}
	var ferr error
	return errors.Join(raw.Control(func(fd uintptr) { ferr = f(int(fd)) }), ferr)
}

func (s *screen) watch() {
	buf := make([]byte, 32<<10)
	for {
		n, err := s.master.Read(buf)
		s.mu.Lock()
		s.text.Write(buf[:n])
		s.over = err != nil
		s.mu.Unlock()
		select {
		case s.more <- struct{}{}:
		default:
		}
		if err != nil {
			return
		}
	}
}

// expect waits for text on the screen, after what was expected before, and returns what
// stands before it.
func (s *screen) expect(text string) string {
	s.t.Helper()
	late := time.After(limit)
	for {
		s.mu.Lock()
		all := s.text.String()
		over := s.over
		s.mu.Unlock()
		if before, _, ok := strings.Cut(all[s.read:], text); ok {
			s.read += len(before) + len(text)
			return before
		}
		if over {
			s.t.Fatalf("the screen is gone, and shows no %q after %q", text, all[s.read:])
		}
		select {
		case <-s.more:
		case <-late:
			s.t.Fatalf("after %v the screen shows no %q after %q; all of it: %q", limit, text, all[s.read:], all)
		}
	}
}

// enter types keys.
func (s *screen) enter(keys string) {
	s.t.Helper()
	if _, err := s.master.WriteString(keys); err != nil {
		s.t.Fatal(err)
	}
}

func (s *screen) resize(rows, cols uint16) {
	s.t.Helper()
	err := s.control(func(fd int) error {
		return unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: rows, Col: cols})
	})
	if err != nil {
		s.t.Fatal(err)
	}
}

// cooked reports whether the terminal is as terminals are, and no program's in raw mode.
func (s *screen) cooked() bool {
	s.t.Helper()
	var mode *unix.Termios
	err := s.control(func(fd int) (err error) { mode, err = unix.IoctlGetTermios(fd, unix.TCGETS); return err })
	if err != nil {
		s.t.Fatal(err)
	}
	return mode.Lflag&unix.ICANON != 0 && mode.Lflag&unix.ECHO != 0 && mode.Oflag&unix.OPOST != 0
}

// wait waits for the script's end, and returns its exit status.
func (s *screen) wait() int {
	s.t.Helper()
	done := make(chan error, 1)
	go func() { done <- s.cmd.Wait() }()
	select {
	case err := <-done:
		var exit *exec.ExitError
		if err != nil && !errors.As(err, &exit) {
			s.t.Fatal(err)
		}
	case <-time.After(limit):
		s.mu.Lock()
		defer s.mu.Unlock()
		s.t.Fatalf("after %v it has not ended; the screen: %q", limit, s.text.String())
	}
	return s.cmd.ProcessState.ExitCode()
}

// ends waits for the end, which has to have an exit status and leave the terminal as it was.
func (s *screen) ends(status int) {
	s.t.Helper()
	if got := s.wait(); got != status {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.t.Errorf("exit status %d, want %d; the screen: %q", got, status, s.text.String())
	}
	if !s.cooked() {
		s.t.Error("the terminal is still in raw mode")
	}
}

// command is a raket command line for newScreen, in place of the script's shell or not.
func (p *pods) command(args ...string) string { return fmt.Sprintf("%s %s", p.cmd(), quote(args...)) }
