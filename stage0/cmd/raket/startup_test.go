package main

import (
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// TestStartUpBudget holds what every command pays before it does anything: a
// dependency that compiles tables when it is loaded shows here. The quickest of
// many runs counts, for the machine has other things to do too.
func TestStartUpBudget(t *testing.T) {
	const (
		budget = 8 * time.Millisecond
		runs   = 40
	)
	bin := filepath.Join(t.TempDir(), "raket")
	build := exec.CommandContext(t.Context(), "go", "build", "-ldflags=-s -w", "-o", bin, ".")
	build.Env = append(build.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build raket: %v\n%s", err, out)
	}
	least := time.Hour
	for range runs {
		start := time.Now()
		if out, err := exec.CommandContext(t.Context(), bin, "version").CombinedOutput(); err != nil {
			t.Fatalf("raket version: %v\n%s", err, out)
		}
		least = min(least, time.Since(start))
	}
	if least > budget {
		t.Errorf("raket version takes %s at least, more than %s; GODEBUG=inittrace=1 shows which packages", least, budget)
	}
	t.Logf("raket version takes %s at least", least)
}
