package unitgen

import (
	"testing"
	"time"

	"github.com/raket/raket/pkg/appspec"
)

func TestWhichAppsSpeak(t *testing.T) {
	for name, tt := range map[string]struct {
		annotations map[string]string
		want        bool
	}{
		"one of type notify":             {map[string]string{"org.systemd.property.Type": "notify"}, true},
		"one of type notify-reload":      {map[string]string{"org.systemd.property.Type": "notify-reload"}, true},
		"one whose notifications count":  {map[string]string{"org.systemd.property.NotifyAccess": "all"}, true},
		"one with a watchdog":            {map[string]string{"org.systemd.property.WatchdogSec": "10000ms"}, true},
		"one whose watchdog is off":      {map[string]string{"org.systemd.property.WatchdogSec": "0"}, false},
		"one that nobody listens to":     {map[string]string{"org.systemd.property.Type": "notify", "org.systemd.property.NotifyAccess": "none"}, false},
		"one that is to be kept private": {map[string]string{"org.systemd.property.Type": "notify", "io.raket.notify-host": "false"}, false},
		"one of another type":            {map[string]string{"org.systemd.property.Type": "oneshot"}, false},
		"any other":                      {nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			spec := appspec.New().Spec
			for k, v := range tt.annotations {
				spec.Annotations[k] = v
			}
			got, err := Speaks(spec)
			if err != nil || got != tt.want {
				t.Errorf("%t, %v; want %t", got, err, tt.want)
			}
		})
	}
}

func TestSpans(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"10": 10 * time.Second, "10s": 10 * time.Second, "1min 30s": 90 * time.Second, "1500ms": 1500 * time.Millisecond, "2h": 2 * time.Hour, "1m": time.Minute,
		"": 0, "0": 0, "infinity": 0, "1.5s": 0, "10x": 0, "s": 0, "-1": 0, "99999999999999": 0,
	} {
		got, ok := span(text)
		if got != want || ok != (want > 0) {
			t.Errorf("%q: %v, %t; want %v", text, got, ok, want)
		}
	}
}
