package appspec_test

import (
	"syscall"
	"testing"
	"time"

	"github.com/raket/raket/pkg/appspec"
)

func TestWhatEndsAnAppWithoutSystemd(t *testing.T) {
	for name, tc := range map[string]struct {
		signal, timeout string
		wantSignal      syscall.Signal
		want            time.Duration
		bad             bool
	}{
		"nothing said":                 {"", "", syscall.SIGTERM, appspec.DefaultStopTimeout, false},
		"a signal and seconds":         {"SIGQUIT", "90", syscall.SIGQUIT, 90 * time.Second, false},
		"a real-time signal and ms":    {"SIGRTMIN+3", "1500ms", 37, 1500 * time.Millisecond, false},
		"the first real-time signal":   {"SIGRTMIN", "0.5", 34, 500 * time.Millisecond, false},
		"an unknown signal":            {"SIGNOPE", "", 0, 0, true},
		"a time only systemd can read": {"", "infinity", 0, 0, true},
	} {
		t.Run(name, func(t *testing.T) {
			spec := &appspec.Spec{Annotations: map[string]string{}}
			if tc.signal != "" {
				spec.Annotations["org.systemd.property.KillSignal"] = tc.signal
			}
			if tc.timeout != "" {
				spec.Annotations["org.systemd.property.TimeoutStopSec"] = tc.timeout
			}
			signal, timeout, err := appspec.StopBehaviour(spec)
			if (err != nil) != tc.bad || signal != tc.wantSignal || timeout != tc.want {
				t.Errorf("got %v, %v, %v", signal, timeout, err)
			}
		})
	}
}
