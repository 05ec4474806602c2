package main

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/raket/raket/pkg/stageabi"
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
			if err := record(openDir(t, root), "exit"); err != nil {
				t.Fatal(err)
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
		if err := record(openDir(t, root), name); err == nil {
			t.Errorf("%q was recorded", name)
		}
	}
}
