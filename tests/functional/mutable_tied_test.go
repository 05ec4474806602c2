package functional

import (
	"fmt"
	"strings"
	"testing"
)

// unitFiles are the names of the unit files that a running pod has of an app, on one line.
func (p *pods) unitFiles(t *testing.T, uuid, app string) string {
	t.Helper()
	return strings.ReplaceAll(p.MustRun(t, fmt.Sprintf(`pid=$(cat %s/pods/run/%s/pid); for c in $(cat /proc/$pid/task/$pid/children); do (cd /proc/$c/root/raket/units 2>/dev/null && ls -d %s.* 2>/dev/null); done; true`, p.dir, uuid, app)), "\n", " ")
}

// onlyPID is the process that executes a command line.
func (p *pods) onlyPID(t *testing.T, line string) string {
	t.Helper()
	p.WaitFor(t, limit, "pgrep -fx "+quote(line))
	return p.MustRun(t, "pgrep -fx "+quote(line))
}

func TestAnAppThatOthersNeedIsUpdatedByItsHealth(t *testing.T) {
	p := newPods(t)
	dir, flags := p.meeting(t)
	p.MustRun(t, "touch "+dir+"/ok")
	// The pod ends with the first app that fails.
	uuid, unit := p.start(t, append(flags, "--log=file"),
		app{name: "web", script: "exec sleep 5001", flags: []string{"--health-cmd=[ -e /v/ok ]", "--health-interval=200ms", "--health-start-interval=100ms", "--health-retries=2", "--restart=on-failure", "--sdnotify=healthy"}},
		app{name: "needs", script: "exec sleep 5002", flags: []string{"--requires=web"}},
		app{name: "bound", script: "exec sleep 5003", flags: []string{"--binds-to=web"}},
		app{name: "keep", script: "exec sleep 5004"})
	needs, bound, keep := p.onlyPID(t, "sleep 5002"), p.onlyPID(t, "sleep 5003"), p.onlyPID(t, "sleep 5004")
	const units = "web.health.service web.health.timer web.lost.service web.service web.up.service"
	runs := func(line string) {
		t.Helper()
		p.WaitFor(t, limit, p.cmd()+" status "+uuid+" | grep -qx health-web=healthy")
		if got := p.onlyPID(t, line); strings.Contains(got, "\n") {
			t.Errorf("%q is what several execute: %s", line, got)
		}
		if got := p.unitFiles(t, uuid, "web"); got != units {
			t.Errorf("units: %s", got)
		}
		if p.onlyPID(t, "sleep 5002") != needs || p.onlyPID(t, "sleep 5004") != keep {
			t.Error("an app that is not bound to it was started anew")
		}
		now := p.onlyPID(t, "sleep 5003")
		if now == bound {
			t.Error("the app that is bound to it runs on")
		}
		bound = now
	}
	p.must(t, update(uuid, "web", "exec sleep 5011", "--settle=20h")...) // health is what counts
	runs("sleep 5011")
	for name, tt := range map[string]struct{ line, want string }{
		"one that is unhealthy":       {`--health-cmd=echo down; exit 3`, `app web is unhealthy: the check exited with status 3: "down"`},
		"one that is late":            {`--health-cmd=exit 3|--health-retries=1000|--wait=3s`, "app web is not healthy after 3s: the check exited with status 3"},
		"one that the check kills":    {`--health-cmd=exit 3|--health-on-failure=kill`, `app web is unhealthy: the check exited with status 3`},
		"one whose start never comes": {`--health-cmd=exit 3|--health-retries=50|--wait=500ms`, "app web is not healthy after 500ms"},
	} {
		t.Run(name+" is put back", func(t *testing.T) {
			flags := strings.Split(tt.line, "|")
			r := p.raket(t, update(uuid, "web", "exec sleep 5012", flags...)...)
			if r.Code != 254 || !strings.Contains(r.Stderr, tt.want) || !strings.Contains(r.Stderr, "; the one before it is back") || strings.Count(r.Stderr, "raket:") != 1 {
				t.Errorf("got %+v, want %q", r, tt.want)
			}
			if got := p.must(t, "app", "status", uuid, "web"); !strings.Contains(got, "\nupdate_taken_back_at=") || !strings.Contains(got, "\nupdate_image="+busybox+"\nupdate_error=") || !strings.Contains(got, tt.want) {
				t.Errorf("its status: %s", got)
			}
			runs("sleep 5011")
		})
	}
	t.Run("a restart takes those that need it along", func(t *testing.T) {
		p.must(t, "app", "restart", uuid, "web")
		if now := p.onlyPID(t, "sleep 5002"); now == needs {
			t.Error("the app that needs it runs on")
		}
		needs = p.onlyPID(t, "sleep 5002")
		runs("sleep 5011")
	})
	t.Run("a stop too, and the pod runs on", func(t *testing.T) {
		p.must(t, "app", "stop", uuid, "web")
		if got := p.status(t, uuid); got.app("needs") != "exited 143" || got.app("bound") != "exited 143" || got.app("keep") != "running" {
			t.Errorf("needs is %s, bound %s, keep %s", got.app("needs"), got.app("bound"), got.app("keep"))
		}
		p.must(t, "app", "start", uuid, "needs")
		needs = p.onlyPID(t, "sleep 5002")
		runs("sleep 5011")
	})
	t.Run("it is not removed", func(t *testing.T) {
		r := p.raket(t, "app", "rm", uuid, "web")
		if r.Code != 254 || !strings.Contains(r.Stderr, "needs app web (--requires, --binds-to)") || !strings.Contains(r.Stderr, "hint: remove ") {
			t.Errorf("got %+v", r)
		}
		p.must(t, "app", "rm", uuid, "bound")
		p.must(t, "app", "rm", uuid, "needs")
		p.must(t, "app", "rm", uuid, "web")
		for _, name := range []string{"web", "needs", "bound"} {
			if got := p.unitFiles(t, uuid, name); got != "" {
				t.Errorf("units of %s: %s", name, got)
			}
		}
		if got := p.MustRun(t, "ls -A "+p.dir+"/pods/run/"+uuid+"/status"); strings.Contains(got, "web") {
			t.Errorf("records: %s", got)
		}
	})
	if p.onlyPID(t, "sleep 5004") != keep {
		t.Error("the other app was started anew")
	}
	p.MustRun(t, "systemctl is-active "+unit)
}

