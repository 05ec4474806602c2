package functional

import (
	"fmt"
	"strings"
	"testing"

	"github.com/raket/raket/tests/testhost"
)

// speaker is the script of an app that says it is ready, with a text, and then what comes
// through the FIFO /v/say-NAME, and makes /v/said when its service manager has read that.
func speaker(name, text string) string {
	return fmt.Sprintf(`notify READY=1 STATUS=%q; while :; do IFS= read -r line </v/say-%s || continue; notify "$line"; touch /v/said; done`, text, name)
}

// say has a speaker say something, and waits until its service manager has read it and a
// property of the unit is want.
func (p *pods) say(t *testing.T, dir, name, what, unit, property, want string) {
	t.Helper()
	p.MustRun(t, fmt.Sprintf(`rm -f %[1]s/said; printf '%%b\n' %[3]s >%[1]s/say-%[2]s; until [ -e %[1]s/said ]; do sleep 0.02; done
for _ in $(seq 500); do is=$(systemctl show -P %[5]s %[4]s); [ "$is" != %[6]s ] || exit 0; sleep 0.05; done; echo "%[5]s is $is"; exit 1`,
		dir, name, quote(what), unit, property, quote(want)))
}

// awaitUnit waits until a unit's property is want.
func (p *pods) awaitUnit(t *testing.T, unit, property, want string) {
	t.Helper()
	p.WaitFor(t, limit, fmt.Sprintf(`[ "$(systemctl show -P %s %s)" = %s ]`, property, unit, quote(want)))
}

func TestWhatAppsSayReachesTheHostsUnit(t *testing.T) {
	p := newPods(t)
	all := []string{"--type=notify", "--notify-access=all"}
	dir, flags := p.meeting(t, "say-web", "say-db")
	unit := p.unitOf(t, testhost.BinDir+"/raket", []string{"NotifyAccess=all"}, flags,
		app{name: "web", script: speaker("web", "serving"), flags: all},
		app{name: "db", script: speaker("db", "open"), flags: append([]string{"--user=1000", "--group=1000"}, all...)},
		app{name: "quiet", script: "notify READY=1 STATUS=psst; exec sleep 1000", flags: append([]string{"--notify-host=false"}, all...)})
	p.MustRun(t, "systemctl start "+unit)
	main := p.show(t, unit, "MainPID")
	p.awaitUnit(t, unit, "StatusText", "web: serving; db: open")
	if got := p.MustRun(t, "systemctl status "+unit+" | grep Status:"); !strings.Contains(got, `"web: serving; db: open"`) {
		t.Errorf("systemctl status says %q", got)
	}
	says := func(name, what, property, want string) {
		t.Helper()
		p.say(t, dir, name, what, unit, property, want)
	}
	shows := func(name, what, want string) {
		t.Helper()
		says(name, "STATUS="+what, "StatusText", want)
	}
	shows("db", "open now", "web: serving; db: open now")

	// Texts are made fit to be shown.
	shows("web", `a\x1b[31mb\x07c\xe2\x80\xaed`, "web: a [31mb c d; db: open now")
	shows("web", strings.Repeat("ü", 1000), "web: "+strings.Repeat("ü", 126)+"…; db: open now")
	// systemd takes neither: the text stays, as that of the other app shows when its turn comes.
	shows("web", "fine", "web: fine; db: open now")
	shows("web", `\xff\xfe`, "web: fine; db: open now")
	shows("web", strings.Repeat("x", 5000), "web: fine; db: open now")
	shows("db", "open", "web: fine; db: open")
	shows("web", "", "db: open")

	// The unit reloads while an app does.
	says("web", "RELOADING=1", "ActiveState", "reloading")
	says("db", "RELOADING=1", "ActiveState", "reloading")
	says("web", "READY=1", "ActiveState", "reloading")
	shows("web", "reloaded", "web: reloaded; db: open")
	says("db", "READY=1", "SubState", "running")

	// Nothing else is passed on. By the host's numbers, db's process is one that the unit could
	// have as its main one.
	says("db", "MAINPID="+p.pidOf(t, unit, "db"), "MainPID", main)
	says("db", "ERRNO=2", "StatusErrno", "0")
	shows("db", "after", "web: reloaded; db: after")
	says("db", "EXTEND_TIMEOUT_USEC=1", "MainPID", main)
	if got := p.show(t, unit, "StatusErrno"); got != "0" {
		t.Errorf("the unit's error number is %s", got)
	}

	// The program that passes it on has gone when nobody speaks, and is back when somebody does.
	p.WaitFor(t, limit, "! pgrep -f '^/raket/bin/forward '")
	shows("web", "woken", "web: woken; db: after")
}

