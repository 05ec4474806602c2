package idmap

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// isolated gives the test a mount namespace; its thread ends with it.
func isolated(t *testing.T) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("mounting needs root")
	}
	runtime.LockOSThread()
	if err := errors.Join(unix.Unshare(unix.CLONE_NEWNS), unix.Mount("", "/", "", unix.MS_SLAVE|unix.MS_REC, "")); err != nil {
		t.Fatal(err)
	}
}

func owner(t *testing.T, path string) uint32 {
	t.Helper()
	st, err := os.Lstat(path)
	if err != nil {
		t.Fatal(err)
	}
	return st.Sys().(*syscall.Stat_t).Uid
}

func TestFilesAreSeenUnderTheMap(t *testing.T) {
	isolated(t)
	dir := t.TempDir()
	file := filepath.Join(dir, "layer", "file")
	if err := errors.Join(os.Mkdir(filepath.Dir(file), 0o755), os.WriteFile(file, nil, 0o644), os.Chown(file, 33, 33)); err != nil {
		t.Fatal(err)
	}
	m, err := Open(Range{1000000000, 65536})
	if err != nil {
		t.Fatal(err)
	}
	layer := filepath.Dir(file)
	err = errors.Join(m.Over(layer), m.Over(layer)) // once
	if err != nil && strings.Contains(err.Error(), "takes no ID maps") {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	if got := owner(t, file); got != 1000000033 {
		t.Errorf("the file is seen as %d's", got)
	}
	if !m.Shows(file) || !m.Shows(layer) || m.Shows(dir) || m.Shows(layer+"2") {
		t.Error("Shows is wrong about what it shows")
	}
	made := filepath.Join(layer, "made")
	if err := os.WriteFile(made, nil, 0o644); !errors.Is(err, unix.EOVERFLOW) {
		t.Errorf("who has no number there makes files: %v", err)
	}
	if err := m.As(func() error { return os.WriteFile(made, nil, 0o644) }); err != nil {
		t.Error(err)
	}
	if got := owner(t, made); got != 1000000000 {
		t.Errorf("the pod's root makes files of %d's", got)
	}
	if err := unix.Unmount(layer, unix.MNT_DETACH); err != nil {
		t.Fatal(err)
	}
	// As has left nothing behind.
	other := filepath.Join(dir, "other")
	if err := os.WriteFile(other, nil, 0o644); err != nil || owner(t, other) != 0 {
		t.Errorf("a file made after is %d's, %v", owner(t, other), err)
	}
	if err := m.Close(); err != nil {
		t.Error(err)
	}
}

func TestNoMapChangesNothing(t *testing.T) {
	m, err := Open(Range{})
	if m != nil || err != nil {
		t.Fatalf("got %v, %v", m, err)
	}
	called := false
	var attr unix.MountAttr
	m.Attr(&attr)
	err = errors.Join(m.Over("/nowhere"), m.As(func() error { called = true; return nil }), m.Close())
	if err != nil || !called || attr != (unix.MountAttr{}) || m.Shows("/") {
		t.Errorf("a map that is none does something: %v, %v, %+v", err, called, attr)
	}
}

func TestWhatCannotBeMappedIsNamed(t *testing.T) {
	if got := Explain("/proc", unix.EINVAL); !strings.Contains(got.Error(), "/proc (type 0x9fa0) takes no ID maps") {
		t.Error(got)
	}
	if got := Explain("/proc", unix.EPERM); got != unix.EPERM {
		t.Error(got)
	}
}
