package pod

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/raket/raket/pkg/stageabi"
)

func open(t *testing.T) *Store {
	t.Helper()
	s, err := Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func create(t *testing.T, s *Store) *Pod {
	t.Helper()
	p, err := s.Create()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close() })
	return p
}

// must fails the test on an error.
func must(t *testing.T, errs ...error) {
	t.Helper()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

// place puts a directory where a pod would be.
func (s *Store) place(t *testing.T, in place, u UUID) {
	t.Helper()
	must(t, os.Mkdir(s.path(in, u), 0o750))
}

func TestStateFollowsFromPlaceAndLock(t *testing.T) {
	for _, tc := range []struct {
		in         place
		free, held State
	}{
		{inEmbryo, Embryo, Embryo},
		{inPrepare, AbortedPrepare, Preparing},
		{inPrepared, Prepared, Prepared},
		{inRun, Exited, Running},
		{inExitedGarbage, ExitedGarbage, Deleting},
		{inGarbage, Garbage, Deleting},
	} {
		t.Run(string(tc.in), func(t *testing.T) {
			s := open(t)
			u := NewUUID()
			s.place(t, tc.in, u)
			seen, err := s.Find(string(u))
			must(t, err)
			holder, err := s.Find(string(u))
			must(t, err, holder.Lock(), seen.Refresh())
			held := seen.State
			must(t, holder.Close(), seen.Refresh())
			if diff := cmp.Diff([]State{tc.free, tc.held}, []State{seen.State, held}); diff != "" {
				t.Error("free and held (-want +got):\n" + diff)
			}
		})
	}
}

func TestALifeFromCreationToDeletion(t *testing.T) {
	s := open(t)
	p := create(t, s)
	var states []State
	look := func() {
		t.Helper()
		seen, err := s.Find(string(p.UUID))
		must(t, err)
		if seen.State != p.State {
			t.Errorf("the holder says %s, others see %s", p.State, seen.State)
		}
		if _, err := os.Stat(p.Dir()); err != nil {
			t.Error(err)
		}
		states = append(states, p.State)
	}
	must(t, p.Refresh())
	look()
	must(t, p.ToPrepared(true))
	look()
	must(t, p.ToRun())
	look()
	must(t, p.Close(), p.Refresh())
	look()
	must(t, p.Lock(), p.ToExitedGarbage())
	look()
	if time.Since(p.Marked()) > time.Minute {
		t.Errorf("marked at %v", p.Marked())
	}
	must(t, p.ToGarbage(), p.ToGarbage())
	look()
	must(t, p.Remove())
	if err := p.Refresh(); !errors.Is(err, ErrNotFound) {
		t.Errorf("after its deletion: %v, %v", p.State, err)
	}
	want := []State{Preparing, Prepared, Running, Exited, Deleting, Deleting}
	if diff := cmp.Diff(want, states); diff != "" {
		t.Error("states (-want +got):\n" + diff)
	}
}

func TestOnlyTheHolderMovesAPod(t *testing.T) {
	s := open(t)
	p := create(t, s)
	other, err := s.Find(string(p.UUID))
	must(t, err)
	if err := other.Lock(); !errors.Is(err, ErrBusy) {
		t.Errorf("a second lock: %v", err)
	}
	for name, move := range map[string]func() error{
		"to prepared":       func() error { return other.ToPrepared(false) },
		"to run":            other.ToRun,
		"to exited garbage": other.ToExitedGarbage,
		"to garbage":        other.ToGarbage,
		"away":              other.Remove,
	} {
		if err := move(); err == nil {
			t.Errorf("moved %s without the lock", name)
		}
	}
	if _, err := other.Hand(); err == nil {
		t.Error("handed a lock on that it does not hold")
	}
	must(t, p.ToPrepared(false))
	must(t, p.Close())
	if err := other.Lock(); !errors.Is(err, ErrNotFound) {
		t.Errorf("lock where the pod was: %v", err)
	}
	must(t, other.Refresh(), other.Lock(), other.Lock())
	if other.State != Prepared {
		t.Errorf("state %s", other.State)
	}
}

func TestAPodThatRanDoesNotRunAgain(t *testing.T) {
	s := open(t)
	p := create(t, s)
	must(t, p.ToRun(), p.Close(), p.Refresh(), p.Lock())
	if err := p.ToRun(); err == nil {
		t.Error("an exited pod was started")
	}
}

func TestPrefixesFindPods(t *testing.T) {
	const (
		a = UUID("aaaaaaaa-0000-4000-8000-000000000001")
		b = UUID("aaaaaaaa-0000-4000-8000-000000000002")
		c = UUID("abbbbbbb-0000-4000-8000-000000000003")
	)
	s := open(t)
	s.place(t, inPrepared, a)
	s.place(t, inRun, b)
	s.place(t, inGarbage, c)
	for _, tc := range []struct {
		name, prefix string
		want         UUID
		err          error
	}{
		{name: "the whole UUID", prefix: string(b), want: b},
		{name: "as much as is needed", prefix: string(b[:36]), want: b},
		{name: "one letter too few", prefix: string(b[:35]), err: ErrAmbiguous},
		{name: "what a table shows", prefix: a.Short(), err: ErrAmbiguous},
		{name: "two letters", prefix: "ab", want: c},
		{name: "one letter", prefix: "a", err: ErrAmbiguous},
		{name: "a letter of none", prefix: "f", err: ErrNotFound},
		{name: "a whole UUID of none", prefix: "aaaaaaaa-0000-4000-8000-000000000009", err: ErrNotFound},
		{name: "nothing", prefix: "", err: ErrNotFound},
		{name: "capital letters", prefix: "AAAAAAAA", err: ErrNotFound},
		{name: "a dash too early", prefix: "aaa-", err: ErrNotFound},
		{name: "no dash", prefix: "aaaaaaaa0", err: ErrNotFound},
		{name: "a path", prefix: "../run/" + string(b), err: ErrNotFound},
		{name: "more than a UUID", prefix: string(b) + "0", err: ErrNotFound},
		{name: "a wildcard", prefix: "a*", err: ErrNotFound},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p, err := s.Find(tc.prefix)
			if !errors.Is(err, tc.err) {
				t.Fatalf("error %v, want %v", err, tc.err)
			}
			if err == nil && p.UUID != tc.want {
				t.Errorf("found %s, want %s", p.UUID, tc.want)
			}
			if err != nil && p != nil {
				t.Error("an error and a pod")
			}
		})
	}
}

