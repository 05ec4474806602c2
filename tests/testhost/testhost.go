package testhost

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// BinDir is where the checkout's bin directory is inside a host.
const BinDir = "/opt/raket/bin"

// DefaultTimeout ends a command that Run was given no other time for. The unit it runs in
// is killed with all its processes.
const DefaultTimeout = 2 * time.Minute

// Options change how a host is started. The zero value is the usual host.
type Options struct {
	// Cgroup is "v1", "v2" or "" for the machine's own layout. On a v1 machine v2 has
	// delegation but enforces no limits.
	Cgroup string
	// BinDir is the directory to bind at BinDir. Default: bin of this checkout.
	BinDir string
	// Binds are further bind mounts, "SRC:DST"; a leading "ro:" makes one read-only.
	Binds []string
	// Suite is the Debian suite of the host. Default: this machine's.
	Suite string
}

// Host is a running systemd host.
type Host struct {
	name  string
	suite string
	// leader is the PID of the host's systemd as this machine sees it.
	leader int
}

// Result is what a command left.
type Result struct {
	Stdout, Stderr string
	// Code is the exit status; 255 when the command could not be run or was killed.
	Code int
}

// Cmd is one command for a host.
type Cmd struct {
	// Script is run by bash, as root.
	Script string
	// Stdin is the command's standard input. Default: none.
	Stdin io.Reader
	// Timeout ends it. Default: DefaultTimeout.
	Timeout time.Duration
}

var serial atomic.Int64

// Start boots a host for t alone and stops it when t ends. It skips t where none can be
// had (fails it when CI=true).
func Start(t testing.TB, o Options) *Host {
	t.Helper()
	Require(t)
	h, err := start(t.Context(), o)
	if err != nil {
		t.Fatalf("start a test host: %v", err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("journal of %s, last lines:\n%s", h.name, h.journalTail())
		}
		if err := h.stop(); err != nil {
			t.Errorf("stop the test host: %v", err)
		}
	})
	return h
}

func start(ctx context.Context, o Options) (*Host, error) {
	h := &Host{name: fmt.Sprintf("rt-%d-%d", os.Getpid(), serial.Add(1)), suite: o.Suite}
	args := []string{"start", "--owner", strconv.Itoa(os.Getpid())}
	if o.Cgroup != "" {
		args = append(args, "--cgroup", o.Cgroup)
	}
	if o.BinDir != "" {
		args = append(args, "--bin", o.BinDir)
	}
	for _, b := range o.Binds {
		if ro, ok := strings.CutPrefix(b, "ro:"); ok {
			args = append(args, "--bind-ro", ro)
		} else {
			args = append(args, "--bind", b)
		}
	}
	// A first start builds the root file system.
	ctx, cancel := context.WithTimeout(ctx, 10*time.Minute)
	defer cancel()
	if _, err := h.script(ctx, args...); err != nil {
		return nil, err
	}
	out, err := h.script(ctx, "leader")
	if err != nil {
		return nil, errors.Join(err, h.stop())
	}
	if h.leader, err = strconv.Atoi(strings.TrimSpace(out)); err != nil {
		return nil, errors.Join(fmt.Errorf("read the leader's PID: %w", err), h.stop())
	}
	return h, nil
}

// script calls the host script for this host and returns its standard output.
func (h *Host) script(ctx context.Context, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, scriptPath(), append([]string{"-n", h.name}, args...)...)
	if h.suite != "" {
		cmd.Env = append(os.Environ(), "SUITE="+h.suite)
	}
	var out, msg bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &msg
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("host %s: %w: %s", args[0], err, strings.TrimSpace(msg.String()))
	}
	return out.String(), nil
}

// scriptPath is the host script's place in the source tree this binary was built from.
// With -trimpath the compiled-in path is useless, so the working directory is searched too.
var scriptPath = sync.OnceValue(func() string {
	if _, file, _, ok := runtime.Caller(0); ok && filepath.IsAbs(file) {
		return filepath.Join(filepath.Dir(file), "host")
	}
	return filepath.Join(Checkout(), "tests", "testhost", "host")
})

// Checkout is the root of the source tree: the nearest directory above the working
// directory that holds go.mod, or "." where there is none.
func Checkout() string {
	dir, err := os.Getwd()
	if err != nil {
		return "."
	}
	for d := dir; ; d = filepath.Dir(d) {
		if _, err := os.Stat(filepath.Join(d, "go.mod")); err == nil {
			return d
		}
		if d == filepath.Dir(d) {
			return "."
		}
	}
}

func (h *Host) stop() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	_, err := h.script(ctx, "stop")
	return err
}

func (h *Host) journalTail() string {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	out, err := h.script(ctx, "log", "-n", "60")
	if err != nil {
		return err.Error()
	}
	return out
}
