package launch

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/raket/raket/pkg/pod"
	"github.com/raket/raket/pkg/stageabi"
)

// fakeJournal puts a journalctl in front of the PATH that notes its arguments, a
// line a call, in the file returned, and then runs the script.
func fakeJournal(t *testing.T, script string) string {
	t.Helper()
	dir := t.TempDir()
	asked := filepath.Join(dir, "asked")
	text := fmt.Sprintf("#!/bin/sh\necho \"$*\" >> %s\n%s\n", asked, script)
	must(t, os.WriteFile(filepath.Join(dir, "journalctl"), []byte(text), 0o755))
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	return asked
}

// inJournal is a pod of the apps whose output goes to the journal.
func inJournal(t *testing.T, apps ...string) (*host, *pod.Pod) {
	t.Helper()
	h := newHost(t, nil)
	p := h.running(apps...)
	start := time.Unix(1700000000, 123456789)
	must(t, stageabi.WriteLogPlace(p.Dir(), stageabi.LogPlace{Mode: stageabi.LogJournal, Unit: "web.service"}),
		os.Chtimes(filepath.Join(p.Dir(), stageabi.PIDFile), start, start))
	return h, p
}

const threeEntries = `cat <<'E'
{"__CURSOR":"c1","SYSLOG_IDENTIFIER":"a","MESSAGE":"one \"q\" ü"}
{"__CURSOR":"c2","SYSLOG_IDENTIFIER":"b","MESSAGE":[255,10,65]}
{"__CURSOR":"c3","SYSLOG_IDENTIFIER":"a","MESSAGE":null}
E`

func TestTheJournalOfAPod(t *testing.T) {
	end := time.Unix(1700000100, 5)
	for _, tc := range []struct {
		name string
		apps []string
		o    LogOptions
		want string
		args string // of the call that reads
	}{
		{name: "several apps have their names before their lines", apps: []string{"a", "b"}, o: LogOptions{Lines: -1},
			want: "a: one \"q\" ü\nb: \xff\nA\na: \n", args: "--identifier=a --identifier=b"},
		{name: "one app has not", apps: []string{"a"}, o: LogOptions{Lines: -1}, want: "one \"q\" ü\n\xff\nA\n\n", args: "--identifier=a"},
		{name: "nor one that was asked for", apps: []string{"a", "b"}, o: LogOptions{App: "b", Lines: -1}, want: "one \"q\" ü\n\xff\nA\n\n", args: "--identifier=b"},
		{name: "the last lines", apps: []string{"a", "b"}, o: LogOptions{Lines: 2}, want: "b: \xff\nA\na: \n", args: "--identifier=a --identifier=b"},
		{name: "more than there are", apps: []string{"a"}, o: LogOptions{Lines: 9}, want: "one \"q\" ü\n\xff\nA\n\n", args: "--identifier=a"},
		{name: "none", apps: []string{"a"}, o: LogOptions{Lines: 0}, want: "", args: "--identifier=a"},
		{name: "of an exited pod nothing follows", apps: []string{"a"}, o: LogOptions{Lines: -1, Follow: true}, want: "one \"q\" ü\n\xff\nA\n\n", args: "--identifier=a"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			asked := fakeJournal(t, `test "$1" = --sync || `+threeEntries)
			h, p := inJournal(t, tc.apps...)
			exit := stageabi.ExitPath(p.Dir())
			must(t, os.MkdirAll(filepath.Dir(exit), 0o755), os.WriteFile(exit, []byte("0\n"), 0o644), os.Chtimes(exit, end, end), p.Close())
			var out, errs strings.Builder
			must(t, Logs(t.Context(), h.seen(p), tc.o, &out, &errs))
			if diff := cmp.Diff(tc.want, out.String()); diff != "" {
				t.Error("(-want +got):\n" + diff)
			}
			calls, err := os.ReadFile(asked)
			must(t, err)
			want := "--sync\n--output=json --all --unit=web.service " + tc.args + " --since=@1700000000.123456 --until=@1700000101\n"
			if diff := cmp.Diff(want, string(calls)); diff != "" {
				t.Error("calls (-want +got):\n" + diff)
			}
		})
	}
}