func TestNamesThatAreNoUUIDsAreNoPods(t *testing.T) {
	s := open(t)
	for _, name := range []string{"x", ".tmp", "..a", strings.Repeat("a", 36), "AAAAAAAA-0000-4000-8000-000000000001", "aaaaaaaa-0000-4000-8000-00000000000\n", "-"} {
		for _, in := range places {
			must(t, os.Mkdir(filepath.Join(s.dir, string(in), name), 0o750))
		}
	}
	pods, err := s.List()
	must(t, err)
	if len(pods) != 0 {
		t.Errorf("listed %s as a pod", pods[0].UUID)
	}
}

func TestWhatAPodSaysOfItself(t *testing.T) {
	s := open(t)
	p := create(t, s)
	must(t, p.ToRun())
	if pid, err := p.PID(); pid != 0 || err != nil || !p.Started().IsZero() || !p.Exited().IsZero() || !p.Marked().IsZero() {
		t.Errorf("before its start: PID %d, %v, %v, %v, %v", pid, err, p.Started(), p.Exited(), p.Marked())
	}
	write := func(name, text string) {
		t.Helper()
		path := filepath.Join(p.Dir(), name)
		must(t, os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o644))
	}
	write(stageabi.PIDFile, "42\n")
	write(stageabi.StatusDir+"/.exit", "0\n")
	write(stageabi.SandboxFile, `{"uuid":"x","apps":[{"name":"a"}]}`)
	write(stageabi.ManifestFile, "{}")
	if pid, err := p.PID(); pid != 42 || err != nil || p.Started().IsZero() || p.Exited().IsZero() {
		t.Errorf("PID %d, %v; started %v, exited %v", pid, err, p.Started(), p.Exited())
	}
	if sb, err := p.Sandbox(); err != nil || sb.Apps[0].Name != "a" {
		t.Errorf("sandbox %v, %v", sb, err)
	}
	if m, err := p.Manifest(); err != nil || string(m) != "{}" {
		t.Errorf("manifest %q, %v", m, err)
	}
	write(stageabi.PIDFile, "root")
	if _, err := p.PID(); err == nil {
		t.Error("a PID that is no number was read")
	}
}

func TestListIsInTheOrderOfAPodsLife(t *testing.T) {
	s := open(t)
	var want []UUID
	for _, in := range places {
		pair := []UUID{NewUUID(), NewUUID()}
		slices.Sort(pair)
		for _, u := range pair {
			s.place(t, in, u)
			want = append(want, u)
		}
	}
	pods, err := s.List()
	must(t, err)
	var got []UUID
	for _, p := range pods {
		got = append(got, p.UUID)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error("(-want +got):\n" + diff)
	}
}

func TestUUIDs(t *testing.T) {
	u := NewUUID()
	if parsed, err := ParseUUID(string(u)); err != nil || parsed != u {
		t.Errorf("%s: %v", u, err)
	}
	if u[14] != '4' || !strings.ContainsRune("89ab", rune(u[19])) {
		t.Errorf("%s is not of version 4", u)
	}
	if u.MachineName() != "rkt-"+string(u) || len(u.MachineName()) > 64 || len(u.MachineID()) != 32 || u.Short() != string(u[:8]) {
		t.Errorf("%s: %s, %s, %s", u, u.MachineName(), u.MachineID(), u.Short())
	}
	for _, s := range []string{"", string(u[:35]), strings.ToUpper("aaaaaaaa-0000-4000-8000-00000000000b"), string(u) + "a", "../../../../../../../../../etc/passwd"} {
		if _, err := ParseUUID(s); err == nil {
			t.Errorf("%q was parsed", s)
		}
	}
}
