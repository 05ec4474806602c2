package cli

import (
	"context"
	"io"
	"path/filepath"
	"time"

	"github.com/raket/raket/pkg/podsocket"
)

// program is what raket calls itself.
const program = "raket"

// Main runs one command. The first of args is the name the program was called
// by. It returns the exit code; run, run-prepared and enter return only where
// they failed, for otherwise the process becomes the pod.
func Main(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	return run(ctx, args, &env{
		stdin: stdin, stdout: stdout, stderr: stderr, terminal: isTerminal(stdout), now: time.Now, services: realServices(),
	})
}

func run(ctx context.Context, args []string, e *env) int {
	// Sockets that the host's systemd gave are for the pod, not for programs that
	// fetching needs.
	if err := podsocket.SetInheritable(false); err != nil {
		return e.report("", err)
	}
	if len(args) > 0 {
		e.asRkt = filepath.Base(args[0]) == "rkt"
		args = args[1:]
	}
	e.define()
	root := newRoot(e)
	resolved, err := e.resolve(root, args)
	if err != nil {
		return e.report("", err)
	}
	root.SetArgs(resolved)
	cmd, err := root.ExecuteContextC(ctx)
	if err != nil {
		return e.report(verbOf(cmd), err)
	}
	return exitOK
}
