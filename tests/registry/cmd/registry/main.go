package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/raket/raket/tests/registry"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	var o registry.Options
	flags := flag.NewFlagSet("registry", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.StringVar(&o.Addr, "addr", "", "`host:port` (default: a free port of 127.0.0.1)")
	flags.IntVar(&o.NetworkOf, "net-of", 0, "run in the network namespace of process `PID`")
	if err := flags.Parse(args); err != nil || flags.NArg() != 1 {
		fmt.Fprintln(stderr, "usage: registry [-addr HOST:PORT] [-net-of PID] DIR")
		return 2
	}
	p, err := registry.Debian(ctx, flags.Arg(0), o)
	if err != nil {
		fmt.Fprintln(stderr, "registry:", err)
		return 1
	}
	fmt.Fprintln(stdout, "ready", p.Addr)
	<-ctx.Done()
	if err := p.Stop(); err != nil {
		fmt.Fprintln(stderr, "registry:", err)
		return 1
	}
	return 0
}
