package main

import (
	"os"
	"path/filepath"
	"testing"
)

func TestTheStatusAmongSystemdsArguments(t *testing.T) {
	for _, tc := range []struct {
		name string
		args []string
		want int
	}{
		{name: "as systemd writes it", args: []string{"exit", "--log-level", "6", "--log-target", "null", "--exit-code", "7", "--timeout", "90s"}, want: 7},
		{name: "in one word", args: []string{"exit", "--exit-code=255"}, want: 255},
		{name: "none, as of a poweroff", args: []string{"poweroff"}},
		{name: "no arguments"},
		{name: "no value", args: []string{"exit", "--exit-code"}},
		{name: "no number", args: []string{"exit", "--exit-code", "x"}},
		{name: "too large", args: []string{"exit", "--exit-code", "256"}},
		{name: "negative", args: []string{"exit", "--exit-code=-1"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := exitCode(tc.args); got != tc.want {
				t.Errorf("%d, want %d", got, tc.want)
			}
		})
	}
}

func TestThePodsStatusFollowsFromThoseOfItsApps(t *testing.T) {
	record := func(result, code, status, finished string) string {
		return "result=" + result + "\ncode=" + code + "\nstatus=" + status + "\nstarted=1700000000.000000000\nfinished=" + finished + "\n"
	}
	const (
		early = "1700000001.000000000"
		later = "1700000001.000000001"
		late  = "1700000002.000000000"
	)
	for _, tc := range []struct {
		name    string
		records map[string]string
		signals bool
		want    int // 99: none
	}{
		{name: "no app has ended", want: 99},
		{name: "none has failed", records: map[string]string{"a": record("success", "exited", "0", early)}, want: 99},
		{name: "one has failed", records: map[string]string{"a": record("exit-code", "exited", "7", early)}, want: 7},
		{name: "with the status that stands for others", records: map[string]string{"a": record("exit-code", "exited", "255", early), "b": record("success", "killed", "TERM", late)}, want: 255},
		{name: "the first that failed counts", records: map[string]string{"a": record("exit-code", "exited", "1", late), "b": record("exit-code", "exited", "2", early)}, want: 2},
		{name: "by nanoseconds", records: map[string]string{"a": record("exit-code", "exited", "1", later), "b": record("exit-code", "exited", "2", early)}, want: 2},
		{name: "by a signal", records: map[string]string{"a": record("core-dump", "dumped", "SEGV", early), "b": record("success", "killed", "TERM", late)}, want: 139},
		{name: "by a real-time signal", records: map[string]string{"a": record("signal", "killed", "RTMIN+3", early)}, want: 165},
		{name: "the others are stopped before it has ended", records: map[string]string{"a": record("success", "killed", "TERM", early), "b": record("timeout", "killed", "KILL", late)}, want: 137},
		{name: "nobody stopped the one that TERM ended", records: map[string]string{"a": record("success", "killed", "TERM", early)}, signals: true, want: 143},
		{name: "nothing was executed", records: map[string]string{"a": "result=resources\nfinished=" + early + "\n"}, want: notStarted},
		{name: "it ended before it was ready", records: map[string]string{"a": record("protocol", "exited", "0", early)}, want: notStarted},
		{name: "what is half written is no record", records: map[string]string{".new-a": record("exit-code", "exited", "7", early), ".exit": "3\n"}, want: 99},
		{name: "an empty record", records: map[string]string{"a": ""}, want: 99},
	} {
		t.Run(tc.name, func(t *testing.T) {
			dir := t.TempDir()
			for name, text := range tc.records {
				if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if got := recordedCode(dir+"/", 99, tc.signals); got != tc.want {
				t.Errorf("%d, want %d", got, tc.want)
			}
		})
	}
	if got := recordedCode("/nowhere/", 5, true); got != 5 {
		t.Errorf("without a directory: %d", got)
	}
}
