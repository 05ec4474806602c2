package stageabi

import (
	"syscall"
	"testing"
)

func TestSignalsGoRound(t *testing.T) {
	want := Kill{Signal: syscall.SIGHUP, UUID: "u", App: "web"}
	if got, err := ParseKill(want.Args()); got != want || err != nil {
		t.Errorf("got %+v, %v", got, err)
	}
	for _, args := range [][]string{nil, {"1", "u"}, {"1", "u", "web", "x"}, {"HUP", "u", "web"}, {"0", "u", "web"}, {"65", "u", "web"}, {"-1", "u", "web"}} {
		if got, err := ParseKill(args); err == nil {
			t.Errorf("%q: %+v", args, got)
		}
	}
}