func TestNoAppMakesAStartingPodReady(t *testing.T) {
	p := newPods(t)
	for name, tt := range map[string]struct {
		access, text string
		flags        []string
	}{
		"where the host takes all":      {"all", "web: done", nil},
		"with users of its own":         {"all", "web: done", []string{"--private-users=pick"}},
		"where it takes the main one's": {"main", "Container running: web: done", nil},
	} {
		t.Run(name, func(t *testing.T) {
			dir, flags := p.meeting(t, "say-slow")
			unit := p.unitOf(t, testhost.BinDir+"/raket", []string{"NotifyAccess=" + tt.access}, append(flags, tt.flags...),
				app{name: "web", script: "for s in READY=1 RELOADING=1 READY=1 STATUS=done; do notify $s; done; exec sleep 1000", flags: []string{"--type=notify", "--notify-access=all"}},
				app{name: "slow", script: "read -r _ </v/say-slow; exec notify READY=1 -- sleep 1000", flags: []string{"--type=notify"}})
			p.MustRun(t, "systemctl start --no-block "+unit)
			p.awaitUnit(t, unit, "StatusText", tt.text)
			if got := p.show(t, unit, "ActiveState"); got != "activating" {
				t.Errorf("while an app still starts the unit is %s", got)
			}
			p.MustRun(t, fmt.Sprintf("echo >%s/say-slow; systemctl start %s", dir, unit))
			// And not what the pod's init says of the start.
			p.awaitUnit(t, unit, "StatusText", tt.text)
		})
	}
}

func TestTheHostsWatchdogIsFedByApps(t *testing.T) {
	p := newPods(t)
	script := `echo $WATCHDOG_USEC >/v/told; notify READY=1; while [ ! -e /v/hang ]; do notify WATCHDOG=1; sleep 0.2; done; exec sleep 1000`
	for name, hang := range map[string]string{
		"an app hangs":  "touch %[1]s/hang",
		"an init hangs": "kill -STOP %[2]s",
	} {
		t.Run(name, func(t *testing.T) {
			dir, flags := p.meeting(t)
			unit := p.unitOf(t, testhost.BinDir+"/raket", []string{"NotifyAccess=all", "WatchdogSec=4"}, flags,
				app{name: "web", script: script, flags: []string{"--type=notify", "--notify-access=all", "--watchdog=1m"}},
				app{name: "db", script: "exec sleep 1000"})
			p.MustRun(t, "systemctl start "+unit)
			if got := p.ReadFile(t, dir+"/told"); got != "4000000\n" {
				t.Errorf("the app is told of a watchdog of %q microseconds, want the host's", got)
			}
			// systemd notes when it was fed.
			for range 2 {
				p.WaitFor(t, limit, "[ \"$(systemctl show -P WatchdogTimestampMonotonic "+unit+")\" != "+p.show(t, unit, "WatchdogTimestampMonotonic")+" ]")
			}
			if got := p.show(t, unit, "ActiveState"); got != "active" {
				t.Errorf("while the app pings the unit is %s", got)
			}
			init := p.MustRun(t, "pgrep -P "+p.show(t, unit, "MainPID"))
			p.MustRun(t, fmt.Sprintf(hang, dir, init))
			p.awaitUnit(t, unit, "Result", "watchdog")
		})
	}
}
