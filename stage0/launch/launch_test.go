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
	"golang.org/x/sys/unix"

	"github.com/raket/raket/pkg/pod"
	"github.com/raket/raket/pkg/stageabi"
)

func TestWhereOutputGoes(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "stdout")
	must(t, os.WriteFile(socket, nil, 0o600))
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	must(t, err)
	zero, err := os.Open("/dev/zero")
	must(t, err)
	file, err := os.Create(filepath.Join(t.TempDir(), "out"))
	must(t, err)
	_, pipe, err := os.Pipe()
	must(t, err)
	closed, err := os.Open(os.DevNull)
	must(t, err, closed.Close())
	var st unix.Stat_t
	must(t, unix.Fstat(int(file.Fd()), &st))
	stream := fmt.Sprintf("%d:%d", st.Dev, st.Ino) // as systemd tells a unit's processes
	for _, tc := range []struct {
		name, socket, stream string
		asked                stageabi.LogMode
		stdout               *os.File
		want                 stageabi.LogMode
	}{
		{name: "what was asked for", socket: socket, asked: stageabi.LogNone, stdout: file, want: stageabi.LogNone},
		{name: "the journal, asked for where there is none", asked: stageabi.LogJournal, stdout: file, want: stageabi.LogJournal},
		{name: "a unit's standard output", socket: socket, asked: stageabi.LogAuto, stdout: file, stream: stream, want: stageabi.LogJournal},
		{name: "a unit's, redirected", socket: socket, asked: stageabi.LogAuto, stdout: file, stream: "1:2", want: stageabi.LogConsole},
		{name: "a unit's, where the journal is gone", asked: stageabi.LogAuto, stdout: file, stream: stream, want: stageabi.LogConsole},
		{name: "a file", socket: socket, asked: stageabi.LogAuto, stdout: file, want: stageabi.LogConsole},
		{name: "a pipe, of a pod of an older raket", socket: socket, stdout: pipe, want: stageabi.LogConsole},
		{name: "nowhere, with a journal", socket: socket, asked: stageabi.LogAuto, stdout: null, want: stageabi.LogJournal},
		{name: "nowhere, without", asked: stageabi.LogAuto, stdout: null, want: stageabi.LogFile},
		{name: "another device", socket: socket, asked: stageabi.LogAuto, stdout: zero, want: stageabi.LogConsole},
		{name: "closed, with a journal", socket: socket, asked: stageabi.LogAuto, stdout: closed, want: stageabi.LogJournal},
		{name: "closed, without", asked: stageabi.LogAuto, stdout: closed, want: stageabi.LogFile},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Setenv("JOURNAL_STREAM", tc.stream)
			if tc.socket == "" {
				tc.socket = "/nowhere"
			}
			if got := logMode(tc.asked, tc.stdout, tc.socket); got != tc.want {
				t.Errorf("%s, want %s", got, tc.want)
			}
		})
	}
}

