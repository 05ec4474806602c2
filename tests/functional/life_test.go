package functional

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/raket/raket/tests/testhost"
)

// diary is the script of an app that writes into /v/diary when it is up and when it is
// asked to end, and waits for a line in the FIFO /v/go-NAME before it does. The app holds
// both ends of that from the start: the end of its child interrupts what it waits for, and
// a line written meanwhile would be lost with nobody there.
func diary(name string) string {
	return fmt.Sprintf(`exec 3<>/v/go-%[1]s; trap 'echo %[1]s asked >>/v/diary; until read _ <&3; do :; done; echo %[1]s ended >>/v/diary; exit 0' TERM
echo %[1]s up >>/v/diary; notify READY=1; sleep 1000 & wait`, name)
}

func TestAppsStartAndStopInOrder(t *testing.T) {
	p := newPods(t)
	dir, flags := p.meeting(t, "go-db", "go-web", "go-proxy")
	notify := []string{"--type=notify", "--notify-access=all", "--stop-timeout=1m"}
	// Not in the order of the command line.
	// The unit leaves them the time.
	unit := p.unitOf(t, testhost.BinDir+"/raket", []string{"TimeoutStopSec=5min"}, flags,
		app{name: "proxy", script: diary("proxy"), flags: append([]string{"--requires=web"}, notify...)},
		app{name: "web", script: diary("web"), flags: append([]string{"--after=db"}, notify...)},
		app{name: "db", script: diary("db"), flags: notify})
	p.MustRun(t, "systemctl start "+unit)
	p.MustRun(t, "systemctl stop --no-block "+unit)
	for _, name := range []string{"proxy", "web", "db"} {
		p.WaitFor(t, limit, fmt.Sprintf("grep -qx '%s asked' %s/diary", name, dir))
		p.MustRun(t, fmt.Sprintf("echo >%s/go-%s", dir, name))
	}
	p.WaitFor(t, limit, "! systemctl is-active -q "+unit)
	want := "db up\nweb up\nproxy up\nproxy asked\nproxy ended\nweb asked\nweb ended\ndb asked\ndb ended"
	if diff := cmp.Diff(want, strings.TrimSpace(p.ReadFile(t, dir+"/diary"))); diff != "" {
		t.Errorf("the diary (-want +got):\n%s", diff)
	}
	if got := p.show(t, unit, "Result"); got != "success" {
		t.Errorf("the unit's result is %s", got)
	}
}

func TestInitAppsRunToTheirEndBeforeTheOthers(t *testing.T) {
	p := newPods(t)
	dir, flags := p.meeting(t)
	note := func(name string) string { return "echo " + name + " >>/v/diary; " }
	uuid, unit := p.start(t, flags,
		app{name: "web", script: note("web") + "exec sleep 1000"},
		app{name: "first", script: note("first") + "sleep 0.1; " + note("first done"), flags: []string{"--init"}},
		app{name: "second", script: note("second") + "[ $(grep -c second /v/diary) = 3 ]", flags: []string{"--init", "--restart=on-failure", "--restart-delay=10ms"}})
	want := "first\nfirst done\nsecond\nsecond\nsecond\nweb"
	p.WaitFor(t, limit, "grep -q web "+dir+"/diary")
	if diff := cmp.Diff(want, strings.TrimSpace(p.ReadFile(t, dir+"/diary"))); diff != "" {
		t.Errorf("the diary (-want +got):\n%s", diff)
	}
	st := p.status(t, uuid)
	if got := fmt.Sprint(st.app("first"), ", ", st.app("second"), ", ", st.app("web")); got != "exited 0, exited 0, running" {
		t.Errorf("the apps: %s", got)
	}
	p.MustRun(t, "systemctl stop "+unit)
	if got := p.status(t, uuid).app("first"); got != "exited 0" {
		t.Errorf("afterwards the first is %s", got)
	}
}

func TestAStartThatFailsFailsWithTheAppsCode(t *testing.T) {
	p := newPods(t)
	good := app{name: "good", script: "echo good >>/v/diary; exec sleep 1000"}
	needs := func(flags ...string) app { return app{name: good.name, script: good.script, flags: flags} }
	for name, tt := range map[string]struct {
		bad   app // its name is bad
		good  app
		flags []string
		code  string
		ran   bool // the other app was started
		runs  int
	}{
		"notify":                        {bad: app{script: "exit 7", flags: []string{"--type=notify"}}, good: good, code: "7", ran: true, runs: 1},
		"notify, without a word":        {bad: app{script: "exit 0", flags: []string{"--type=notify"}}, good: good, code: "254", ran: true, runs: 1},
		"oneshot":                       {bad: app{script: "exit 7", flags: []string{"--type=oneshot"}}, good: good, code: "7", ran: true, runs: 1},
		"an init app":                   {bad: app{script: "exit 7", flags: []string{"--init"}}, good: good, code: "7", runs: 1},
		"a dependency":                  {bad: app{script: "exit 7", flags: []string{"--type=notify"}}, good: needs("--requires=bad"), code: "7", runs: 1},
		"restarts of a dependency":      {bad: app{script: "exit 7", flags: []string{"--type=oneshot", "--restart=on-failure", "--restart-delay=10ms", "--property=StartLimitBurst=3", "--property=StartLimitIntervalSec=1h"}}, good: needs("--requires=bad"), code: "7", runs: 3},
		"restarts of an init app":       {bad: app{script: "exit 7", flags: []string{"--init", "--restart=on-failure", "--restart-delay=10ms", "--property=StartLimitBurst=3", "--property=StartLimitIntervalSec=1h"}}, good: good, code: "7", runs: 3},
		"an init app, whatever happens": {bad: app{script: "exit 7", flags: []string{"--init"}}, good: good, flags: []string{"--exit-policy=all-ended"}, code: "7", runs: 1},
	} {
		t.Run(name, func(t *testing.T) {
			dir, flags := p.meeting(t)
			tt.bad.name = "bad"
			tt.bad.script = "echo x >>/v/runs; " + tt.bad.script
			unit := p.unit(t, append(flags, tt.flags...), tt.good, tt.bad)
			if r := p.Run(t, "systemctl start "+unit); r.Code == 0 {
				t.Error("systemctl start succeeded")
			}
			if got := p.show(t, unit, "ExecMainStatus"); got != tt.code {
				t.Errorf("the unit's exit status is %s, want %s", got, tt.code)
			}
			if got := p.Run(t, "wc -l <"+dir+"/runs").Stdout; strings.TrimSpace(got) != fmt.Sprint(tt.runs) {
				t.Errorf("the app was started %q times, want %d", got, tt.runs)
			}
			if got := p.exists(t, dir+"/diary"); got && !tt.ran {
				t.Error("the other app was started")
			}
		})
	}
}

