package functional

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

func TestPreparedPods(t *testing.T) {
	p := newPods(t)
	uuid := p.must(t, append([]string{"prepare", "--quiet"}, podLine(nil, app{script: "echo ran $(hostname); exit 4"})...)...)
	if s := p.status(t, uuid); len(uuid) != 36 || s.State != "prepared" || s.app("app") != "created" {
		t.Fatalf("prepare printed %q and made %+v", uuid, s)
	}
	if r := p.raket(t, "logs", uuid); r.Code != 254 {
		t.Errorf("logs of a pod that did not run: %+v", r)
	}
	if r := p.raket(t, "run-prepared", "--net=none", "--hostname=late", uuid[:8]); r.Code != 4 || r.Stdout != "ran late\n" {
		t.Errorf("run-prepared: %+v", r)
	}
	if r := p.raket(t, "run-prepared", uuid); r.Code != 254 || !strings.Contains(r.Stderr, "exited") {
		t.Errorf("a second run-prepared: %+v", r)
	}
	if s := p.status(t, uuid); s.State != "exited" || s.app("app") != "exited 4" {
		t.Errorf("after its run: %+v", s)
	}
	if got := p.must(t, "rm", uuid); got != uuid {
		t.Errorf("rm printed %q", got)
	}
	if r := p.raket(t, "status", uuid); r.Code != 254 {
		t.Errorf("status of a removed pod: %+v", r)
	}
}

func TestUUIDFilesAndShortUUIDs(t *testing.T) {
	p := newPods(t)
	file := "/run/f-uuid"
	p.run(t, []string{"--uuid-file-save=" + file}, app{script: "exit 3"})
	uuid := strings.TrimSpace(p.ReadFile(t, file))
	for _, args := range [][]string{
		{"status", uuid}, {"status", uuid[:8]}, {"status", uuid[:4]}, {"status", "--uuid-file=" + file},
		{"cat-manifest", uuid[:8]}, {"cat-manifest", "--uuid-file=" + file},
	} {
		p.must(t, args...)
	}
	if r := p.raket(t, "status", "--uuid-file=/no/such"); r.Code != 1 {
		t.Errorf("status with a file that is not there: %+v", r)
	}
	p.must(t, "rm", "--uuid-file="+file)
	if len(p.list(t)) != 0 {
		t.Error("the pod is still listed")
	}
}

func TestManifestsGoRound(t *testing.T) {
	p := newPods(t)
	file := "/run/f-uuid"
	p.run(t, []string{"--uuid-file-save=" + file, "--volume=v,kind=empty", "--annotation=note=text"},
		app{script: "echo one; echo $A", flags: []string{"--environment=A=x", "--user=app", "--mount=volume=v,target=/v"}})
	manifest := p.must(t, "cat-manifest", "--uuid-file="+file)
	if !json.Valid([]byte(manifest)) || !strings.Contains(manifest, `"PodManifest"`) || !strings.Contains(manifest, `"note"`) {
		t.Fatalf("the manifest is %q", manifest)
	}
	p.WriteFile(t, "/run/f-manifest", manifest, 0o644)
	r := p.raket(t, "run", "--net=none", "--quiet", "--pod-manifest=/run/f-manifest", "--uuid-file-save="+file)
	if r.Code != 0 {
		t.Errorf("the pod's own manifest does not run: %+v", r)
	}
	if again := p.must(t, "cat-manifest", "--uuid-file="+file); again != manifest {
		t.Errorf("the manifest became\n%s\nfrom\n%s", again, manifest)
	}
}

func TestEntering(t *testing.T) {
	p := newPods(t)
	uuid, _ := p.start(t, []string{"--exit-policy=none"},
		app{name: "one", script: "echo own >/mark; exec sleep 1000", flags: []string{"--environment=A=one", "--working-dir=/home/app"}},
		app{name: "two", script: "exec sleep 1000"},
		app{name: "ended", script: "echo mine >/mark"})
	p.WaitFor(t, limit, p.cmd()+" status "+uuid+" | grep app-ended=0")
	p.WaitFor(t, limit, "[ $(pgrep -fxc 'sleep 1000') = 2 ]")
	for name, tt := range map[string]struct {
		args   []string
		stdout string
		code   int
	}{
		"sees the app's files and environment": {[]string{"--app=one", uuid, "/bin/sh", "-c", "cat /mark; echo $A; pwd"}, "own\none\n/home/app\n", 0},
		"sees not another's":                   {[]string{"--app=two", uuid, "/bin/sh", "-c", "cat /mark 2>/dev/null || echo none"}, "none\n", 0},
		"returns the exit status":              {[]string{"--app=one", uuid, "/bin/sh", "-c", "exit 42"}, "", 42},
		"returns a death by signal":            {[]string{"--app=one", uuid, "/bin/sh", "-c", "kill -9 $$"}, "", 137},
		"works where the app has ended":        {[]string{"--app=ended", uuid, "/bin/cat", "/mark"}, "mine\n", 0},
		"sees the pod's processes":             {[]string{"--app=one", uuid, "/bin/sh", "-c", "cat /proc/1/comm; cat /proc/[0-9]*/comm | grep -cx sleep"}, "systemd\n2\n", 0},
		"reads its input":                      {[]string{"--app=one", uuid, "/bin/cat"}, "", 0},
		"wants a name where there are several": {[]string{uuid, "/bin/true"}, "", 254},
		"knows its apps":                       {[]string{"--app=three", uuid, "/bin/true"}, "", 254},
		"knows when a program is missing":      {[]string{"--app=one", uuid, "/no/such"}, "", 203},
	} {
		t.Run(name, func(t *testing.T) {
			r := p.raket(t, append([]string{"enter"}, tt.args...)...)
			if r.Code != tt.code || r.Stdout != tt.stdout {
				t.Errorf("got %+v, want %d and %q", r, tt.code, tt.stdout)
			}
		})
	}
	t.Run("passes input on", func(t *testing.T) {
		if got := p.MustRun(t, "echo text | "+p.cmd()+" enter --app=two "+uuid+" /bin/cat"); got != "text" {
			t.Errorf("got %q", got)
		}
	})
}

