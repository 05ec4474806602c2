package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/coreos/go-systemd/v22/daemon"

	"github.com/raket/raket/tests/images/inotify"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	if len(args) != 1 {
		fmt.Fprintln(stderr, "usage: shipper FILE")
		return 2
	}
	if err := ship(ctx, args[0], stdout); err != nil {
		fmt.Fprintln(stderr, "shipper:", err)
		return 1
	}
	return 0
}

func ship(ctx context.Context, path string, out io.Writer) (err error) {
	w, err := inotify.Dir(filepath.Dir(path))
	if err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { w.Close() })
	defer stop()

	f := follower{path: path, source: filepath.Base(path), out: json.NewEncoder(out)}
	defer func() { err = errors.Join(err, f.close()) }()
	if err := f.drain(); err != nil {
		return err
	}
	if _, err := daemon.SdNotify(false, daemon.SdNotifyReady); err != nil {
		return fmt.Errorf("tell the service manager: %w", err)
	}
	for {
		waited := w.Wait()
		if err := f.drain(); err != nil {
			return err
		}
		switch {
		case ctx.Err() != nil:
			return nil
		case waited != nil:
			return waited
		}
	}
}
