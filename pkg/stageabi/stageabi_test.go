package stageabi_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/raket/raket/pkg/stageabi"
)

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o644)); err != nil {
		t.Fatal(err)
	}
}

func TestAnAppsStatus(t *testing.T) {
	for _, tc := range []struct {
		name, text string
		want       stageabi.AppStatus
		err        string
	}{
		{name: "an exit", text: "result=success\ncode=exited\nstatus=0\nstarted=1700000000.000000001\nfinished=1700000001.500000000\n",
			want: stageabi.AppStatus{Result: "success", Started: time.Unix(1700000000, 1), Finished: time.Unix(1700000001, 5e8)}},
		{name: "a failure", text: "result=exit-code\ncode=exited\nstatus=255", want: stageabi.AppStatus{Result: "exit-code", Code: 255}},
		{name: "a signal", text: "result=signal\ncode=killed\nstatus=KILL\n", want: stageabi.AppStatus{Result: "signal", Code: 137, Signal: "KILL"}},
		{name: "a core", text: "result=core-dump\ncode=dumped\nstatus=SEGV\n", want: stageabi.AppStatus{Result: "core-dump", Code: 139, Signal: "SEGV"}},
		{name: "a real-time signal", text: "code=killed\nstatus=RTMIN+3\n", want: stageabi.AppStatus{Code: 165, Signal: "RTMIN+3"}},
		{name: "the first of them", text: "code=killed\nstatus=RTMIN\n", want: stageabi.AppStatus{Code: 162, Signal: "RTMIN"}},
		{name: "one beyond the last", text: "code=killed\nstatus=RTMIN+31\n", want: stageabi.AppStatus{Code: 128, Signal: "RTMIN+31"}},
		{name: "a signal that nobody knows", text: "code=killed\nstatus=FOO\n", want: stageabi.AppStatus{Code: 128, Signal: "FOO"}},
		{name: "nothing was executed", text: "result=resources\n", want: stageabi.AppStatus{Result: "resources", Code: stageabi.ExitCommand}},
		{name: "nothing was to be executed", text: "result=success\n", want: stageabi.AppStatus{Result: "success"}},
		{name: "keys of a later version", text: "result=success\nmemory=12\n", want: stageabi.AppStatus{Result: "success"}},
		{name: "an empty file", want: stageabi.AppStatus{Code: stageabi.ExitCommand}},
		{name: "a status that is no number", text: "code=exited\nstatus=x\n", err: `exit status "x"`},
		{name: "a status too large", text: "code=exited\nstatus=256\n", err: `exit status "256"`},
		{name: "a line without a value", text: "result\n", err: `line "result" has no =`},
		{name: "a time without a fraction", text: "started=1\n", err: `time "1"`},
		{name: "a fraction too large", text: "started=1.1000000000\n", err: `time "1.1000000000"`},
		{name: "a negative fraction", text: "finished=1.-1\n", err: `time "1.-1"`},
		{name: "a line too long", text: "result=" + strings.Repeat("x", 1<<17), err: "too long"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := stageabi.ParseAppStatus(strings.NewReader(tc.text))
			if tc.err != "" {
				if err == nil || !strings.Contains(err.Error(), tc.err) {
					t.Errorf("error %v, want %q", err, tc.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Error("(-want +got):\n" + diff)
			}
		})
	}
}

func TestTheStatusOfAnAppThatHasNotEnded(t *testing.T) {
	if _, err := stageabi.ReadAppStatus(t.TempDir(), "a"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("error %v", err)
	}
	pod := t.TempDir()
	write(t, stageabi.StatusPath(pod, "a"), "code=exited\nstatus=-1\n")
	if _, err := stageabi.ReadAppStatus(pod, "a"); err == nil || !strings.Contains(err.Error(), filepath.Join(pod, "status/a")) {
		t.Errorf("error %v does not name the file", err)
	}
}

// stage1 is a manifest with the annotations given as name=value.
func stage1(annotations ...string) string {
	var list []string
	for _, a := range annotations {
		name, value, _ := strings.Cut(a, "=")
		list = append(list, `{"name":"`+name+`","value":"`+value+`"}`)
	}
	return `{"acKind":"ImageManifest","acVersion":"0.8.11","name":"x","annotations":[` + strings.Join(list, ",") + `]}`
}

func TestManifestsOfStage1(t *testing.T) {
	const version = "raket/stage1/interface-version=1"
	for _, tc := range []struct {
		name, manifest, err string
		want                stageabi.Stage1
	}{
		{name: "all that is known", manifest: stage1(version, "raket/stage1/run=/run", "raket/stage1/gc=bin/gc", "raket/stage1/requires=a b", "raket/stage1/network=host", "other=x"),
			want: stageabi.Stage1{Entrypoints: map[stageabi.Entrypoint]string{stageabi.Run: "run", stageabi.GC: "bin/gc"}, Requires: []string{"a", "b"}, Network: "host"}},
		{name: "another version", manifest: stage1("raket/stage1/interface-version=2", "raket/stage1/run=/run"), err: `contract version "2"; this raket speaks "1"`},
		{name: "no version", manifest: stage1("raket/stage1/run=/run"), err: `contract version ""`},
		{name: "no run", manifest: stage1(version, "raket/stage1/gc=/gc"), err: "no annotation raket/stage1/run"},
		{name: "run is nothing", manifest: stage1(version, "raket/stage1/run="), err: "leads out of the image"},
		{name: "run is above", manifest: stage1(version, "raket/stage1/run=/../../bin/sh"), err: "leads out of the image"},
		{name: "run has two slashes", manifest: stage1(version, "raket/stage1/run=//bin/sh"), err: "leads out of the image"},
		{name: "an image of another kind", manifest: `{"acKind":"PodManifest"}`, err: `acKind is "PodManifest"`},
		{name: "no manifest", manifest: "null", err: `acKind is ""`},
		{name: "no JSON", manifest: "{", err: "unexpected end"},
		{name: "a list", manifest: "[]", err: "cannot unmarshal"},
		{name: "annotations of another kind", manifest: `{"acKind":"ImageManifest","annotations":{}}`, err: "cannot unmarshal"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			dir := t.TempDir()
			write(t, filepath.Join(dir, stageabi.Stage1ManifestFile), tc.manifest)
			got, err := stageabi.ReadStage1("mine", dir)
			if tc.err != "" {
				if err == nil || !strings.Contains(err.Error(), tc.err) || !strings.Contains(err.Error(), dir) {
					t.Errorf("error %v, want %q and the path", err, tc.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			tc.want.Name, tc.want.Dir = "mine", dir
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Error("(-want +got):\n" + diff)
			}
			if path, err := got.Path(stageabi.Run); err != nil || path != filepath.Join(dir, "rootfs/run") {
				t.Errorf("path %q, %v", path, err)
			}
			if _, err := got.Path(stageabi.Stop); err == nil || err.Error() != `stage1 "mine" has no entrypoint "stop"` {
				t.Errorf("error %v", err)
			}
		})
	}
}

// Files of flavours in this repository speak the contract.
func TestOurOwnManifests(t *testing.T) {
	for _, name := range []string{"nspawn", "fly"} {
		text, err := os.ReadFile(filepath.Join("../../stage1/cmd", name, "manifest.json"))
		if err != nil {
			t.Fatal(err)
		}
		dir := t.TempDir()
		write(t, filepath.Join(dir, stageabi.Stage1ManifestFile), string(text))
		s, err := stageabi.ReadStage1(name, dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range []stageabi.Entrypoint{stageabi.Run, stageabi.Enter, stageabi.Stop, stageabi.Status, stageabi.GC} {
			if _, err := s.Path(e); err != nil {
				t.Error(err)
			}
		}
	}
}

func TestWhatIsReadIsBounded(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, stageabi.SandboxFile), `"`+strings.Repeat("x", 17<<20)+`"`)
	write(t, filepath.Join(dir, stageabi.Stage1ManifestFile), strings.Repeat("[", 17<<20))
	if _, err := stageabi.ReadSandbox(dir); err == nil || !strings.Contains(err.Error(), "larger than") {
		t.Errorf("error %.100v", err)
	}
	if _, err := stageabi.ReadStage1("x", dir); err == nil || !strings.Contains(err.Error(), "larger than") {
		t.Errorf("error %.100v", err)
	}
}

func TestLogPlacesAreReadBack(t *testing.T) {
	dir := t.TempDir()
	if _, err := stageabi.ReadLogPlace(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("before the start: %v", err)
	}
	want := stageabi.LogPlace{Mode: stageabi.LogJournal, Unit: "web.service"}
	if err := stageabi.WriteLogPlace(dir, want); err != nil {
		t.Fatal(err)
	}
	if got, err := stageabi.ReadLogPlace(dir); got != want || err != nil {
		t.Errorf("%v, %v", got, err)
	}
}

func TestNoPathOfAnAppIsTheStatusOfThePod(t *testing.T) {
	// App names hold letters, digits and dashes.
	if stageabi.StatusPath("/p", "exit") == stageabi.ExitPath("/p") || filepath.Dir(stageabi.ExitPath("/p")) != filepath.Dir(stageabi.StatusPath("/p", "a")) {
		t.Error(stageabi.ExitPath("/p"))
	}
	if stageabi.LogPath("/p", "a") != "/p/logs/a.log" || stageabi.AppPath("/p", "a") != "/p/apps/a" {
		t.Error(stageabi.LogPath("/p", "a"), stageabi.AppPath("/p", "a"))
	}
}
