package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// TestStartUpBudget holds what every command pays before it does anything: a
// dependency that compiles tables when it is loaded shows here. The measure is a Go
// program that does nothing, run in turns with it, since machines differ and have other
// things to do too; of each the quickest of many runs counts.
func TestStartUpBudget(t *testing.T) {
	const (
		budget = 5 // times what nothing takes
		runs   = 40
	)
	dir := t.TempDir()
	source := filepath.Join(dir, "nothing.go")
	if err := os.WriteFile(source, []byte("package main\n\nfunc main() {}\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	programs := []struct {
		source string
		argv   []string
		least  time.Duration
	}{
		{".", []string{filepath.Join(dir, "raket"), "version"}, time.Hour},
		{source, []string{filepath.Join(dir, "nothing")}, time.Hour},
	}
	for _, p := range programs {
		build := exec.CommandContext(t.Context(), "go", "build", "-ldflags=-s -w", "-o", p.argv[0], p.source)
		build.Env = append(build.Environ(), "CGO_ENABLED=0")
		if out, err := build.CombinedOutput(); err != nil {
			t.Fatalf("build %s: %v\n%s", p.source, err, out)
		}
	}
	for range runs {
		for i := range programs {
			p := &programs[i]
			start := time.Now()
			if out, err := exec.CommandContext(t.Context(), p.argv[0], p.argv[1:]...).CombinedOutput(); err != nil {
				t.Fatalf("%s: %v\n%s", p.argv[0], err, out)
			}
			p.least = min(p.least, time.Since(start))
		}
	}
	raket, nothing := programs[0].least, programs[1].least
	if raket > budget*nothing {
		t.Errorf("raket version takes %s at least, more than %d times the %s of a program that does nothing; GODEBUG=inittrace=1 shows which packages", raket, budget, nothing)
	}
	t.Logf("raket version takes %s at least, a program that does nothing %s", raket, nothing)
}
