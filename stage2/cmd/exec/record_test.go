package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/raket/raket/pkg/stageabi"
	"github.com/raket/raket/stage2/bare"
)

func openDir(t *testing.T, dir string) int {
	t.Helper()
	fd, err := unix.Open(dir, pathFlags, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Close(fd) })
	return fd
}

// What exec writes is what stageabi reads.
func TestRecordsAreReadBack(t *testing.T) {
	for _, tc := range []struct {
		name, result, code, status string
		want                       stageabi.AppStatus
	}{
		{name: "an exit", result: "success", code: "exited", status: "0", want: stageabi.AppStatus{Result: "success"}},
		{name: "a failure", result: "exit-code", code: "exited", status: "7", want: stageabi.AppStatus{Result: "exit-code", Code: 7}},
		{name: "a signal", result: "signal", code: "killed", status: "KILL", want: stageabi.AppStatus{Result: "signal", Code: 137, Signal: "KILL"}},
		{name: "a core", result: "core-dump", code: "dumped", status: "SEGV", want: stageabi.AppStatus{Result: "core-dump", Code: 139, Signal: "SEGV"}},
		{name: "nothing was executed", result: "resources", want: stageabi.AppStatus{Result: "resources", Code: stageabi.ExitCommand}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			root := t.TempDir()
			pod := filepath.Join(root, "raket") // as stageabi sees the pod's directory
			dir := filepath.Join(pod, stageabi.StatusDir)
			for _, d := range []string{dir, filepath.Join(root, unitsDir)} {
				if err := os.MkdirAll(d, 0o755); err != nil {
					t.Fatal(err)
				}
			}
			if err := os.Symlink("0123", filepath.Join(root, unitsDir, "invocation:exit.service")); err != nil {
				t.Fatal(err)
			}
			t.Setenv("SERVICE_RESULT", tc.result)
			t.Setenv("EXIT_CODE", tc.code)
			t.Setenv("EXIT_STATUS", tc.status)
			before := time.Now()
			if bad := record(openDir(t, root), bare.New(nil, os.Environ()), options{record: bare.From("exit")}); bad.Failed() {
				t.Fatal(bad.String())
			}
			got, err := stageabi.ReadAppStatus(pod, "exit")
			if err != nil {
				t.Fatal(err)
			}
			if got.Finished.Before(before.Truncate(time.Microsecond)) || got.Finished.After(time.Now()) {
				t.Errorf("finished at %v, recorded since %v", got.Finished, before)
			}
			if got.Started.Before(before.Add(-time.Minute)) || got.Started.After(got.Finished) {
				t.Errorf("started at %v, finished at %v", got.Started, got.Finished)
			}
			if got.Runs != 1 {
				t.Errorf("%d runs have ended", got.Runs)
			}
			got.Started, got.Finished, got.Runs = time.Time{}, time.Time{}, 0
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Error("(-want +got):\n" + diff)
			}
			if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
				t.Errorf("left in the directory: %v, %v", entries, err)
			}
		})
	}
}

func TestNamesThatLeaveTheDirectoryAreNotRecorded(t *testing.T) {
	root := t.TempDir()
	if err := os.MkdirAll(filepath.Join(root, statusDir), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"../x", ".exit", "..", "a\nb", "a/b"} {
		if bad := record(openDir(t, root), bare.Process{}, options{record: bare.From(name)}); !bad.Failed() {
			t.Errorf("%q was recorded", name)
		}
	}
}

// What the kernel has killed in a group of the legacy hierarchy, since the run before.
func TestKillsForLackOfMemoryAreTold(t *testing.T) {
	root := t.TempDir()
	for _, d := range []string{statusDir, memoryGroups + "/app", memoryGroups + "/app.1"} {
		if err := os.MkdirAll(filepath.Join(root, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, tc := range []struct{ kills, result, want, group string }{
		{"0", "signal", "result=signal code=killed status=KILL runs=1 oom-kills=0", "app"},
		{"2", "signal", "result=oom-kill code=killed status=KILL runs=2 oom-kills=2", "app"},
		{"2", "signal", "result=signal code=killed status=KILL runs=3 oom-kills=2", "app"},
		{"3", "success", "result=success code=killed status=KILL runs=4 oom-kills=3", "app"},
		// Of an app that replaces another of the name.
		{"1", "signal", "result=oom-kill code=killed status=KILL runs=5 oom-kills=1", "app.1"},
	} {
		if err := os.WriteFile(filepath.Join(root, memoryGroups, tc.group, "memory.oom_control"), []byte("oom_kill_disable 0\nunder_oom 0\noom_kill "+tc.kills+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		p := bare.New(nil, []string{"SERVICE_RESULT=" + tc.result, "EXIT_CODE=killed", "EXIT_STATUS=KILL"})
		o := options{record: bare.From("app")}
		if tc.group != "app" {
			o.group = bare.From(tc.group)
		}
		if bad := record(openDir(t, root), p, o); bad.Failed() {
			t.Fatal(bad.String())
		}
		text, err := os.ReadFile(filepath.Join(root, statusDir, "app"))
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for f := range strings.FieldsSeq(string(text)) {
			if !strings.HasPrefix(f, "finished=") {
				got = append(got, f)
			}
		}
		if got := strings.Join(got, " "); got != tc.want {
			t.Errorf("%s, want %s", got, tc.want)
		}
	}
}

// As it is installed and as an ordinary program, it writes the same.
func TestTheEndIsRecordedWithoutTheRuntime(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("chroot(2) needs root")
	}
	root := busyboxRoot(t)
	for _, d := range []string{statusDir, unitsDir, upDir} {
		if err := os.MkdirAll(filepath.Join(root, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	programs.once.Do(buildPrograms)
	if programs.err != nil {
		t.Fatal(programs.err)
	}
	for _, program := range programs.list {
		text, err := os.ReadFile(program)
		if err == nil {
			err = os.WriteFile(filepath.Join(root, "bin/exec"), text, 0o755)
		}
		if err != nil {
			t.Fatal(err)
		}
		cmd := exec.CommandContext(t.Context(), "/bin/exec", "-s", "web")
		cmd.SysProcAttr = &syscall.SysProcAttr{Chroot: root}
		cmd.Env = []string{"SERVICE_RESULT=watchdog", "EXIT_CODE=dumped", "EXIT_STATUS=ABRT"}
		out, err := cmd.CombinedOutput()
		if err != nil || string(out) != "raket: app web was killed by SIGABRT (watchdog)\n" {
			t.Errorf("%s: %v, %q", filepath.Base(program), err, out)
		}
		cmd = exec.CommandContext(t.Context(), "/bin/exec", "-s", "web")
		cmd.SysProcAttr = &syscall.SysProcAttr{Chroot: root}
		cmd.Env = []string{"SERVICE_RESULT=success", "EXIT_CODE=exited", "EXIT_STATUS=0"}
		if out, err := cmd.CombinedOutput(); err != nil || len(out) > 0 {
			t.Errorf("%s: %v, %q", filepath.Base(program), err, out)
		}
		for name, want := range map[string]string{statusDir + "/web": "result=success\ncode=exited\nstatus=0\nfinished=", upDir + "/web.lost": ""} {
			got, err := os.ReadFile(filepath.Join(root, name))
			if err != nil || !strings.HasPrefix(string(got), want) {
				t.Errorf("%s: %s has %q, %v", filepath.Base(program), name, got, err)
			}
			_ = os.Remove(filepath.Join(root, name))
		}
	}
}
