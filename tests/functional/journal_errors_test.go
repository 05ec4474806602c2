package functional

import (
	"strings"
	"testing"
)

// What an operator asks for at night: the errors, and nothing but them.
func TestErrorsAreErrorsInTheJournal(t *testing.T) {
	p := newPods(t)
	errorsOf := func(unit string) string {
		return p.MustRun(t, "journalctl --sync; journalctl -q -p err -o cat -t raket -t fails -u "+unit)
	}
	unit := p.unit(t, nil, app{name: "fails", script: "echo plain; echo words >&2; exit 3"}, app{name: "well", script: "echo well"})
	p.Run(t, "systemctl start "+unit)
	p.WaitFor(t, limit, "systemctl is-failed -q "+unit)
	if got := errorsOf(unit); got != "raket: app fails exited with status 3" {
		t.Errorf("of an app: %q", got)
	}
	p.MustRun(t, "systemctl reset-failed "+unit)
	for name, tt := range map[string]struct{ path, args, says string }{
		"of the command line": {"/usr/bin", "run --no-such " + busybox, "raket: unknown flag "},
		"of the host":         {"/nowhere", "run --net=none --quiet " + busybox + " --exec=/bin/true", "raket: prepare pod: stage1 "},
	} {
		t.Run(name, func(t *testing.T) {
			unit := "f-errors-" + strings.ReplaceAll(name, " ", "-")
			p.Run(t, "systemd-run -q --wait --collect --setenv=PATH="+tt.path+" --unit="+unit+" "+p.cmd()+" "+tt.args)
			if got := p.MustRun(t, "journalctl --sync; journalctl -q -p err -o cat -t raket -u "+unit); !strings.HasPrefix(got, tt.says) || strings.Contains(got, "\n") {
				t.Errorf("%q", got)
			}
		})
	}
}
