package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
	"golang.org/x/sys/unix"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "notify:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	var program []string
	if i := slices.Index(args, "--"); i >= 0 {
		args, program = args[:i], args[i+1:]
	}
	flags := flag.NewFlagSet("notify", flag.ContinueOnError)
	after := flags.Duration("after", 0, "wait before sending")
	if err := flags.Parse(args); err != nil {
		return err
	}
	time.Sleep(*after)
	sent, err := daemon.SdNotify(false, strings.Join(flags.Args(), "\n"))
	if err != nil {
		return fmt.Errorf("send %q: %w", flags.Args(), err)
	}
	if !sent {
		return errors.New("no NOTIFY_SOCKET")
	}
	if len(program) == 0 {
		return barrier()
	}
	path, err := exec.LookPath(program[0])
	if err != nil {
		return err
	}
	return fmt.Errorf("become %s: %w", path, syscall.Exec(path, program, os.Environ()))
}

// patience is how long the service manager may take to read what it was sent.
const patience = 30 * time.Second

// barrier returns when the service manager has read what was sent before. It asks the kernel
// whose the sender is, which it can't be told of one that has ended.
func barrier() error {
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("make a socket: %w", err)
	}
	err = unix.Sendmsg(fd, []byte("BARRIER=1"), unix.UnixRights(int(w.Fd())), &unix.SockaddrUnix{Name: os.Getenv("NOTIFY_SOCKET")}, 0)
	if err := errors.Join(err, unix.Close(fd), w.Close(), r.SetReadDeadline(time.Now().Add(patience))); err != nil {
		return fmt.Errorf("send a barrier: %w", err)
	}
	if _, err := r.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		return fmt.Errorf("wait for the service manager: %w", err)
	}
	return nil
}
