package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/raket/raket/stage0/cli"
)

func main() {
	// TERM and INT end a fetch or a wait in order; run execs, and what comes
	// after the exec has the default dispositions.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := cli.Main(ctx, os.Args, os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}
