package functional

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/raket/raket/tests/images"
)

// health is what "raket status --format=json" says of an app's health.
type health struct {
	Status  string `json:"status"`
	Failing int    `json:"failing_streak"`
	Code    *int   `json:"exit_code"`
	Output  string `json:"output"`
}

func (p *pods) health(t *testing.T, uuid string) health {
	t.Helper()
	st := decode[struct {
		Apps []struct {
			Health health `json:"health"`
		} `json:"apps"`
	}](t, p.must(t, "status", "--format=json", uuid))
	return st.Apps[0].Health
}

func (p *pods) awaitHealth(t *testing.T, uuid, status string) {
	t.Helper()
	p.WaitFor(t, limit, p.cmd()+" status "+uuid+" | grep -qx health-app="+status)
}

func TestAnAppsHealthIsCheckedInTheApp(t *testing.T) {
	p := newPods(t)
	dir, flags := p.meeting(t)
	uuid, unit := p.start(t, flags, app{
		script: "mkdir /dev/shm/mine && mount -t tmpfs none /mnt 2>/dev/null; touch /tmp/ok; exec notify READY=1 -- sleep 1000",
		flags: []string{
			"--type=notify", "--user=1000", "--environment=WHO=me", "--working-dir=/tmp", "--memory=100M", "--rlimit=nofile=99:99", "--no-new-privileges",
			"--health-cmd=" + `id -u; id -g; echo $WHO; pwd; ulimit -n; grep -h -E 'CapEff|NoNewPrivs|Seccomp:' /proc/self/status; grep -c /app.service /proc/self/cgroup; readlink /proc/self/ns/mnt >/v/mnt; [ -e ok ]`,
			"--health-interval=200ms",
		},
	})
	p.awaitHealth(t, uuid, "healthy")
	got := p.health(t, uuid)
	lines := strings.Split(strings.TrimSpace(got.Output), "\n")
	if len(lines) != 9 {
		t.Fatalf("the check printed %q", got.Output)
	}
	if diff := cmp.Diff([]string{"1000", "1000", "me", "/tmp", "99", "CapEff:\t0000000000000000", "NoNewPrivs:\t1", "Seccomp:\t2"}, lines[:8]); diff != "" {
		t.Errorf("the check (-want +got):\n%s", diff)
	}
	if lines[8] == "0" {
		t.Error("the check is not in the app's control group")
	}
	if app := p.MustRun(t, "readlink /proc/"+p.pidOf(t, unit, "app")+"/ns/mnt"); app != strings.TrimSpace(p.ReadFile(t, dir+"/mnt")) {
		t.Error("the check is not in the app's mount namespace")
	}

	p.must(t, "exec", uuid, "rm", "/tmp/ok")
	p.awaitHealth(t, uuid, "unhealthy")
	if got := p.health(t, uuid); got.Failing < 3 || got.Code == nil || *got.Code != 1 {
		t.Errorf("the record is %+v", got)
	}
	p.must(t, "exec", uuid, "touch", "/tmp/ok")
	p.awaitHealth(t, uuid, "healthy")
	p.WaitFor(t, limit, "journalctl --sync; journalctl -o cat -u "+unit+" | grep -qx 'raket: app app is healthy again'")
	// Two lines of ours, and none for each check.
	log := p.MustRun(t, "journalctl -o cat _SYSTEMD_UNIT="+unit+" | grep -v Container")
	if n := strings.Count(log, "\n") + 1; n != 2 || !strings.Contains(log, "app app is unhealthy: the check exited with status 1") {
		t.Errorf("the journal has %d lines:\n%s", n, log)
	}
	p.MustRun(t, "systemctl stop "+unit)
	if got := p.health(t, uuid); got.Status != "healthy" {
		t.Errorf("after the end the record says %q", got.Status)
	}
}

func TestWhatFollowsFromBadHealth(t *testing.T) {
	p := newPods(t)
	const fast, sick = "--health-interval=100ms", "--health-cmd=! grep -q sick /v/state"
	start := func(t *testing.T, flags ...string) (dir, uuid, unit string) {
		t.Helper()
		dir, pod := p.meeting(t)
		uuid, unit = p.start(t, pod, app{script: "echo run >>/v/runs; echo well >/v/state; exec notify READY=1 -- sleep 1000", flags: append(flags, "--type=notify", fast, sick, "--health-retries=2")})
		p.awaitHealth(t, uuid, "healthy")
		p.MustRun(t, "echo sick >"+dir+"/state")
		return dir, uuid, unit
	}
	t.Run("kill: the app has failed, and with it the pod", func(t *testing.T) {
		_, _, unit := start(t, "--health-on-failure=kill")
		p.WaitFor(t, limit, "! systemctl is-active -q "+unit)
		if got := p.show(t, unit, "ExecMainStatus"); got != "137" {
			t.Errorf("the pod's status is %s", got)
		}
	})
	t.Run("restart: the app runs again, and is well", func(t *testing.T) {
		dir, uuid, unit := start(t, "--health-on-failure=restart")
		p.WaitFor(t, limit, "[ $(grep -c run "+dir+"/runs) -ge 2 ]")
		p.awaitHealth(t, uuid, "healthy")
		if got := p.show(t, unit, "ActiveState"); got != "active" {
			t.Errorf("the unit is %s", got)
		}
	})
	t.Run("stop: the pod ends with its only app", func(t *testing.T) {
		_, _, unit := start(t, "--health-on-failure=stop")
		p.WaitFor(t, limit, "! systemctl is-active -q "+unit)
	})
	t.Run("none: it is on record, a check that hangs is too", func(t *testing.T) {
		_, pod := p.meeting(t)
		uuid, unit := p.start(t, pod, app{script: "exec sleep 1000", flags: []string{fast, "--health-cmd=sleep 1000", "--health-timeout=100ms", "--health-retries=1"}})
		p.awaitHealth(t, uuid, "unhealthy")
		if got := p.health(t, uuid); got.Code == nil || *got.Code != -1 {
			t.Errorf("the record is %+v", got)
		}
		if got := p.show(t, unit, "ActiveState"); got != "active" {
			t.Errorf("the unit is %s", got)
		}
	})
}

