package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/raket/raket/pkg/approot"
	"github.com/raket/raket/pkg/appspec"
	"github.com/raket/raket/pkg/complaint"
	"github.com/raket/raket/pkg/stageabi"
)

func main() {
	os.Exit(run(os.Args, os.Stdout, os.Stderr))
}

func run(args []string, stdout, stderr io.Writer) int {
	code, err := 0, error(nil)
	switch name := stageabi.Entrypoint(filepath.Base(args[0])); name {
	case stageabi.Run:
		code, err = runPod(args[1:])
	case stageabi.Enter:
		code, err = enter(args[1:])
	case becomeName:
		code, err = joinApp(args[1:])
	case stageabi.Copy:
		err = copyFiles(args[1:], os.Stdin, stdout, stderr)
	case killName:
		err = kill(args[1:])
	case stageabi.Stop:
		err = stop(args[1:])
	case stageabi.Status:
		err = status(stdout)
	case stageabi.GC: // nothing is left outside the pod's directory
	default:
		err = fmt.Errorf("no entrypoint %q", name)
	}
	if err != nil {
		complaint.Line(stderr, "raket: stage1: "+err.Error())
		if code == 0 {
			code = stageabi.ExitCommand
		}
	}
	return code
}

// app reads the one app of the pod in the working directory.
func app() (stageabi.Sandbox, stageabi.App, *appspec.Spec, error) {
	s, err := stageabi.ReadSandbox(".")
	if err != nil {
		return s, stageabi.App{}, nil, err
	}
	if len(s.Apps) != 1 {
		return s, stageabi.App{}, nil, fmt.Errorf("fly runs one app, the pod has %d (run them without --stage1-name=fly)", len(s.Apps))
	}
	spec, err := approot.ReadSpec(".", s.Apps[0].Name)
	if err == nil && (spec.Process == nil || len(spec.Process.Args) == 0) {
		err = errors.New("the app spec has no command")
	}
	return s, s.Apps[0], spec, err
}
