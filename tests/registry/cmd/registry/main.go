package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
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
	flags.BoolVar(&o.TLS, "tls", false, "speak HTTPS, and keep the authority's certificate in DIR/ca.pem")
	flags.Func("name", "certify a further DNS `name`", func(name string) error {
		o.Names = append(o.Names, name)
		return nil
	})
	flags.Func("user", "let in only users, by `name:password`", func(s string) error {
		name, password, ok := strings.Cut(s, ":")
		if !ok {
			return fmt.Errorf("%q is not NAME:PASSWORD", s)
		}
		if o.Users == nil {
			o.Users = map[string]string{}
		}
		o.Users[name] = password
		return nil
	})
	flags.IntVar(&o.NetworkOf, "net-of", 0, "run in the network namespace of process `PID`")
	if err := flags.Parse(args); err != nil || flags.NArg() != 1 {
		fmt.Fprintln(stderr, "usage: registry [-addr HOST:PORT] [-net-of PID] [-tls [-name NAME]…] [-user NAME:PASSWORD]… DIR")
		return 2
	}
	p, err := registry.Debian(ctx, flags.Arg(0), o)
	if err != nil {
		fmt.Fprintln(stderr, "registry:", err)
		return 1
	}
	if p.Authority != nil {
		if err := os.WriteFile(filepath.Join(flags.Arg(0), "ca.pem"), p.Authority.PEM(), 0o644); err != nil {
			fmt.Fprintln(stderr, "registry:", errors.Join(err, p.Stop()))
			return 1
		}
	}
	fmt.Fprintln(stdout, "ready", p.Addr)
	<-ctx.Done()
	if err := p.Stop(); err != nil {
		fmt.Fprintln(stderr, "registry:", err)
		return 1
	}
	return 0
}
