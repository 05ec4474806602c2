package testhost

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
)

// shared is the host all tests of a binary share. It is started by the first that asks, so
// that a run of pure tests alone never boots one.
type sharedHost struct {
	once sync.Once
	mu   sync.Mutex
	host *Host
	err  error
}

var shared sharedHost

// Main runs a test binary's tests and then stops the shared host, if one was started:
//
//	func TestMain(m *testing.M) { os.Exit(testhost.Main(m)) }
func Main(m *testing.M) int {
	code := m.Run()
	shared.mu.Lock()
	defer shared.mu.Unlock()
	if shared.host == nil {
		return code
	}
	if err := shared.host.stop(); err != nil {
		fmt.Fprintln(os.Stderr, "stop the shared test host:", err)
		code = max(code, 1)
	}
	shared.host = nil
	return code
}

// Shared is the host of this test binary, started at the first call. It skips t where none
// can be had (fails it when CI=true). What a test leaves on it the next one sees, so tests
// name their pods, units and files after themselves and remove them.
func Shared(t testing.TB) *Host {
	t.Helper()
	Require(t)
	shared.once.Do(func() {
		// Not t's context: the host outlives t.
		h, err := start(context.Background(), Options{})
		shared.mu.Lock()
		shared.host, shared.err = h, err
		shared.mu.Unlock()
	})
	if shared.err != nil {
		t.Fatalf("start the shared test host: %v", shared.err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("journal of %s, last lines:\n%s", shared.host.name, shared.host.journalTail())
		}
	})
	return shared.host
}

// Require skips t, with the reason, where no test host can be had. With CI=true it fails t
// instead: there a skip would hide that nothing was tested.
func Require(t testing.TB) {
	t.Helper()
	if why := Missing(); why != "" {
		SkipOrFail(t, "no test host: "+why)
	}
}

// SkipOrFail skips t with the reason, or fails it when CI=true. It is for tests that every
// CI machine must be able to run.
func SkipOrFail(t testing.TB, reason string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatal(reason + " (a failure because CI=true)")
	}
	t.Skip(reason)
}

// Missing says in one line why this machine cannot have a test host, or returns "".
func Missing() string {
	var commands []string
	for _, c := range []string{"systemd-nspawn", "debootstrap", "unshare", "nsenter", "flock", "pgrep"} {
		if _, err := exec.LookPath(c); err != nil {
			commands = append(commands, c)
		}
	}
	switch {
	case os.Geteuid() != 0:
		return "needs root"
	case len(commands) > 0:
		return "missing " + strings.Join(commands, ", ") + " (make deps installs them)"
	}
	return ""
}
