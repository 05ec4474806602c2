package main

import (
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// Before there is a runtime, no code may ask it for memory. The compiler says
// which does. What is in these files runs with the runtime only.
func TestNothingIsAllocatedBeforeTheRuntime(t *testing.T) {
	withRuntime := []string{"exec/main.go", "exec/env.go", "exec/extras.go", "exec/await.go", "exec/unlocked.go", "exec/streams.go", "exec/up.go", "exec/podroot.go", "bare/runtime.go"}
	out, err := exec.Command("go", "build", "-gcflags=-m", "-o", "/dev/null", ".").CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	bare, err := exec.Command("go", "build", "-gcflags=-m", "../../bare").CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, bare)
	}
	heap := regexp.MustCompile(`^(\./)?([^:]+\.go):\d+:\d+: (.*escapes to heap|moved to heap: .*)$`)
	found := 0
	for line := range strings.Lines(string(out) + string(bare)) {
		m := heap.FindStringSubmatch(strings.TrimSpace(line))
		if m == nil {
			continue
		}
		found++
		path, err := filepath.Abs(m[2]) // with -trimpath it is the package's
		if err != nil {
			t.Fatal(err)
		}
		if !slices.ContainsFunc(withRuntime, func(name string) bool { return strings.HasSuffix(path, "/"+name) }) {
			t.Error(strings.TrimSpace(line))
		}
	}
	if found == 0 {
		t.Error("the compiler said nothing, not even of files that may")
	}
}
