package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"strings"
	"syscall"
)

const (
	exitFailed = 1
	exitUsage  = 2
)

// step is a check that is not a Go test.
type step struct{ name, command string }

// plan is a parsed command line.
type plan struct {
	steps []step
	runs  []group
}

// group is a run of go test with these arguments, by so many processes.
type group struct {
	shards int
	args   []string
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	p, err := parse(args)
	if err != nil {
		fmt.Fprintln(stderr, "count:", err)
		return exitUsage
	}
	t := newTally()
	for _, s := range p.steps {
		t.step(ctx, s, stdout)
	}
	for _, r := range p.runs {
		if err := goTests(ctx, r.shards, r.args, t, stdout, stderr); err != nil {
			t.broken("go test "+strings.Join(r.args, " "), err.Error(), stdout)
		}
	}
	return t.report(stdout)
}

func parse(args []string) (plan, error) {
	var p plan
	head := args
	if i := slices.Index(args, "--"); i >= 0 {
		head = args[:i]
		for _, a := range args[i:] {
			if a == "--" {
				p.runs = append(p.runs, group{})
				continue
			}
			last := &p.runs[len(p.runs)-1]
			last.args = append(last.args, a)
		}
	}
	for i := range p.runs {
		r := &p.runs[i]
		var err error
		if r.shards, r.args, err = shards(r.args); err != nil {
			return plan{}, err
		}
	}
	for len(head) > 0 {
		if head[0] != "-step" || len(head) < 2 {
			return plan{}, fmt.Errorf("unexpected argument %q: want -step NAME=COMMAND", head[0])
		}
		name, command, ok := strings.Cut(head[1], "=")
		if !ok || name == "" || command == "" {
			return plan{}, fmt.Errorf("bad step %q: want NAME=COMMAND", head[1])
		}
		p.steps = append(p.steps, step{name, command})
		head = head[2:]
	}
	if len(p.runs) == 0 && len(p.steps) == 0 {
		return plan{}, errors.New("nothing to run")
	}
	return p, nil
}

func (t *tally) step(ctx context.Context, s step, stdout io.Writer) {
	cmd := exec.CommandContext(ctx, "sh", "-c", s.command)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.broken(s.name, string(out)+err.Error(), stdout)
		return
	}
	t.passed++
	fmt.Fprintf(stdout, "ok    %s\n", s.name)
}

// goTest runs go test and feeds its events to t. It returns an error only for what no event
// tells: that go test itself could not run.
func goTest(ctx context.Context, args []string, t *tally, stdout, stderr io.Writer) error {
	cmd := exec.CommandContext(ctx, "go", append([]string{"test", "-json"}, args...)...)
	var msg bytes.Buffer
	cmd.Stderr = io.MultiWriter(&msg, stderr)
	pipe, err := cmd.StdoutPipe()
	if err != nil {
		return fmt.Errorf("run go test: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("run go test: %w", err)
	}
	failures := len(t.failures)
	readErr := t.read(pipe, stdout)
	err = cmd.Wait()
	switch {
	case readErr != nil:
		return readErr
	case err != nil && len(t.failures) == failures:
		return fmt.Errorf("%w: %s", err, strings.TrimSpace(msg.String()))
	}
	return nil
}
