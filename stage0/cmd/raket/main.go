package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/raket/raket/stage0/cli"
)

func main() {
	// Roots, files and programs of pods are there for all users of their apps,
	// whatever the umask of the shell that started them.
	syscall.Umask(0o022)
	// TERM and INT end a fetch or a wait in order; run execs, and what comes
	// after the exec has the default dispositions.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := cli.Main(ctx, os.Args, os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}
