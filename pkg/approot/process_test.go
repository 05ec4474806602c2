package approot

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"strconv"
	"testing"
)

// sleeper starts a program that stays, and returns its directory in /proc.
func sleeper(t *testing.T) (dir string, stop func()) {
	t.Helper()
	cmd := exec.Command("sleep", "100000")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	stop = func() { _, _ = cmd.Process.Kill(), cmd.Wait() }
	t.Cleanup(stop)
	return "/proc/" + strconv.Itoa(cmd.Process.Pid), stop
}

func TestAProcessIsTheAppWhenItHasLeftItsStarters(t *testing.T) {
	dir, _ := sleeper(t)
	p, err := OpenProcess(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close() })
	elsewhere := t.TempDir()
	for name, tt := range map[string]struct {
		starters Starters
		is       bool
	}{
		"another root, and another program":    {Starters{elsewhere, []string{"/proc/self/exe"}}, true},
		"another root, and a program is amiss": {Starters{elsewhere, []string{"/no/such/program", "/proc/self/exe"}}, true},
		"the starter's root":                   {Starters{"/", []string{"/proc/self/exe"}}, false},
		"the starter's program":                {Starters{elsewhere, []string{"/proc/self/exe", dir + "/exe"}}, false},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			cancel() // one look
			if err := p.AwaitApp(ctx, "a", tt.starters); (err == nil) != tt.is || errors.Is(err, ErrGone) {
				t.Errorf("got %v, want it to be the app: %t", err, tt.is)
			}
		})
	}
}

func TestAProcessThatHasEndedIsNoAppAndNeverAnother(t *testing.T) {
	dir, stop := sleeper(t)
	p, err := OpenProcess(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close() })
	stop()
	if err := p.AwaitApp(t.Context(), "a", Starters{Root: t.TempDir()}); !errors.Is(err, ErrGone) {
		t.Errorf("got %v, want %v", err, ErrGone)
	}
	if _, err := os.Stat(p.Dir() + "/root"); err == nil {
		t.Error("its root is still there")
	}
	if _, err := OpenProcess(dir); !errors.Is(err, ErrGone) {
		t.Errorf("opening it: got %v, want %v", err, ErrGone)
	}
}
