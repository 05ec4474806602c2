package functional

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// trapping is an app that is ready when its shell has set its traps: a signal before ends it. A
// trap runs between the shell's commands only, so it waits in a builtin. A trap is of builtins
// alone: systemd signals a control group until it finds no new process in it.
func trapping(name, traps string, flags ...string) app {
	return app{name: name, script: traps + "; echo up; notify READY=1; while :; do sleep 1000 & wait; done",
		flags: append([]string{"--type=notify", "--notify-access=all"}, flags...)}
}

const (
	// lasting ends at once when it is asked to.
	lasting = "trap 'echo bye; exit 0' TERM"
	// stubborn does not.
	stubborn = "trap '' TERM"
)

// stopTimeout is what an app is left for its end where nothing is said of that.
const stopTimeout = 10 * time.Second

func TestStopIsOrderly(t *testing.T) {
	p := newPods(t)
	dir, flags := p.meeting(t)
	apps := []app{
		trapping("polite", "trap ': >/v/asked; exit 0' TERM"),
		trapping("signal", "trap ': >/v/usr1; exit 0' USR1; trap '' TERM", "--stop-signal=SIGUSR1"),
	}
	uuid, unit := p.start(t, flags, apps...)
	begin := time.Now()
	p.MustRun(t, "systemctl stop "+unit)
	if took := time.Since(begin); took > stopTimeout {
		t.Errorf("stopping took %v: an app was waited for", took)
	}
	for _, mark := range []string{"asked", "usr1"} {
		if !p.exists(t, dir+"/"+mark) {
			t.Errorf("there is no mark %s: the app did not get its own stop signal", mark)
		}
	}
	if got := p.show(t, unit, "Result"); got != "success" {
		t.Errorf("the unit's result is %s", got)
	}
	s := p.status(t, uuid)
	if s.State != "exited" || s.app("polite") != "exited 0" || s.app("signal") != "exited 0" {
		t.Errorf("after the stop: %+v", s)
	}
}

func TestStopKillsWhatIgnoresIt(t *testing.T) {
	p := newPods(t)
	dir, flags := p.meeting(t)
	uuid, unit := p.start(t, flags,
		trapping("polite", "trap ': >/v/asked; exit 0' TERM"),
		trapping("stubborn", stubborn, "--stop-timeout=1s"))
	begin := time.Now()
	p.MustRun(t, "systemctl stop "+unit)
	if took := time.Since(begin); took < time.Second || took > stopTimeout {
		t.Errorf("stopping took %v, want the one second that was said", took)
	}
	if !p.exists(t, dir+"/asked") {
		t.Error("the other app was not asked to end")
	}
	if s := p.status(t, uuid); s.app("polite") != "exited 0" || s.app("stubborn") != "exited 137" {
		t.Errorf("the apps are %q and %q", s.app("polite"), s.app("stubborn"))
	}
}

func TestStopFromOutsideTheUnit(t *testing.T) {
	p := newPods(t)
	for name, tt := range map[string]struct {
		how   string // %s is the pod
		traps string
		want  string
	}{
		"raket stop asks the apps":                    {"stop %s", lasting, "exited 0"},
		"raket stop --force kills them":               {"stop --force %s", stubborn, "exited"},
		"raket stop kills an app when its time is up": {"stop %s", stubborn, "exited 137"},
	} {
		t.Run(name, func(t *testing.T) {
			uuid, unit := p.start(t, nil, trapping("app", tt.traps, "--stop-timeout=1"))
			p.MustRun(t, p.cmd()+" "+fmt.Sprintf(tt.how, uuid))
			if s := p.status(t, uuid); s.State != "exited" || !strings.HasPrefix(s.app("app"), tt.want) {
				t.Errorf("the pod is %s, the app %q, want %q", s.State, s.app("app"), tt.want)
			}
			p.WaitFor(t, limit, "! systemctl is-active -q "+unit)
		})
	}
}

func TestTermToTheProcessIsAnOrderlyStop(t *testing.T) {
	p := newPods(t)
	dir, flags := p.meeting(t, "ready")
	r := p.Run(t, p.cmd()+" "+quote(runLine(flags, app{script: "trap 'echo bye; : >/v/asked; exit 3' TERM; echo up >/v/ready; sleep 1000 & wait"})...)+
		" >"+dir+"/out & pid=$!; timeout 60 cat "+dir+"/ready; kill $pid; wait $pid; echo $?; cat "+dir+"/out")
	// Whoever asked for the end has got what they wanted, whatever the app makes of it.
	if r.Stdout != "up\n0\nbye\n" {
		t.Errorf("status and output %q; stderr %q", r.Stdout, r.Stderr)
	}
}

func TestAKilledAppIsRestartedAndTheOthersStay(t *testing.T) {
	p := newPods(t)
	_, unit := p.start(t, nil,
		app{name: "victim", script: "exec sleep 1000", flags: []string{"--restart=always", "--property=RestartSec=10ms"}},
		app{name: "other", script: "exec sleep 1000"})
	victim, other := p.pidOf(t, unit, "victim"), p.pidOf(t, unit, "other")
	for range 3 {
		p.MustRun(t, "kill -9 "+victim)
		victim = p.newPID(t, unit, "victim", victim)
		if now := p.pidOf(t, unit, "other"); now != other {
			t.Fatalf("the other app had PID %s and has %s", other, now)
		}
	}
	if got := p.show(t, unit, "ActiveState"); got != "active" {
		t.Errorf("the unit is %s", got)
	}
}

// newPID waits until an app has another PID than old, and returns it.
func (p *pods) newPID(t *testing.T, unit, app, old string) string {
	t.Helper()
	return p.MustRun(t, fmt.Sprintf(`%s
end=$((SECONDS + %d))
while pid=$(main); [ -z "$pid" ] || [ "$pid" = %q ]; do
	[ $SECONDS -lt $end ] || { echo "app %s has no new process" >&2; exit 1; }
done
echo $pid`, mainPID(unit, app), int(limit.Seconds()), old, app))
}
