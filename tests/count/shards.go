package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os/exec"
	"strconv"
	"strings"
	"sync"
)

// shardsFlag, as a group's first argument, has the tests of its package run by so many
// processes at a time.
const shardsFlag = "-shards="

// shards takes the flag off a group: how many processes, and what is left.
func shards(args []string) (int, []string, error) {
	value, ok := "", false
	if len(args) > 0 {
		value, ok = strings.CutPrefix(args[0], shardsFlag)
	}
	if !ok {
		return 1, args, nil
	}
	n, err := strconv.Atoi(value)
	if err != nil || n < 1 {
		return 0, nil, fmt.Errorf("bad %s%s: want how many processes", shardsFlag, value)
	}
	return n, args[1:], nil
}

// goTests is goTest by n processes, each with its part of the tests.
func goTests(ctx context.Context, n int, args []string, t *tally, stdout, stderr io.Writer) error {
	if n == 1 {
		return goTest(ctx, args, t, stdout, stderr)
	}
	list := exec.CommandContext(ctx, "go", append([]string{"test", "-list", "."}, args...)...)
	list.Stderr = stderr
	out, err := list.Output()
	if err != nil {
		return fmt.Errorf("list the tests: %w: %s", err, bytes.TrimSpace(out))
	}
	var (
		parts   = deal(string(out), n)
		tallies = make([]*tally, len(parts))
		errs    = make([]error, len(parts))
		wg      sync.WaitGroup
	)
	stdout, stderr = &lockedWriter{w: stdout}, &lockedWriter{w: stderr}
	for i, tests := range parts {
		tallies[i] = newTally()
		wg.Go(func() {
			run := []string{"-run", "^(" + strings.Join(tests, "|") + ")$"}
			errs[i] = goTest(ctx, append(run, args...), tallies[i], stdout, stderr)
		})
	}
	wg.Wait()
	for i := range parts {
		t.add(tallies[i])
		if errs[i] != nil && err == nil {
			err = errs[i]
		}
	}
	return err
}

// deal deals the tests that go test lists to n parts or fewer, like cards: neighbours are
// often alike in what they take.
func deal(list string, n int) [][]string {
	parts := make([][]string, n)
	i := 0
	for line := range strings.Lines(list) {
		name := strings.TrimSpace(line)
		if strings.HasPrefix(name, "Test") || strings.HasPrefix(name, "Fuzz") || strings.HasPrefix(name, "Example") {
			parts[i%n] = append(parts[i%n], name)
			i++
		}
	}
	return parts[:min(i, n)]
}

// add counts what another has counted.
func (t *tally) add(other *tally) {
	t.passed += other.passed
	t.failures = append(t.failures, other.failures...)
	t.slow = append(t.slow, other.slow...)
	for why, tests := range other.skips {
		t.skips[why] = append(t.skips[why], tests...)
	}
}

// lockedWriter is for several goroutines.
type lockedWriter struct {
	mu sync.Mutex
	w  io.Writer
}

func (l *lockedWriter) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(p)
}
