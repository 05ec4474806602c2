package sd

import (
	"strings"
	"testing"
	"time"
)

func TestTimesOfUnits(t *testing.T) {
	if got := stamp(0); !got.IsZero() {
		t.Errorf("never is %v", got)
	}
	if got, want := stamp(1700000000000001), time.Unix(1700000000, 1000); !got.Equal(want) {
		t.Errorf("%v, want %v", got, want)
	}
}

func TestPropertiesOfOtherTypesAreZero(t *testing.T) {
	props := map[string]any{"MainPID": uint32(7), "Result": 3, "Gone": nil}
	if got := property[uint32](props, "MainPID"); got != 7 {
		t.Errorf("MainPID %d", got)
	}
	if got := property[string](props, "Result"); got != "" {
		t.Errorf("Result %q", got)
	}
	if got := property[string](props, "Gone") + property[string](props, "None"); got != "" {
		t.Errorf("what is not there is %q", got)
	}
}

func TestWithoutASystemdTheErrorSaysWhatWasTried(t *testing.T) {
	if Booted() {
		t.Skip("systemd manages this host")
	}
	t.Setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:path="+t.TempDir()+"/none")
	err := EnterScope(t.Context(), "rkt-x.scope", "x")
	if err == nil || !strings.Contains(err.Error(), "start scope rkt-x.scope: connect to systemd: ") {
		t.Errorf("error %v", err)
	}
}