func TestStop(t *testing.T) {
	t.Run("a pod that ends", func(t *testing.T) {
		h := newHost(t, map[stageabi.Entrypoint]string{stageabi.Stop: `echo "$@" > asked; pwd >> asked; echo "$RAKET_STAGE1" >> asked`})
		p := h.running("a")
		asked := filepath.Join(p.Dir(), "asked")
		go func() {
			for {
				if b, err := os.ReadFile(asked); err == nil && strings.Count(string(b), "\n") == 3 || t.Context().Err() != nil {
					_ = p.Close()
					return
				}
			}
		}()
		must(t, Stop(t.Context(), h.seen(p), false))
		text, err := os.ReadFile(asked)
		must(t, err)
		if want := string(p.UUID) + "\n" + p.Dir() + "\n" + h.stage1.Dir + "\n"; string(text) != want {
			t.Errorf("asked with %q, want %q", text, want)
		}
	})
	t.Run("a pod that does not", func(t *testing.T) {
		h := newHost(t, map[stageabi.Entrypoint]string{stageabi.Stop: ""})
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		if err := Stop(ctx, h.seen(h.running("a")), true); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error %v", err)
		}
	})
	t.Run("a pod that is not running", func(t *testing.T) {
		h := newHost(t, nil)
		p := h.preparing("a")
		if err := Stop(t.Context(), h.seen(p), false); !errors.Is(err, ErrNotRunning) {
			t.Errorf("error %v", err)
		}
	})
	t.Run("a stage1 that cannot", func(t *testing.T) {
		h := newHost(t, map[stageabi.Entrypoint]string{stageabi.Stop: "echo 'raket: stage1: no ears' >&2; exit 1"})
		if err := Stop(t.Context(), h.seen(h.running("a")), false); err == nil || err.Error() != "stage1: no ears" {
			t.Errorf("error %v", err)
		}
	})
	t.Run("a pod that ended just then", func(t *testing.T) {
		h := newHost(t, map[stageabi.Entrypoint]string{stageabi.Stop: "exit 1"})
		p := h.running("a")
		seen := h.seen(p)
		must(t, p.Close())
		must(t, Stop(t.Context(), seen, false))
	})
	t.Run("a stage1 without the entrypoint", func(t *testing.T) {
		h := newHost(t, nil)
		if err := Stop(t.Context(), h.seen(h.running("a")), false); err == nil || !strings.Contains(err.Error(), `no entrypoint "stop"`) {
			t.Errorf("error %v", err)
		}
	})
}

func TestLive(t *testing.T) {
	h := newHost(t, map[stageabi.Entrypoint]string{stageabi.Status: `echo '{"ready":true,"apps":{"a":{"state":"active","pid":7}}}'`})
	got, err := Live(t.Context(), h.seen(h.running("a")))
	must(t, err)
	want := stageabi.Live{Ready: true, Apps: map[string]stageabi.LiveApp{"a": {State: "active", PID: 7}}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error("(-want +got):\n" + diff)
	}
	h = newHost(t, map[stageabi.Entrypoint]string{stageabi.Status: "echo no JSON"})
	if _, err := Live(t.Context(), h.seen(h.running("a"))); err == nil || !strings.Contains(err.Error(), "stage1 status") {
		t.Errorf("error %v", err)
	}
}

func TestWhichApp(t *testing.T) {
	one := stageabi.Sandbox{Apps: []stageabi.App{{Name: "a"}}}
	two := stageabi.Sandbox{Apps: []stageabi.App{{Name: "a"}, {Name: "b"}}}
	for _, tc := range []struct {
		name      string
		pod       stageabi.Sandbox
		app, want string
		err       string
	}{
		{name: "the only one", pod: one, want: "a"},
		{name: "one by name", pod: two, app: "b", want: "b"},
		{name: "none of several", pod: two, err: "several apps (a, b)"},
		{name: "one that is not there", pod: two, app: "c", err: `no app "c"; it has a, b`},
		{name: "of a pod without apps", err: "several apps ()"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := oneApp(tc.pod, tc.app)
			if got != tc.want || (err == nil) != (tc.err == "") || err != nil && !strings.Contains(err.Error(), tc.err) {
				t.Errorf("%q, %v", got, err)
			}
		})
	}
}

func TestOnlyAPreparedPodIsRun(t *testing.T) {
	h := newHost(t, nil)
	for _, p := range []*pod.Pod{h.preparing("a"), h.running("a")} {
		seen := h.seen(p)
		if err := Run(t.Context(), seen, Options{}); err == nil || err.Error() != "it is "+string(seen.State)+", not prepared" {
			t.Errorf("error %v", err)
		}
	}
	p := h.preparing("a")
	must(t, p.ToPrepared(false))
	if err := Run(t.Context(), h.seen(p), Options{}); !errors.Is(err, pod.ErrBusy) {
		t.Errorf("of one that another starts: %v", err)
	}
	must(t, p.Close())
	seen := h.seen(p)
	failed := errors.New("failed")
	err := Run(t.Context(), seen, Options{Change: func(*stageabi.Sandbox) error { return failed }})
	must(t, seen.Close(), seen.Refresh())
	if !errors.Is(err, failed) || seen.State != pod.Prepared {
		t.Errorf("error %v, and it is %s", err, seen.State)
	}
}
