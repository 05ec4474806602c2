package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/raket/raket/pkg/appspec"
	"github.com/raket/raket/pkg/stageabi"
)

// must fails the test on an error.
func must(t *testing.T, errs ...error) {
	t.Helper()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

// inPod makes a pod of the apps, whose specs have these annotations, and enters
// its directory.
func inPod(t *testing.T, annotations map[string]string, apps ...string) {
	t.Helper()
	t.Chdir(t.TempDir())
	s := stageabi.Sandbox{UUID: "u", Network: stageabi.Network{Mode: stageabi.NetHost}}
	made := appspec.New()
	made.Spec.Process.Args = []string{"/bin/true"}
	made.Spec.Annotations = annotations
	spec, err := appspec.Marshal(made.Spec)
	must(t, err)
	for _, name := range apps {
		s.Apps = append(s.Apps, stageabi.App{Name: name})
		must(t, os.MkdirAll(stageabi.AppPath(".", name), 0o755), os.WriteFile(filepath.Join(stageabi.AppPath(".", name), stageabi.SpecFile), spec, 0o644))
	}
	text, err := json.Marshal(s)
	must(t, err, os.WriteFile(stageabi.SandboxFile, text, 0o644))
}

// start starts a process as the pod's; it says a word when it is ready.
func start(t *testing.T, script string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "/bin/sh", "-c", script)
	// Nothing is ever written to it: reading can be interrupted.
	_, err := cmd.StdinPipe()
	must(t, err)
	out, err := cmd.StdoutPipe()
	must(t, err, cmd.Start())
	_, err = bufio.NewReader(out).ReadString('\n')
	begun, serr := startTime(cmd.Process.Pid)
	must(t, err, serr, os.WriteFile(stageabi.PIDFile, []byte(strconv.Itoa(cmd.Process.Pid)+"\n"), 0o644), os.WriteFile(startFile, []byte(begun), 0o644))
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	return cmd
}

const (
	polite   = `trap 'exit 9' TERM; trap 'exit 8' USR1; echo; while :; do read x; done`
	stubborn = `trap '' TERM; echo; exec sleep 1000`
)

func TestStop(t *testing.T) {
	for _, tc := range []struct {
		name, script string
		annotations  map[string]string
		args         []string
		want         func(syscall.WaitStatus) bool
	}{
		{name: "an app that listens", script: polite, args: []string{"u"}, want: func(w syscall.WaitStatus) bool { return w.ExitStatus() == 9 }},
		{name: "by its own signal", script: polite, annotations: map[string]string{"org.systemd.property.KillSignal": "SIGUSR1"}, args: []string{"u"},
			want: func(w syscall.WaitStatus) bool { return w.ExitStatus() == 8 }},
		{name: "an app that does not", script: stubborn, annotations: map[string]string{"org.systemd.property.TimeoutStopSec": "0.05"}, args: []string{"u"},
			want: func(w syscall.WaitStatus) bool { return w.Signal() == syscall.SIGKILL }},
		{name: "with force", script: polite, args: []string{"--force", "u"}, want: func(w syscall.WaitStatus) bool { return w.Signal() == syscall.SIGKILL }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			inPod(t, tc.annotations, "a")
			cmd := start(t, tc.script)
			must(t, stop(tc.args))
			_ = cmd.Wait()
			if w := cmd.ProcessState.Sys().(syscall.WaitStatus); !tc.want(w) {
				t.Errorf("it ended with %v", cmd.ProcessState)
			}
		})
	}
}

func TestAStrangerWithTheNumberIsLeftAlone(t *testing.T) {
	inPod(t, nil, "a")
	cmd := start(t, polite)
	must(t, os.WriteFile(startFile, []byte("1"), 0o644))
	for _, args := range [][]string{{"u"}, {"--force", "u"}} {
		if err := stop(args); err == nil || !strings.Contains(err.Error(), "its process has ended") {
			t.Errorf("stop %v: %v", args, err)
		}
	}
	must(t, cmd.Process.Signal(syscall.Signal(0)))
	must(t, os.WriteFile(stageabi.PIDFile, []byte("x"), 0o644))
	if err := stop([]string{"u"}); err == nil {
		t.Error("stopped what is no number")
	}
	must(t, os.Remove(stageabi.PIDFile))
	if err := stop([]string{"u"}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a pod that never ran: %v", err)
	}
}

func TestStatus(t *testing.T) {
	inPod(t, nil, "a")
	cmd := start(t, polite)
	var out, errs strings.Builder
	if code := run([]string{"/x/status", "u"}, &out, &errs); code != 0 {
		t.Fatalf("%d: %s", code, errs.String())
	}
	var live stageabi.Live
	must(t, json.Unmarshal([]byte(out.String()), &live))
	if a := live.Apps["a"]; !live.Ready || a.State != "active" || a.PID != cmd.Process.Pid || a.Started.IsZero() {
		t.Errorf("%+v", live)
	}
}

func TestOwnStartTime(t *testing.T) {
	inPod(t, nil, "a")
	must(t, markProcess())
	fd, pid, err := process()
	must(t, err, syscall.Close(fd))
	if pid != os.Getpid() {
		t.Errorf("process %d, this is %d", pid, os.Getpid())
	}
}

func TestWhatFlyRefuses(t *testing.T) {
	for _, tc := range []struct {
		name        string
		apps        []string
		annotations map[string]string
		args        []string
		err         string
	}{
		{name: "two apps", apps: []string{"a", "b"}, args: []string{"--log=none", "u"}, err: "fly runs one app, the pod has 2"},
		{name: "no app", args: []string{"--log=none", "u"}, err: "the pod has 0"},
		{name: "another pod", apps: []string{"a"}, args: []string{"--log=none", "v"}, err: "the working directory is of pod u, not of v"},
		{name: "no log mode", apps: []string{"a"}, args: []string{"u"}, err: "want --log=MODE"},
		{name: "what only systemd can do", apps: []string{"a"}, annotations: map[string]string{"org.systemd.property.MemoryMax": "1G"}, args: []string{"--log=none", "u"}, err: "MemoryMax= is not to be had"},
		{name: "an entrypoint that there is not", apps: []string{"a"}, err: `no entrypoint "fly"`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			inPod(t, tc.annotations, tc.apps...)
			name := "/x/run"
			if tc.args == nil {
				name = "/x/fly"
			}
			var out, errs strings.Builder
			if code := run(append([]string{name}, tc.args...), &out, &errs); code != stageabi.ExitCommand || !strings.HasPrefix(errs.String(), "raket: stage1: ") || !strings.Contains(errs.String(), tc.err) {
				t.Errorf("%d, %q, want %q", code, errs.String(), tc.err)
			}
			if _, err := os.Stat(stageabi.PIDFile); err == nil {
				t.Error("a process was written down")
			}
		})
	}
}
