package testhost

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// Name is the host's machine name and host name.
func (h *Host) Name() string { return h.name }

// Leader is the PID of the host's systemd as this machine sees it.
func (h *Host) Leader() int { return h.leader }

// Path is where the host's file at the absolute path is for this machine. It follows the
// host's mounts, but an absolute symlink on the way leads astray.
func (h *Host) Path(path string) string {
	return filepath.Join("/proc", strconv.Itoa(h.leader), "root", path)
}

// Run runs a bash script in the host as root, in a unit of its own, and returns what it
// left, whatever its status. It fails t only when the command could not be run at all.
func (h *Host) Run(t testing.TB, script string) Result {
	t.Helper()
	return h.Do(t, Cmd{Script: script})
}

// Runf is Run with a formatted script.
func (h *Host) Runf(t testing.TB, format string, args ...any) Result {
	t.Helper()
	return h.Do(t, Cmd{Script: fmt.Sprintf(format, args...)})
}

// MustRun runs a script that must succeed and returns its standard output without the last
// newline.
func (h *Host) MustRun(t testing.TB, script string) string {
	t.Helper()
	r := h.Do(t, Cmd{Script: script})
	if r.Code != 0 {
		t.Fatalf("on the test host: %s\nexit status %d\nstdout:\n%s\nstderr:\n%s", script, r.Code, r.Stdout, r.Stderr)
	}
	return strings.TrimSuffix(r.Stdout, "\n")
}

// Do runs c in the host.
func (h *Host) Do(t testing.TB, c Cmd) Result {
	t.Helper()
	if c.Timeout == 0 {
		c.Timeout = DefaultTimeout
	}
	// The unit's own time limit comes first; the client is killed only if that fails. Not t's
	// context: clean-up functions run commands too.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), c.Timeout+15*time.Second)
	defer cancel()
	cmd := h.command(ctx, c)
	cmd.WaitDelay = time.Second
	var out, msg bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = c.Stdin, &out, &msg
	err := cmd.Run()
	r := Result{Stdout: out.String(), Stderr: msg.String()}
	var exit *exec.ExitError
	switch {
	case err == nil:
	case errors.As(err, &exit) && exit.ExitCode() >= 0:
		r.Code = exit.ExitCode()
	default:
		t.Fatalf("on the test host: %s\n%v\nstdout:\n%s\nstderr:\n%s", c.Script, err, r.Stdout, r.Stderr)
	}
	return r
}

// command is what "host sh" executes, by hand and with a limit of time: the script takes
// twice the processor time of all the rest, for each of thousands of commands.
func (h *Host) command(ctx context.Context, c Cmd) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "nsenter", "-t", strconv.Itoa(h.leader), "-a",
		"systemd-run", "--quiet", "--wait", "--pipe", "--collect", "-p", fmt.Sprintf("RuntimeMaxSec=%d", int(c.Timeout.Seconds())), "-p", "LimitNOFILE=65536",
		"-E", "HOME=/root", "-E", "TERM=dumb", "-E", "LC_ALL=C.UTF-8", "-E", "PATH=/opt/raket/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "--working-directory=/root",
		// systemd would expand ${x} in an argument before bash sees it; $$ is its way to write $.
		"/bin/bash", "-c", strings.ReplaceAll(c.Script, "$", "$$"))
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	return cmd
}

// WaitFor runs script until it succeeds, and fails t if it has not within limit.
func (h *Host) WaitFor(t testing.TB, limit time.Duration, script string) {
	t.Helper()
	// One call: the loop runs inside, so that a poll costs no new unit.
	r := h.Do(t, Cmd{
		Script:  fmt.Sprintf("end=$((SECONDS+%d)); until { %s\n} >/tmp/.waitfor.$$ 2>&1; do [ $SECONDS -lt $end ] || { cat /tmp/.waitfor.$$; exit 1; }; sleep 0.05; done; rm -f /tmp/.waitfor.$$", int(limit.Seconds()), script),
		Timeout: limit + 10*time.Second,
	})
	if r.Code != 0 {
		t.Fatalf("after %v this still fails on the test host: %s\n%s%s", limit, script, r.Stdout, r.Stderr)
	}
}

// WriteFile writes a file in the host, making its directory.
func (h *Host) WriteFile(t testing.TB, path, content string, mode os.FileMode) {
	t.Helper()
	dst := h.Path(path)
	if err := os.MkdirAll(filepath.Dir(dst), 0o755); err != nil {
		t.Fatalf("write %s in the test host: %v", path, err)
	}
	if err := os.WriteFile(dst, []byte(content), mode); err != nil {
		t.Fatalf("write %s in the test host: %v", path, err)
	}
	if err := os.Chmod(dst, mode); err != nil {
		t.Fatalf("write %s in the test host: %v", path, err)
	}
}

// ReadFile reads a file of the host.
func (h *Host) ReadFile(t testing.TB, path string) string {
	t.Helper()
	b, err := os.ReadFile(h.Path(path))
	if err != nil {
		t.Fatalf("read %s from the test host: %v", path, err)
	}
	return string(b)
}

// Put copies a file or directory of this machine into the host.
func (h *Host) Put(t testing.TB, src, dst string) {
	t.Helper()
	if _, err := h.script(context.WithoutCancel(t.Context()), "put", src, dst); err != nil {
		t.Fatalf("copy %s into the test host: %v", src, err)
	}
}

// Get copies a file or directory of the host to this machine.
func (h *Host) Get(t testing.TB, src, dst string) {
	t.Helper()
	if _, err := h.script(context.WithoutCancel(t.Context()), "get", src, dst); err != nil {
		t.Fatalf("copy %s from the test host: %v", src, err)
	}
}

// Listen opens a TCP listener in the host's network namespace: a server of the test's own
// process, such as an image registry, is then on the host's loopback address.
func (h *Host) Listen(address string) (net.Listener, error) {
	var l net.Listener
	err := h.inNetwork(func() (err error) {
		l, err = net.Listen("tcp", address)
		return err
	})
	return l, err
}

// Dial connects from the host's network namespace; it fits http.Transport.DialContext.
func (h *Host) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	var c net.Conn
	err := h.inNetwork(func() (err error) {
		// A name would be resolved, and two addresses tried, on other threads: outside.
		c, err = (&net.Dialer{FallbackDelay: -1}).DialContext(ctx, network, address)
		return err
	})
	return c, err
}

// inNetwork runs f on a thread in the host's network namespace. A socket stays in the
// namespace it was made in, so what f opens outlives the visit.
func (h *Host) inNetwork(f func() error) error {
	done := make(chan error, 1)
	go func() {
		// Never unlocked: the runtime ends a thread that is still in another namespace.
		runtime.LockOSThread()
		ns, err := os.Open(filepath.Join("/proc", strconv.Itoa(h.leader), "ns/net"))
		if err != nil {
			done <- err
			return
		}
		defer ns.Close()
		if err := unix.Setns(int(ns.Fd()), unix.CLONE_NEWNET); err != nil {
			done <- fmt.Errorf("enter the test host's network namespace: %w", err)
			return
		}
		done <- f()
	}()
	return <-done
}

// Journal is the host's journal as journalctl prints it with the given options.
func (h *Host) Journal(t testing.TB, args ...string) string {
	t.Helper()
	out, err := h.script(context.WithoutCancel(t.Context()), append([]string{"log"}, args...)...)
	if err != nil {
		t.Fatalf("read the test host's journal: %v", err)
	}
	return out
}
