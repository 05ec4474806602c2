package main

import (
	"io"
	"os"
	"os/exec"
	"testing"

	"golang.org/x/sys/unix"
)

// listen makes a socket as systemd has them.
func listen(t *testing.T, path string) int {
	t.Helper()
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err == nil {
		err = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_PASSCRED, 1)
	}
	if err == nil {
		err = unix.Bind(fd, &unix.SockaddrUnix{Name: path})
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Close(fd) })
	return fd
}

func newForwarder(t *testing.T) *forwarder {
	t.Helper()
	f, err := parse([]string{"-d", "/host", "/dir", "/status", "web"})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestADatagramIsPassedOnAsItsSenders(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root sends as another process")
	}
	dir := t.TempDir()
	apps, manager := listen(t, dir+"/apps"), listen(t, dir+"/manager")
	f := newForwarder(t)
	out, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	sender := exec.Command("sleep", "1000")
	if err := sender.Start(); err != nil {
		t.Fatal(err)
	}
	pid := int32(sender.Process.Pid)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := send(out, dir+"/apps", []byte("FDSTORE=1\nSTATUS=a\x00"), pid, []int{int(w.Fd())}); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}

	d, err := f.receive(apps)
	if err != nil || d == nil {
		t.Fatal(d, err)
	}
	if !d.pass(out, dir+"/manager") {
		t.Error("it is not passed on")
	}
	d.close()
	d, err = f.receive(manager)
	if err != nil || d == nil {
		t.Fatal(d, err)
	}
	if string(d.text) != "FDSTORE=1\nSTATUS=a\x00" || d.pid != pid || len(d.fds) != 1 {
		t.Errorf("%q of process %d, want of %d, with %d descriptors", d.text, d.pid, pid, len(d.fds))
	}
	d.close()

	if err := sender.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = sender.Wait()
	if d, err = f.receive(apps); err != nil || d == nil {
		t.Fatal(d, err)
	}
	if d.pass(out, dir+"/manager") {
		t.Error("what a process sent that has gone is passed on as somebody's")
	}
	d.close()
	// So a barrier is not held up by a copy.
	if _, err := r.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("a descriptor is still open: %v", err)
	}
	if d, err = f.receive(apps); d != nil || err != nil {
		t.Errorf("of nothing: %v, %v", d, err)
	}
}

func TestWhatIsTooLargeIsNotPassedOn(t *testing.T) {
	dir := t.TempDir()
	apps := listen(t, dir+"/apps")
	f := newForwarder(t)
	out, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, size := range []int{maxDatagram, maxDatagram + 2} {
		if err := send(out, dir+"/apps", make([]byte, size), 0, nil); err != nil {
			t.Fatal(err)
		}
		d, err := f.receive(apps)
		if err != nil || d == nil {
			t.Fatal(d, err)
		}
		if got, want := d.text != nil, size == maxDatagram; got != want {
			t.Errorf("%d bytes: %t, want %t", size, got, want)
		}
	}
}

func TestABarrierEndsWhenItIsClosed(t *testing.T) {
	dir := t.TempDir()
	manager := listen(t, dir+"/manager")
	f := newForwarder(t)
	out, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	if barrier(out, dir+"/manager", 0, 0) {
		t.Error("it ends while nobody reads")
	}
	if barrier(out, dir+"/nobody", 0, patience) {
		t.Error("it ends where nobody listens")
	}
	done := make(chan bool)
	go func() { done <- barrier(out, dir+"/manager", 0, patience*30) }()
	for n := 0; n < 2; {
		d, err := f.receive(manager)
		if err != nil {
			t.Fatal(err)
		}
		if d != nil {
			d.close()
			n++
		}
	}
	if !<-done {
		t.Error("it does not end though what it waits for is closed")
	}
}
