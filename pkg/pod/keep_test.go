package pod

import (
	"errors"
	"testing"
)

func TestAnEndedPodThatIsKeptStaysUntilItIsLetGo(t *testing.T) {
	s := open(t)
	p := create(t, s)
	must(t, p.ToPrepared(false), p.ToRun(), p.Close(), p.Refresh())
	stale := *p
	must(t, p.Lock(), p.ToExitedGarbage(), p.Close())

	// It has moved since it was looked at; two may keep it.
	one, err := stale.Keep(t.Context())
	must(t, err)
	other, err := p.Keep(t.Context())
	must(t, err, other.Close(), p.Refresh())
	if p.State != ExitedGarbage || stale.State != ExitedGarbage {
		t.Errorf("a pod that is kept is %s and %s, want %s", p.State, stale.State, ExitedGarbage)
	}
	if err := p.Lock(); !errors.Is(err, ErrBusy) {
		t.Errorf("a change of a pod that is kept: %v, want %v", err, ErrBusy)
	}
	must(t, one.Close(), p.Lock())
	if _, err := stale.Keep(t.Context()); !errors.Is(err, ErrBusy) {
		t.Errorf("a pod that is being changed: %v, want %v", err, ErrBusy)
	}
	must(t, p.ToGarbage(), p.Remove())
	if _, err := stale.Keep(t.Context()); !errors.Is(err, ErrNotFound) {
		t.Errorf("a pod that is gone: %v, want %v", err, ErrNotFound)
	}
}
