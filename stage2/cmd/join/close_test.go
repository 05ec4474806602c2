package main

import (
	"os"
	"os/exec"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestClosingLeavesTheRuntimeItsDescriptors runs itself again: what is closed is the whole
// process's.
func TestClosingLeavesTheRuntimeItsDescriptors(t *testing.T) {
	if os.Getenv("CLOSE_CALLERS") == "" {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$")
		cmd.Env = append(os.Environ(), "CLOSE_CALLERS=1")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return
	}
	r, w, err := os.Pipe() // from now on the runtime watches files
	if err != nil {
		t.Fatal(err)
	}
	fd := int(w.Fd())
	if err := closeCallers(callerFD); err != nil {
		t.Fatal(err)
	}
	if _, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); fd < callerFD || err == nil {
		t.Errorf("descriptor %d is still open", fd)
	}
	r2, w2, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	time.AfterFunc(30*time.Millisecond, func() { w2.Write([]byte("x")) }) // the runtime looks in between
	if n, err := r2.Read(make([]byte, 1)); n != 1 || err != nil {
		t.Errorf("read %d, %v", n, err)
	}
	_ = r
}
