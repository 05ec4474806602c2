package launch

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/raket/raket/pkg/pod"
	"github.com/raket/raket/pkg/stageabi"
)

func TestWhatIsCollected(t *testing.T) {
	now := time.Now()
	gc := map[stageabi.Entrypoint]string{stageabi.GC: `echo "$@" >> ../../../collected`}
	pods := map[string]func(h *host) *pod.Pod{
		"preparing": func(h *host) *pod.Pod { return h.preparing("a") },
		"aborted": func(h *host) *pod.Pod {
			p := h.preparing("a")
			must(h.T, p.Close())
			return p
		},
		"prepared": func(h *host) *pod.Pod {
			p := h.preparing("a")
			must(h.T, p.ToPrepared(false), p.Close(), os.Chtimes(p.Dir(), now, now.Add(-time.Hour)))
			return p
		},
		"running": func(h *host) *pod.Pod { return h.running("a") },
		"exited": func(h *host) *pod.Pod {
			p := h.running("a")
			must(h.T, p.Close())
			return p
		},
		"marked": func(h *host) *pod.Pod {
			p := h.running("a")
			must(h.T, p.ToExitedGarbage(), p.Close(), os.Chtimes(filepath.Join(p.Dir(), stageabi.GarbageFile), now, now.Add(-time.Hour)))
			return p
		},
		"garbage": func(h *host) *pod.Pod {
			p := h.running("a")
			must(h.T, p.ToGarbage(), os.Remove(filepath.Join(p.Dir(), stageabi.SandboxFile)), p.Close())
			return p
		},
		"being deleted": func(h *host) *pod.Pod {
			p := h.running("a")
			must(h.T, p.ToGarbage())
			return p
		},
	}
	for _, tc := range []struct {
		name, pod       string
		o               GCOptions
		marked, removed bool
		gc              bool // stage1 was asked
	}{
		{name: "a pod being prepared stays", pod: "preparing"},
		{name: "one whose preparation was killed goes", pod: "aborted", removed: true},
		{name: "unless only marks are asked for", pod: "aborted", o: GCOptions{MarkOnly: true}},
		{name: "a prepared pod goes when it expires", pod: "prepared", o: GCOptions{Expire: 59 * time.Minute}, removed: true},
		{name: "not before", pod: "prepared", o: GCOptions{Expire: 61 * time.Minute}},
		{name: "at once if it may", pod: "prepared", removed: true},
		{name: "never by a mark", pod: "prepared", o: GCOptions{MarkOnly: true}},
		{name: "a running pod stays", pod: "running"},
		{name: "an exited one is marked", pod: "exited", o: GCOptions{Grace: time.Minute}, marked: true},
		{name: "and goes at once if it may", pod: "exited", marked: true, removed: true, gc: true},
		{name: "but not with marks alone", pod: "exited", o: GCOptions{MarkOnly: true}, marked: true},
		{name: "a marked one goes after its grace", pod: "marked", o: GCOptions{Grace: 59 * time.Minute}, removed: true, gc: true},
		{name: "not before", pod: "marked", o: GCOptions{Grace: 61 * time.Minute}},
		{name: "a half-deleted one goes", pod: "garbage", o: GCOptions{Grace: time.Hour}, removed: true},
		{name: "not from under another's hands", pod: "being deleted"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			h := newHost(t, gc)
			p := pods[tc.pod](h)
			tc.o.DataDir, tc.o.Now = h.data, now
			done, err := Collect(t.Context(), h.store, tc.o)
			must(t, err)
			if slices.Contains(done.Marked, p.UUID) != tc.marked || slices.Contains(done.Removed, p.UUID) != tc.removed || len(done.Marked)+len(done.Removed) > 2 {
				t.Errorf("%+v", done)
			}
			if _, err := h.store.Find(string(p.UUID)); (err != nil) != tc.removed {
				t.Errorf("afterwards: %v", err)
			}
			asked, _ := os.ReadFile(filepath.Join(h.data, "collected"))
			if (string(asked) == string(p.UUID)+"\n") != tc.gc {
				t.Errorf("stage1 was asked with %q", asked)
			}
			// The copy that was used last is for the next pod.
			if _, err := os.Stat(h.stage1.Dir); err != nil {
				t.Errorf("the flavour: %v", err)
			}
		})
	}
}

func TestOnePodThatCannotBeCollectedKeepsNoOther(t *testing.T) {
	h := newHost(t, map[stageabi.Entrypoint]string{stageabi.GC: `test "$1" != "$(cat ../../../bad)" || { echo 'raket: busy' >&2; exit 1; }`})
	bad, good := h.running("a"), h.running("a")
	must(t, bad.Close(), good.Close(), os.WriteFile(filepath.Join(h.data, "bad"), []byte(bad.UUID), 0o644))
	done, err := Collect(t.Context(), h.store, GCOptions{DataDir: h.data, Now: time.Now()})
	if err == nil || err.Error() != "pod "+string(bad.UUID)+": busy" {
		t.Errorf("error %v", err)
	}
	if !slices.Equal(done.Removed, []pod.UUID{good.UUID}) {
		t.Errorf("removed %v", done.Removed)
	}
	if seen := h.seen(bad); seen.State != pod.ExitedGarbage {
		t.Errorf("the other is %s", seen.State)
	}
}

func TestAPodWhoseFlavourIsGoneCanBeRemoved(t *testing.T) {
	h := newHost(t, map[stageabi.Entrypoint]string{stageabi.GC: ""})
	p := h.running("a")
	must(t, p.Close(), os.RemoveAll(h.stage1.Dir), Remove(t.Context(), h.seen(p)))
}

func TestRemove(t *testing.T) {
	h := newHost(t, map[stageabi.Entrypoint]string{stageabi.GC: ""})
	preparing, running, exited := h.preparing("a"), h.running("a"), h.running("a")
	prepared := h.preparing("a")
	must(t, exited.Close(), prepared.ToPrepared(false), prepared.Close())
	for p, want := range map[*pod.Pod]string{preparing: "being prepared", running: "stop it first", exited: "", prepared: ""} {
		seen := h.seen(p)
		err := Remove(t.Context(), seen)
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want %q", seen.State, err, want)
		}
		if _, err := h.store.Find(string(p.UUID)); (err == nil) != (want != "") {
			t.Errorf("afterwards: %v", err)
		}
	}
}