func TestAStartThatSucceedsInTheEndSucceeds(t *testing.T) {
	p := newPods(t)
	for name, flag := range map[string]string{"required": "--requires=slow", "bound": "--binds-to=slow", "after": "--after=slow"} {
		t.Run(name, func(t *testing.T) {
			dir, flags := p.meeting(t)
			_, unit := p.start(t, flags,
				app{name: "slow", script: "echo slow >>/v/diary; [ $(grep -c slow /v/diary) = 3 ] || exit 5; echo up >>/v/diary; exec notify READY=1 -- sleep 1000",
					flags: []string{"--type=notify", "--restart=on-failure", "--restart-delay=10ms"}},
				app{name: "user", script: "echo user >>/v/diary; exec sleep 1000", flags: []string{flag}})
			if got := p.show(t, unit, "ActiveState"); got != "active" {
				t.Errorf("the unit is %s", got)
			}
			p.WaitFor(t, limit, "grep -q user "+dir+"/diary")
			if diff := cmp.Diff("slow\nslow\nslow\nup\nuser", strings.TrimSpace(p.ReadFile(t, dir+"/diary"))); diff != "" {
				t.Errorf("the diary (-want +got):\n%s", diff)
			}
		})
	}
}

func TestABoundAppEndsAndStartsWithTheOther(t *testing.T) {
	p := newPods(t)
	dir, flags := p.meeting(t, "end")
	_, unit := p.start(t, flags,
		app{name: "main", script: "echo main >>/v/diary; read _ </v/end", flags: []string{"--restart=always", "--restart-delay=10ms"}},
		app{name: "side", script: "echo side >>/v/diary; exec sleep 1000", flags: []string{"--binds-to=main"}})
	first := p.pidOf(t, unit, "side")
	p.MustRun(t, "echo >"+dir+"/end")
	p.WaitFor(t, limit, fmt.Sprintf(`[ $(grep -c main %[1]s/diary) = 2 ] && [ $(grep -c side %[1]s/diary) = 2 ]`, dir))
	if p.Run(t, "kill -0 "+first).Code == 0 {
		t.Error("the first run of the bound app is still there")
	}
}

func TestAnAppThatStopsPingingIsRestarted(t *testing.T) {
	p := newPods(t)
	dir, flags := p.meeting(t)
	// The first run never pings; the second does.
	script := `echo run >>/v/runs; notify READY=1; [ $(grep -c run /v/runs) = 1 ] && exec sleep 1000
while notify WATCHDOG=1; do sleep 0.1; done`
	uuid, unit := p.start(t, flags, app{script: script, flags: []string{"--type=notify", "--notify-access=all", "--watchdog=3s", "--restart=on-failure", "--restart-delay=10ms"}})
	p.WaitFor(t, limit, fmt.Sprintf("[ $(grep -c run %s/runs) = 2 ]", dir))
	p.WaitFor(t, limit, "journalctl --sync; journalctl -o cat -u "+unit+" | grep -q 'app app was killed by SIGABRT (watchdog)'")
	if got := p.status(t, uuid).app("app"); got != "running" {
		t.Errorf("the app is %s", got)
	}
}

func TestAnAppThatRunsTooLongFails(t *testing.T) {
	p := newPods(t)
	r := p.run(t, nil, app{script: "exec sleep 1000", flags: []string{"--runtime-max=200ms"}})
	if r.Code != 143 || !strings.Contains(r.Stderr, "app app was killed by SIGTERM (timeout)") {
		t.Errorf("status %d, %q", r.Code, r.Stderr)
	}
}

func TestTimers(t *testing.T) {
	p := newPods(t)
	t.Run("one start, and the pod ends with it", func(t *testing.T) {
		dir, flags := p.meeting(t)
		r := p.run(t, flags, app{script: "echo run >>/v/diary; exit 3", flags: []string{"--on-active=300ms"}})
		if r.Code != 3 || strings.TrimSpace(p.ReadFile(t, dir+"/diary")) != "run" {
			t.Errorf("status %d, %q", r.Code, r.Stderr)
		}
	})
	t.Run("again and again, and the pod stays", func(t *testing.T) {
		dir, flags := p.meeting(t)
		_, unit := p.start(t, flags, app{script: "echo run >>/v/diary", flags: []string{"--on-calendar=*:*:0/1"}})
		p.WaitFor(t, limit, fmt.Sprintf("[ $(grep -c run %s/diary) -ge 2 ]", dir))
		if got := p.show(t, unit, "ActiveState"); got != "active" {
			t.Errorf("between the runs the unit is %s", got)
		}
	})
}
