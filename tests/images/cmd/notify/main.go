package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
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
		return nil
	}
	path, err := exec.LookPath(program[0])
	if err != nil {
		return err
	}
	return fmt.Errorf("become %s: %w", path, syscall.Exec(path, program, os.Environ()))
}
