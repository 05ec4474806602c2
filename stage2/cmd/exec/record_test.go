package main

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/raket/raket/pkg/stageabi"
)

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
			pod := t.TempDir()
			dir := filepath.Join(pod, stageabi.StatusDir)
			if err := os.Mkdir(dir, 0o755); err != nil {
				t.Fatal(err)
			}
			t.Setenv("SERVICE_RESULT", tc.result)
			t.Setenv("EXIT_CODE", tc.code)
			t.Setenv("EXIT_STATUS", tc.status)
			before := time.Now()
			if err := record(dir+"/", "exit"); err != nil {
				t.Fatal(err)
			}
			got, err := stageabi.ReadAppStatus(pod, "exit")
			if err != nil {
				t.Fatal(err)
			}
			if got.Finished.Before(before.Truncate(time.Microsecond)) || got.Finished.After(time.Now()) {
				t.Errorf("finished at %v, recorded since %v", got.Finished, before)
			}
			got.Finished = time.Time{}
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
	dir := t.TempDir() + "/"
	for _, name := range []string{"../x", ".exit", "..", "a\nb", "a/b"} {
		if err := record(dir, name); err == nil {
			t.Errorf("%q was recorded", name)
		}
	}
}
