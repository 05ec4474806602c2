package main

import (
	"context"
	"errors"
	"io"
	"os/signal"
	"syscall"

	"github.com/raket/raket/pkg/approot"
)

// copyFiles copies between the app's root and the standard streams: cp --in|--out UUID
// APP PATH.
func copyFiles(args []string, stdin io.Reader, stdout, stderr io.Writer) error {
	if len(args) != 4 {
		return errors.New("cp: want --in or --out, UUID, APP and a path")
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP)
	defer stop()
	_, p, err := appProcess()
	if err != nil {
		return err
	}
	v, err := approot.OpenView(p.Dir() + "/root")
	if err != nil {
		return err
	}
	return errors.Join(v.Copy(ctx, []string{args[0], args[3]}, stdin, stdout, stderr), v.Close())
}
