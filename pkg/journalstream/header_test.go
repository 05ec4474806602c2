package journalstream

import "testing"

// The seven lines that systemd writes (src/core/execute.c, connect_logger_as):
// identifier, unit, priority, prefixes on, no forwarding.
func TestHeader(t *testing.T) {
	if got, want := Header("web", "pod.service"), "web\npod.service\n6\n1\n0\n0\n0\n"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
