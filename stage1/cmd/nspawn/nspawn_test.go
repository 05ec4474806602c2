package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/raket/raket/pkg/sd"
	"github.com/raket/raket/pkg/stageabi"
)

// must fails the test on an error.
func must(t *testing.T, errs ...error) {
	t.Helper()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

func TestHowAServiceIsTold(t *testing.T) {
	began, ended := time.Unix(1700000000, 0), time.Unix(1700000001, 0)
	code := func(n int) *int { return &n }
	for _, tc := range []struct {
		name string
		unit sd.Service
		want stageabi.LiveApp
	}{
		{name: "it runs", unit: sd.Service{Active: "active", Sub: "running", Result: "success", MainPID: 7, Started: began},
			want: stageabi.LiveApp{State: "active", SubState: "running", Result: "success", PID: 7, Started: began}},
		{name: "it has exited", unit: sd.Service{Active: "failed", Sub: "failed", Result: "exit-code", Started: began, Finished: ended, Code: 1, Status: 9},
			want: stageabi.LiveApp{State: "failed", SubState: "failed", Result: "exit-code", Started: began, Finished: ended, Code: code(9)}},
		{name: "it has exited with 0", unit: sd.Service{Active: "inactive", Code: 1}, want: stageabi.LiveApp{State: "inactive", Code: code(0)}},
		{name: "it was killed", unit: sd.Service{Active: "activating", Sub: "auto-restart", Restarts: 3, Code: 2, Status: 9},
			want: stageabi.LiveApp{State: "activating", SubState: "auto-restart", Restarts: 3, Code: code(137)}},
		{name: "it dumped core", unit: sd.Service{Code: 3, Status: 11}, want: stageabi.LiveApp{Code: code(139)}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, liveApp(tc.unit)); diff != "" {
				t.Error("(-want +got):\n" + diff)
			}
		})
	}
}

func TestMisuseIsRefused(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, tc := range []struct {
		args []string
		err  string
	}{
		{[]string{"/x/nspawn"}, `no entrypoint "nspawn"`},
		{[]string{"/x/run", "u"}, "want --log=MODE"},
		{[]string{"/x/run", "--log=none"}, "want --log=MODE"},
		{[]string{"/x/run", "--log=none", "u"}, "sandbox.json: no such file"},
		{[]string{"/x/enter", "u", "a"}, "enter: want UUID, APP and a command"},
		{[]string{"/x/enter", "u", "a", "sh"}, "the pod is not running"},
		{[]string{"/x/stop"}, "stop: want the pod's UUID, have 0"},
		{[]string{"/x/stop", "--force"}, "stop: want the pod's UUID, have 0"},
		{[]string{"/x/stop", "u"}, "the pod is not running"},
		{[]string{"/x/status"}, "status: want the pod's UUID"},
		{[]string{"/x/status", "u"}, "the pod is not running"},
		{[]string{"/x/gc"}, "gc: want the pod's UUID"},
	} {
		var out, errs strings.Builder
		code := run(t.Context(), tc.args, strings.NewReader(""), &out, &errs)
		if code != stageabi.ExitCommand || !strings.HasPrefix(errs.String(), "raket: stage1: ") || !strings.Contains(errs.String(), tc.err) || out.Len() > 0 {
			t.Errorf("%v: %d, %q, want %q", tc.args, code, errs.String(), tc.err)
		}
	}
}

// Only a child that is the first of a PID namespace is a pod's init: the number
// may be another process's by now.
func TestAProcessWithoutAnInitIsNoPod(t *testing.T) {
	t.Chdir(t.TempDir())
	cmd := exec.CommandContext(t.Context(), "/bin/cat")
	stdin, err := cmd.StdinPipe()
	must(t, err, cmd.Start())
	defer func() { must(t, stdin.Close(), cmd.Wait()) }()
	must(t, os.WriteFile(stageabi.PIDFile, []byte(strconv.Itoa(os.Getpid())+"\n"), 0o644))
	if pid, err := leader(); err == nil || !strings.Contains(err.Error(), "no init") {
		t.Errorf("init %d, %v", pid, err)
	}
	for _, text := range []string{"", "0", "-1", "../1", "99999999"} {
		must(t, os.WriteFile(stageabi.PIDFile, []byte(text), 0o644))
		if pid, err := leader(); err == nil {
			t.Errorf("%q: init %d", text, pid)
		}
	}
}

func TestCollectTouchesThePodsGroupsAlone(t *testing.T) {
	t.Chdir(t.TempDir())
	must(t, collect([]string{"u"}))
	groups := t.TempDir()
	ours, others := filepath.Join(groups, "raket/rkt-u"), filepath.Join(groups, "raket/rkt-v")
	must(t, os.MkdirAll(filepath.Join(ours, "payload/a.service"), 0o755), os.MkdirAll(others, 0o755),
		os.WriteFile(groupsFile, []byte(ours+"\n\n"+others+"\n"+groups+"\n"), 0o644))
	must(t, collect([]string{"u"}), collect([]string{"u"}))
	if _, err := os.Stat(ours); err == nil {
		t.Error("the pod's group is there")
	}
	if _, err := os.Stat(others); err != nil {
		t.Error(err)
	}
	// One with something in it, as a process is, stays.
	must(t, os.MkdirAll(ours, 0o755), os.WriteFile(filepath.Join(ours, "busy"), nil, 0o644))
	if err := collect([]string{"u"}); err == nil || !strings.Contains(err.Error(), "remove control group "+ours) {
		t.Errorf("error %v", err)
	}
}

// Apps and raket write to the same file, each with its own descriptor.
func TestAppendingWritersDoNotOverwriteEachOther(t *testing.T) {
	f, err := os.Create(filepath.Join(t.TempDir(), "out"))
	must(t, err)
	defer f.Close()
	must(t, setAppend(int(f.Fd())))
	again, err := os.OpenFile("/proc/self/fd/"+strconv.Itoa(int(f.Fd())), os.O_WRONLY|os.O_APPEND, 0)
	must(t, err)
	defer again.Close()
	for _, w := range []*os.File{f, again, f} {
		_, err := w.WriteString("x")
		must(t, err)
	}
	text, err := os.ReadFile(f.Name())
	must(t, err)
	if string(text) != "xxx" {
		t.Errorf("%q", text)
	}
}

func TestRelayCopies(t *testing.T) {
	var out, errs strings.Builder
	if code := run(t.Context(), []string{relayName}, strings.NewReader("a\nb"), &out, &errs); code != 0 || out.String() != "a\nb" {
		t.Errorf("%d, %q, %q", code, out.String(), errs.String())
	}
}
