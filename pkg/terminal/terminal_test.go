package terminal

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// newPair makes a terminal of this machine's.
func newPair(t *testing.T) Pair {
	t.Helper()
	root, err := unix.Open("/", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(root)
	p, err := Open(root)
	if err != nil {
		t.Skipf("no terminals here: %v", err)
	}
	t.Cleanup(func() { _, _ = p.Master.Close(), p.Slave.Close() })
	return p
}

func TestATerminalInRawModePassesEveryByte(t *testing.T) {
	p := newPair(t)
	restore, err := Raw(int(p.Slave.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	const keys = "a\x03\x04\r\x7f\n"
	if _, err := p.Master.WriteString(keys); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, len(keys))
	if _, err := io.ReadFull(p.Slave, got); err != nil || string(got) != keys {
		t.Errorf("%q, %v, want %q", got, err, keys)
	}
	if err := restore(); err != nil {
		t.Fatal(err)
	}
	now, err := unix.IoctlGetTermios(int(p.Slave.Fd()), unix.TCGETS)
	if err != nil || now.Lflag&unix.ICANON == 0 {
		t.Errorf("it is still in raw mode: %v", err)
	}
}

func TestASessionPassesSizeAndOutputOn(t *testing.T) {
	p, caller := newPair(t), newPair(t)
	size := &unix.Winsize{Row: 12, Col: 34}
	if err := unix.IoctlSetWinsize(caller.master, unix.TIOCSWINSZ, size); err != nil {
		t.Fatal(err)
	}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	s := Session{Stdin: caller.Slave, Stdout: w, Pair: &p, Signal: func(syscall.Signal) {}}
	s.Catch()
	// What a command in the background holds: the end of the output does not come.
	held, err := unix.FcntlInt(p.Slave.Fd(), unix.F_DUPFD_CLOEXEC, 3)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(held)
	if got, err := unix.IoctlGetWinsize(held, unix.TIOCGWINSZ); err != nil || got.Row != 12 || got.Col != 34 {
		t.Errorf("size %+v, %v", got, err)
	}
	if err := s.Begin(); err != nil {
		t.Fatal(err)
	}
	if _, err := unix.Write(held, []byte("last words")); err != nil {
		t.Fatal(err)
	}
	if err := s.End(); err != nil {
		t.Fatal(err)
	}
	_ = w.Close()
	if got, _ := io.ReadAll(r); string(got) != "last words" {
		t.Errorf("output %q", got)
	}
}

func TestWhatIsNoTerminalIsNotOpened(t *testing.T) {
	for name, make := range map[string]func(dir string) error{
		"nothing":       func(string) error { return nil },
		"a file":        func(d string) error { return os.WriteFile(d+"/ptmx", nil, 0o644) },
		"a pipe":        func(d string) error { return unix.Mkfifo(d+"/ptmx", 0o644) },
		"a link out":    func(d string) error { return os.Symlink("/dev/pts/ptmx", d+"/ptmx") },
		"a device else": func(d string) error { return unix.Mknod(d+"/ptmx", unix.S_IFCHR|0o666, int(unix.Mkdev(5, 2))) },
	} {
		t.Run(name, func(t *testing.T) {
			root := t.TempDir()
			dir := filepath.Join(root, "dev/pts")
			if err := os.MkdirAll(dir, 0o755); err != nil {
				t.Fatal(err)
			}
			if err := make(dir); err != nil {
				t.Skipf("cannot be made here: %v", err)
			}
			fd, err := unix.Open(root, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
			if err != nil {
				t.Fatal(err)
			}
			defer unix.Close(fd)
			if _, err := Open(fd); err == nil || !strings.Contains(err.Error(), "/dev/pts/ptmx") {
				t.Errorf("error %v", err)
			}
		})
	}
}
