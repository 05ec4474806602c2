package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/raket/raket/pkg/complaint"
	"github.com/raket/raket/pkg/stageabi"
)

func main() {
	os.Exit(run(context.Background(), os.Args, os.Stdin, os.Stdout, os.Stderr))
}

func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	name := filepath.Base(args[0])
	code, err := 0, error(nil)
	switch stageabi.Entrypoint(name) {
	case stageabi.Run:
		code, err = runOrOwn(args[1:])
	case stageabi.Enter:
		code, err = enter(args[1:])
	case stageabi.Copy:
		code, err = copyFiles(ctx, args[1:], stdin, stdout, stderr)
	case stageabi.Attach:
		code, err = attachTo(args[1:], stdout)
	case killName:
		err = kill(args[1:])
	case stageabi.Stop:
		err = stop(args[1:])
	case stageabi.Status:
		err = status(ctx, args[1:], stdout)
	case stageabi.GC:
		err = collect(args[1:])
	case sweepName:
		err = sweep(ctx, args[1:])
	case "app-" + addVerb:
		err = changeApp(addVerb, args[1:])
	case "app-" + startVerb:
		err = changeApp(startVerb, args[1:])
	case "app-" + stopVerb:
		err = changeApp(stopVerb, args[1:])
	case "app-" + removeVerb:
		err = changeApp(removeVerb, args[1:])
	case changeName:
		err = changeInside(ctx, stdin)
	case queryName:
		err = query(ctx, args[1:], stdout)
	case copyName:
		err = copyHere(ctx, args[1:], stdin, stdout, stderr)
	case relayName:
		err = relay(stdin, stdout)
	default:
		err = fmt.Errorf("no entrypoint %q", name)
	}
	if err != nil {
		if !errors.Is(err, errSaid) {
			complaint.Line(stderr, "raket: stage1: "+err.Error())
		}
		if code == 0 {
			code = stageabi.ExitCommand
		}
	}
	return code
}