func TestWaiting(t *testing.T) {
	p := newPods(t)
	dir, flags := p.meeting(t, "ready", "end")
	unit := p.unit(t, flags, app{script: "read _ </v/ready; notify READY=1; read _ </v/end; exit 6", flags: []string{"--type=notify", "--property=NotifyAccess=all"}})
	p.MustRun(t, "systemctl start --no-block "+unit)
	p.WaitFor(t, limit, "test -s "+p.uuidFile(unit)+" && "+p.cmd()+" status --uuid-file="+p.uuidFile(unit)+" | grep state=running")
	uuid := p.uuid(t, unit)
	if r := p.raket(t, "status", "--wait-ready=200ms", uuid); r.Code != 254 {
		t.Errorf("waiting for readiness that does not come: %+v", r)
	}
	p.MustRun(t, fmt.Sprintf("echo >%s/ready; %s status --wait-ready %s", dir, p.cmd(), uuid))
	if r := p.raket(t, "status", "--wait=200ms", uuid); r.Code != 254 {
		t.Errorf("waiting for an end that does not come: %+v", r)
	}
	out := p.MustRun(t, fmt.Sprintf("echo >%s/end; %s status --wait %s", dir, p.cmd(), uuid))
	if !strings.Contains(out, "state=exited\n") || !strings.Contains(out, "app-app=6") {
		t.Errorf("after the wait, status says %q", out)
	}
}

func TestListing(t *testing.T) {
	p := newPods(t)
	uuid, unit := p.start(t, []string{"--exit-policy=none"}, app{name: "a", script: "exec sleep 1000"}, app{name: "b", script: "exit 2"})
	p.WaitFor(t, limit, p.cmd()+" status "+uuid+" | grep app-b=2")
	prepared := p.must(t, append([]string{"prepare", "--quiet"}, podLine(nil, app{script: "true"})...)...)
	states := map[string]podStatus{}
	for _, s := range p.list(t) {
		states[s.UUID] = s
	}
	if s := states[uuid]; s.State != "running" || s.app("a") != "running" || fmt.Sprint(s.PID) != p.show(t, unit, "MainPID") {
		t.Errorf("the running pod is listed as %+v", s)
	}
	if s := states[prepared]; s.State != "prepared" || len(s.Apps) != 1 {
		t.Errorf("the prepared pod is listed as %+v", s)
	}
	table := p.must(t, "list")
	for _, want := range []string{"UUID\tAPP\tIMAGE NAME\tSTATE", uuid[:8] + "\ta\t", "\trunning\t", prepared[:8] + "\t"} {
		if !strings.Contains(table, want) {
			t.Errorf("the table does not have %q:\n%s", want, table)
		}
	}
	if full := p.must(t, "list", "--full", "--no-legend"); !strings.Contains(full, uuid) || strings.Contains(full, "UUID\t") {
		t.Errorf("the full table:\n%s", full)
	}
}

func TestGarbage(t *testing.T) {
	p := newPods(t)
	p.run(t, nil, app{script: "exit 1"})
	p.must(t, append([]string{"prepare", "--quiet"}, podLine(nil, app{script: "true"})...)...)
	running, _ := p.start(t, nil, app{script: "exec sleep 1000"})
	count := func() string {
		var states []string
		for _, s := range p.list(t) {
			states = append(states, s.State)
		}
		return strings.Join(states, ", ")
	}
	for _, step := range []struct{ args, want string }{
		{"gc --mark-only", "exited garbage, prepared, running"},
		{"gc", "exited garbage, prepared, running"},
		{"gc --grace-period=1h --expire-prepared=1h", "exited garbage, prepared, running"},
		{"gc --grace-period=0s", "prepared, running"},
		{"gc --grace-period=0s --expire-prepared=0s", "running"},
	} {
		p.must(t, strings.Fields(step.args)...)
		if got := count(); got != step.want {
			t.Errorf("after %s there are: %s; want %s", step.args, got, step.want)
		}
	}
	p.must(t, "stop", "--force", running)
	p.collect(t)
	if left := p.leftovers(t); left != "" {
		t.Errorf("left behind:\n%s", left)
	}
	// systemd removes them when it has heard of the end.
	p.WaitFor(t, limit, "! find /sys/fs/cgroup -name 'rkt-*' -o -name 'f-testgarbage*' | grep .")
}
