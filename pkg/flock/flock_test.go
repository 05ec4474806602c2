package flock_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/raket/raket/pkg/flock"
)

func open(t *testing.T, path string) *flock.Lock {
	t.Helper()
	l, err := flock.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

func try(t *testing.T, f func() (bool, error), want bool) {
	t.Helper()
	got, err := f()
	if err != nil {
		t.Fatal(err)
	}
	if got != want {
		t.Fatalf("got the lock: %v, want %v", got, want)
	}
}

func TestExclusionOnADirectory(t *testing.T) {
	dir := t.TempDir()
	a, b := open(t, dir), open(t, dir)
	try(t, a.TryShared, true)
	try(t, b.TryShared, true)
	try(t, b.TryExclusive, false)
	if err := a.Unlock(); err != nil {
		t.Fatal(err)
	}
	try(t, b.TryExclusive, true)
	try(t, a.TryShared, false)
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	if err := a.Exclusive(); err != nil {
		t.Fatal(err)
	}
}

func TestWaitEndsWithItsContext(t *testing.T) {
	dir := t.TempDir()
	a, b := open(t, dir), open(t, dir)
	try(t, a.TryExclusive, true)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := b.SharedContext(ctx); !errors.Is(err, context.Canceled) {
		t.Fatalf("error %v, want context.Canceled", err)
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	if err := b.ExclusiveContext(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestOpenMissingPath(t *testing.T) {
	if _, err := flock.Open(filepath.Join(t.TempDir(), "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("error %v, want fs.ErrNotExist", err)
	}
}

func TestIsNoticesReplacement(t *testing.T) {
	path := filepath.Join(t.TempDir(), "l")
	l, err := flock.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	try(t, func() (bool, error) { return l.Is(path) }, true)
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	try(t, func() (bool, error) { return l.Is(path) }, false)
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	try(t, func() (bool, error) { return l.Is(path) }, false)
}

// TestInheritedLockOutlivesItsMaker is the property a running pod rests on.
func TestInheritedLockOutlivesItsMaker(t *testing.T) {
	dir := t.TempDir()
	a, b := open(t, dir), open(t, dir)
	try(t, a.TryExclusive, true)
	if err := a.Inherit(); err != nil {
		t.Fatal(err)
	}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	cmd := exec.Command("cat")
	cmd.Stdin = r
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	try(t, b.TryExclusive, false)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	try(t, b.TryExclusive, true)
}

func TestFromFdRefusesAClosedDescriptor(t *testing.T) {
	if _, err := flock.FromFd(1<<20, "pod"); err == nil {
		t.Fatal("want an error")
	}
}
