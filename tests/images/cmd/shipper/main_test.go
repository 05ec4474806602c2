package main

import (
	"bufio"
	"context"
	"io"
	"os"
	"path/filepath"
	"testing"
)

func TestShip(t *testing.T) {
	path := filepath.Join(t.TempDir(), "access.log")
	write := func(mode int, text string) {
		t.Helper()
		f, err := os.OpenFile(path, mode|os.O_WRONLY|os.O_CREATE, 0o644)
		if err == nil {
			_, err = f.WriteString(text)
		}
		if err == nil {
			err = f.Close()
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	r, w := io.Pipe()
	done := make(chan error, 1)
	lines := bufio.NewScanner(r)
	expect := func(line string) {
		t.Helper()
		if !lines.Scan() {
			t.Fatalf("no line, want %q", line)
		}
		if got, want := lines.Text(), `{"source":"access.log","line":"`+line+`"}`; got != want {
			t.Fatalf("got %s, want %s", got, want)
		}
	}

	write(os.O_APPEND, "before\n")
	go func() { done <- ship(ctx, path, w) }()
	expect("before")
	write(os.O_APPEND, "half")
	write(os.O_APPEND, " a line\n")
	expect("half a line")
	write(os.O_TRUNC, "cut\n")
	expect("cut")
	if err := os.Rename(path, path+".1"); err != nil {
		t.Fatal(err)
	}
	write(os.O_APPEND, "new file\n")
	expect("new file")
	cancel()
	if err := <-done; err != nil {
		t.Errorf("after cancel: %v", err)
	}
}