func TestReadinessWaitsForHealth(t *testing.T) {
	p := newPods(t)
	t.Run("until the app is well", func(t *testing.T) {
		dir, flags := p.meeting(t)
		flags = append(flags, "--exit-policy=any-failed")
		unit := p.unit(t, flags,
			app{name: "app", script: "echo up >>/v/diary; exec sleep 1000", flags: []string{"--sdnotify=healthy", "--health-cmd=[ -e /v/well ]", "--health-start-interval=100ms"}},
			app{name: "user", script: "echo user >>/v/diary; exec sleep 1000", flags: []string{"--after=app"}},
			// Its root is systemd's work.
			app{name: "strict", script: "exec sleep 1000", flags: []string{"--property=ProtectSystem=strict", "--sdnotify=healthy", "--health-cmd=true"}})
		p.MustRun(t, "systemctl start --no-block "+unit)
		p.WaitFor(t, limit, "grep -q up "+dir+"/diary")
		p.awaitHealth(t, p.uuid(t, unit), "starting")
		if got := p.show(t, unit, "ActiveState"); got != "activating" {
			t.Errorf("before the app is well the unit is %s", got)
		}
		p.MustRun(t, fmt.Sprintf("touch %s/well; systemctl start %s", dir, unit))
		p.awaitHealth(t, p.uuid(t, unit), "healthy")
		p.WaitFor(t, limit, "grep -q user "+dir+"/diary")
		if got := strings.TrimSpace(p.ReadFile(t, dir+"/diary")); got != "up\nuser" {
			t.Errorf("the diary is %q", got)
		}
	})
	t.Run("which it never is", func(t *testing.T) {
		unit := p.unit(t, nil, app{script: "exec sleep 1000", flags: []string{"--sdnotify=healthy", "--health-cmd=echo no good; exit 3", "--health-interval=100ms"}})
		if r := p.Run(t, "systemctl start "+unit); r.Code == 0 {
			t.Error("systemctl start succeeded")
		}
		if log := p.MustRun(t, "journalctl --sync; journalctl -p err -o cat -u "+unit); !strings.Contains(log, `raket: app app is unhealthy: the check exited with status 3: "no good"`) {
			t.Errorf("the journal has %s", log)
		}
	})
}

func TestHealthChecksOfImages(t *testing.T) {
	p := newPods(t)
	img := putImage(t, p.Host, "checked", images.Busybox().Config(func(c *v1.Config) {
		c.Healthcheck = &v1.HealthConfig{Test: []string{"CMD", "test", "-e", "/well"}, Interval: 100 * time.Millisecond, Retries: 1}
	}))
	uuid, _ := p.start(t, nil, app{image: img, script: "exec sleep 1000"})
	p.awaitHealth(t, uuid, "unhealthy")
	p.must(t, "exec", "--privileged", uuid, "touch", "/well")
	p.awaitHealth(t, uuid, "healthy")

	t.Run("not if it is refused", func(t *testing.T) {
		uuid, _ := p.start(t, nil, app{image: img, script: "exec sleep 1000", flags: []string{"--no-healthcheck"}})
		if got := p.must(t, "status", uuid); strings.Contains(got, "health") {
			t.Errorf("status says %s", got)
		}
	})
	t.Run("not if it cannot be, and a line says so", func(t *testing.T) {
		r := p.run(t, nil, app{image: img, script: "exit 0", flags: []string{"--property=RestrictRealtime=yes"}})
		if r.Code != 0 || !strings.Contains(r.Stderr, "raket: app app: its health is not checked: only systemd can make its system call filter (RestrictRealtime=)") {
			t.Errorf("status %d, %q", r.Code, r.Stderr)
		}
	})
	t.Run("what cannot be", func(t *testing.T) {
		for flag, want := range map[string]string{
			"--health-on-failure=restart":                                          "it says what follows from a health check and has none",
			"--health-cmd=x --no-healthcheck":                                      "a health check is both said and refused",
			"--health-cmd=true --sdnotify=healthy --type=oneshot":                  "its health cannot be checked: it runs to its end",
			"--health-cmd=true --sdnotify=healthy --property=RestrictRealtime=yes": "its health cannot be checked: only systemd can make its system call filter (RestrictRealtime=)",
		} {
			r := p.run(t, nil, app{script: "exit 0", flags: strings.Fields(flag)})
			if r.Code == 0 || !strings.Contains(r.Stderr, want) || strings.Count(r.Stderr, "\n") > 2 {
				t.Errorf("%s: status %d, %q", flag, r.Code, r.Stderr)
			}
		}
	})
}
