package main

import (
	"context"
	"errors"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/raket/raket/pkg/approot"
	"github.com/raket/raket/pkg/stageabi"
)

// copyName is this program as the copier of a pod with a user namespace. It is the pod's
// root, so that owners, ACLs and capabilities of files are what the pod takes them for, and
// out of the pod's reach all the same.
const copyName = "copy"

// copyFD is the app's root, for copyName.
const copyFD = 3

// copyFiles copies between the app's root and the standard streams: cp --in|--out UUID
// APP PATH. This process stays out of the pod, and out of its reach.
func copyFiles(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) (int, error) {
	if len(args) != 4 {
		return 0, errors.New("cp: want --in or --out, UUID, APP and a path")
	}
	e, err := newEntry(stageabi.Command{UUID: args[1], App: args[2], Privileged: true})
	if err != nil {
		return 0, err
	}
	if e.sandbox.Users != nil {
		told := make(chan os.Signal, 1)
		signal.Notify(told, copySignals()...)
		code, err := asPodRoot(e.leader, []string{copyName, args[0], args[3]}, []int{e.root.Fd()}, stdout, told)
		return code, errors.Join(err, e.root.Close())
	}
	return 0, copyView(ctx, e.root, []string{args[0], args[3]}, stdin, stdout, stderr)
}

func copySignals() []os.Signal { return []os.Signal{syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP} }

// copyHere is what copyName does.
func copyHere(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) error {
	return copyView(ctx, approot.NewView(copyFD), args, stdin, stdout, stderr)
}

func copyView(ctx context.Context, v approot.View, args []string, stdin io.Reader, stdout, stderr io.Writer) error {
	ctx, stop := signal.NotifyContext(ctx, copySignals()...)
	defer stop()
	return errors.Join(v.Copy(ctx, args, stdin, stdout, stderr), v.Close())
}
