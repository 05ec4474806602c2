package main

import (
	"context"
	"errors"
	"io"
	"os/signal"
	"syscall"

	"github.com/raket/raket/pkg/stageabi"
)

// copyFiles copies between the app's root and the standard streams: cp --in|--out UUID
// APP PATH. This process stays out of the pod, and out of its reach.
func copyFiles(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) error {
	if len(args) != 4 {
		return errors.New("cp: want --in or --out, UUID, APP and a path")
	}
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP)
	defer stop()
	e, err := newEntry(stageabi.Command{UUID: args[1], App: args[2], Privileged: true})
	if err != nil {
		return err
	}
	return errors.Join(e.root.Copy(ctx, []string{args[0], args[3]}, stdin, stdout, stderr), e.root.Close())
}