func TestAppsThatDependOnOthersAreAdded(t *testing.T) {
	p := newPods(t)
	dir, flags := p.meeting(t)
	uuid, _ := p.start(t, append(flags, "--log=file"), app{name: "keep", script: "exec notify READY=1 -- sh -c 'exec sleep 5104'", flags: []string{"--type=notify"}})
	add := func(a app) {
		t.Helper()
		a.flags = append(a.flags, "--mount=volume=meet,target=/v")
		p.add(t, uuid, a)
		p.must(t, "app", "start", uuid, a.name)
	}
	add(app{name: "prepares", script: "echo once >>/v/once", flags: []string{"--init"}})
	p.WaitFor(t, limit, "grep -qx once "+dir+"/once")
	add(app{name: "web", script: "exec sleep 5105", flags: []string{"--requires=keep", "--health-cmd=true", "--health-interval=200ms", "--memory=100M"}})
	p.WaitFor(t, limit, p.cmd()+" status "+uuid+" | grep -qx health-web=healthy")
	add(app{name: "bound", script: "exec sleep 5106", flags: []string{"--binds-to=web", "--restart=always"}})
	add(app{name: "tick", script: "echo tick >>/v/tick", flags: []string{"--on-active=50ms", "--on-unit-active=200ms", "--property=StartLimitIntervalSec=0"}})
	p.WaitFor(t, limit, "[ $(grep -c tick "+dir+"/tick) -gt 2 ]")
	web := p.onlyPID(t, "sleep 5105")

	t.Run("an app is notified of, not waited for", func(t *testing.T) {
		p.must(t, update(uuid, "keep", "exec notify READY=1 -- sh -c 'exec sleep 5108'", "--settle=20h")...)
		p.onlyPID(t, "sleep 5108")
		if now := p.onlyPID(t, "sleep 5105"); now != web {
			t.Error("the app that needs it was started anew")
		}
		r := p.raket(t, "app", "update", "--quiet", "--wait=300ms", uuid, "keep", busybox, "--exec=/bin/sleep", "--", "5107")
		if r.Code != 254 || !strings.Contains(r.Stderr, "app keep is not ready after 300ms; the one before it is back") {
			t.Errorf("got %+v", r)
		}
	})
	t.Run("a timer is replaced by another, and by none", func(t *testing.T) {
		p.must(t, "app", "update", "--quiet", uuid, "tick", busybox, "--", "-c", "echo tock >>/v/tick")
		p.WaitFor(t, limit, "[ $(grep -c tock "+dir+"/tick) -gt 2 ]")
		p.must(t, "app", "rm", uuid, "tick")
		if got := p.unitFiles(t, uuid, "tick"); got != "" {
			t.Errorf("units: %s", got)
		}
	})
	for name, tt := range map[string]struct{ line, want string }{
		"of one that is not there": {"--after=nosuch", `app x depends on "nosuch", and the pod has no app of that name`},
		"of itself":                {"--after=x", "app x depends on itself"},
		"before those it needs":    {"--init --requires=web", "init app x depends on web"},
	} {
		t.Run("refused: "+name, func(t *testing.T) {
			before := p.must(t, "app", "list", uuid)
			r := p.raket(t, append([]string{"app", "add", "--quiet", uuid, busybox, "--name=x"}, strings.Fields(tt.line)...)...)
			if r.Code != 254 || !strings.Contains(r.Stderr, tt.want) || p.must(t, "app", "list", uuid) != before {
				t.Errorf("got %+v", r)
			}
		})
	}
	r := p.raket(t, "app", "update", "--quiet", uuid, "web", busybox, "--requires=bound")
	if r.Code != 254 || !strings.Contains(r.Stderr, "apps wait for each other") {
		t.Errorf("a circle: %+v", r)
	}
	if got := p.ReadFile(t, dir+"/once"); got != "once\n" {
		t.Errorf("the init app ran %q", got)
	}
}