// Followed to the pod's end, the journal is read once more from where it was.
func TestWhatAPodSaysLastIsFollowed(t *testing.T) {
	asked := fakeJournal(t, `case "$*" in
--sync) ;;
*--follow*) echo '{"__CURSOR":"c2","SYSLOG_IDENTIFIER":"a","MESSAGE":"two"}'; exec tail -f /dev/null ;;
*c2*) echo '{"__CURSOR":"c3","SYSLOG_IDENTIFIER":"a","MESSAGE":"last words"}' ;;
*) echo '{"__CURSOR":"c1","MESSAGE":"one"}' ;;
esac`)
	h, p := inJournal(t, "a")
	seen := h.seen(p)
	// The fake follows until it is killed, when the pod has ended, which it does
	// when the second line is out.
	out := &endAt{text: "two", do: func() { _ = p.Close() }}
	must(t, Logs(t.Context(), seen, LogOptions{Lines: -1, Follow: true}, out, os.Stderr))
	if got := out.String(); got != "one\ntwo\nlast words\n" {
		t.Errorf("%q", got)
	}
	calls, err := os.ReadFile(asked)
	must(t, err)
	if !strings.Contains(string(calls), "--after-cursor=c1 --follow --no-tail\n--sync\n") || !strings.HasSuffix(string(calls), "--after-cursor=c2\n") {
		t.Errorf("calls:\n%s", calls)
	}
}

// endAt is a writer that does something when a text was written.
type endAt struct {
	strings.Builder
	text string
	do   func()
}

func (w *endAt) Write(b []byte) (int, error) {
	n, err := w.Builder.Write(b)
	if strings.Contains(w.String(), w.text) {
		w.do()
	}
	return n, err
}

func TestAJournalThatCannotBeRead(t *testing.T) {
	for _, tc := range []struct {
		name, script, err string
	}{
		{name: "journalctl complains", script: "echo 'No journal files' >&2; exit 1", err: "read the journal: No journal files"},
		{name: "it fails without a word", script: "exit 3", err: "read the journal: exit status 3"},
		{name: "it writes no JSON, for ever", script: "while echo x; do :; done", err: "invalid character 'x'"},
		{name: "it writes one line, for ever", script: "exec tr '\\0' x </dev/zero", err: "token too long"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			fakeJournal(t, `test "$1" = --sync && exit; `+tc.script)
			h, p := inJournal(t, "a")
			must(t, p.Close())
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			var out strings.Builder
			if err := Logs(ctx, h.seen(p), LogOptions{Lines: -1}, &out, os.Stderr); err == nil || !strings.Contains(err.Error(), tc.err) {
				t.Errorf("error %v, want %q", err, tc.err)
			}
		})
	}
}

func TestAReaderThatGoesAwayEndsTheReading(t *testing.T) {
	fakeJournal(t, `test "$1" = --sync && exit; while echo '{"MESSAGE":"x"}'; do :; done`)
	h, p := inJournal(t, "a")
	must(t, p.Close())
	gone := errors.New("gone")
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := Logs(ctx, h.seen(p), LogOptions{Lines: -1}, failing{gone}, os.Stderr); !errors.Is(err, gone) {
		t.Errorf("error %v", err)
	}
}

type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }

func TestLogsElsewhere(t *testing.T) {
	h := newHost(t, nil)
	p := h.running("a", "b", "silent")
	var out strings.Builder
	logs := func(o LogOptions) error {
		out.Reset()
		return Logs(t.Context(), h.seen(p), o, &out, os.Stderr)
	}
	if err := logs(LogOptions{}); err == nil || err.Error() != "the pod has not been started" {
		t.Errorf("error %v", err)
	}
	for mode, want := range map[stageabi.LogMode]string{stageabi.LogConsole: "--log=journal or --log=file keeps it", stageabi.LogNone: "nowhere"} {
		must(t, stageabi.WriteLogPlace(p.Dir(), stageabi.LogPlace{Mode: mode}))
		if err := logs(LogOptions{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v", mode, err)
		}
	}
	must(t, stageabi.WriteLogPlace(p.Dir(), stageabi.LogPlace{Mode: stageabi.LogFile}))
	if err := logs(LogOptions{App: "c"}); err == nil || !strings.Contains(err.Error(), `no app "c"`) {
		t.Errorf("error %v", err)
	}
	must(t, logs(LogOptions{Lines: -1}))
	must(t, os.MkdirAll(filepath.Join(p.Dir(), stageabi.LogsDir), 0o755))
	for _, app := range []string{"a", "b"} {
		must(t, os.WriteFile(stageabi.LogPath(p.Dir(), app), []byte(app+"1\n"+app+"2\n"), 0o644))
	}
	must(t, logs(LogOptions{App: "a", Lines: -1}))
	if out.String() != "a1\na2\n" {
		t.Errorf("%q", out.String())
	}
	must(t, logs(LogOptions{App: "b", Lines: 1}))
	if out.String() != "b2\n" {
		t.Errorf("%q", out.String())
	}
	must(t, logs(LogOptions{Lines: -1}))
	if !strings.Contains(out.String(), "a1\na2\n") || !strings.Contains(out.String(), "b1\nb2\n") {
		t.Errorf("%q", out.String())
	}
}
