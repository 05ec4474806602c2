package functional

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/raket/raket/tests/testhost"
)

// groupsOf lists the pod's control groups in the hierarchies that raket makes some in.
const groupsOf = `find /sys/fs/cgroup -type d -name '*%s*' -not -path '/sys/fs/cgroup/systemd/*' -not -path '/sys/fs/cgroup/unified/*' 2>/dev/null | sort`

// legacy skips t where the host's pods keep limits by themselves.
func (p *pods) legacy(t *testing.T) {
	t.Helper()
	if p.exists(t, "/sys/fs/cgroup/cgroup.controllers") {
		t.Skip("the host has the unified control group hierarchy, in which the pod's systemd makes the groups")
	}
}

// hog allocates and touches so many mebibytes.
func hog(mebibytes int) string {
	return fmt.Sprintf("dd if=/dev/zero of=/dev/null bs=%dM count=1 2>/dev/null", mebibytes)
}

func TestMemoryLimits(t *testing.T) {
	p := newPods(t)
	for name, tt := range map[string]struct {
		pod, flags []string
		script     string
		code       int
		complaint  string
	}{
		"below the limit an app runs":                   {flags: []string{"--memory=64M"}, script: hog(8)},
		"past the limit it is killed":                   {flags: []string{"--memory=16M"}, script: "exec " + hog(40), code: 137, complaint: "app app was killed by SIGKILL (oom-kill)"},
		"past the pod's limit it is killed":             {pod: []string{"--memory=16M"}, script: "exec " + hog(40), code: 137, complaint: "app app was killed by SIGKILL (oom-kill)"},
		"a limit of the app's lifts none of the pod's":  {pod: []string{"--memory=16M"}, flags: []string{"--memory=64M"}, script: "exec " + hog(40), code: 137, complaint: "(oom-kill)"},
		"as a user other than root":                     {flags: []string{"--memory=16M", "--user=app"}, script: "exec " + hog(40), code: 137, complaint: "(oom-kill)"},
		"in a root that systemd makes":                  {flags: []string{"--memory=16M", "--property=PrivateTmp=yes"}, script: "exec " + hog(40), code: 137, complaint: "(oom-kill)"},
		"in such a root, as a user other than root":     {flags: []string{"--memory=16M", "--user=app", "--property=PrivateTmp=yes"}, script: "exec " + hog(40), code: 137, complaint: "(oom-kill)"},
		"set as a property":                             {flags: []string{"--property=MemoryMax=16M"}, script: "exec " + hog(40), code: 137, complaint: "(oom-kill)"},
		"in such a root, with a system call filter":     {flags: []string{"--memory=16M", "--property=SystemCallFilter=@system-service"}, script: "exec " + hog(40), code: 137, complaint: "(oom-kill)"},
		"a child that is killed is the reason, if told": {flags: []string{"--memory=16M"}, script: hog(40) + "; exit 3", code: 3, complaint: "(oom-kill)"},
	} {
		t.Run(name, func(t *testing.T) {
			r := p.run(t, tt.pod, app{script: tt.script, flags: tt.flags})
			if r.Code != tt.code || !strings.Contains(r.Stderr, tt.complaint) {
				t.Errorf("ended with %d, complained %q; want %d and %q", r.Code, r.Stderr, tt.code, tt.complaint)
			}
		})
	}
}

func TestIsolatorsOfAPodManifest(t *testing.T) {
	p := newPods(t)
	file := "/run/f-limits-uuid"
	p.run(t, []string{"--uuid-file-save=" + file}, app{script: "true"})
	manifest := decode[map[string]any](t, p.must(t, "cat-manifest", "--uuid-file="+file))
	run := func(t *testing.T, pod []any, app map[string]any) testhost.Result {
		t.Helper()
		manifest["isolators"] = pod
		apps, ok := manifest["apps"].([]any)
		if !ok || len(apps) != 1 {
			t.Fatalf("the manifest is %v", manifest)
		}
		if app["exec"] == nil {
			app["exec"] = []string{"/bin/dd", "if=/dev/zero", "of=/dev/null", "bs=40M", "count=1"}
		}
		app["user"], app["group"] = "0", "0"
		if first, ok := apps[0].(map[string]any); ok {
			first["app"] = app
		}
		text, err := json.Marshal(manifest)
		if err != nil {
			t.Fatal(err)
		}
		p.WriteFile(t, "/run/f-limits-manifest", string(text), 0o644)
		return p.raket(t, "run", "--net=none", "--quiet", "--pod-manifest=/run/f-limits-manifest")
	}
	isolator := func(name, limit string) any {
		return map[string]any{"name": name, "value": map[string]any{"limit": limit, "default": name != "resource/memory" && name != "resource/cpu"}}
	}
	memory := isolator("resource/memory", "16M")
	for name, tt := range map[string]struct {
		pod, app  []any
		code      int
		complaint string
	}{
		"none":                    {},
		"of the pod":              {pod: []any{memory}, code: 137, complaint: "(oom-kill)"},
		"of the app":              {app: []any{memory}, code: 137, complaint: "(oom-kill)"},
		"one above what it takes": {app: []any{isolator("resource/memory", "80M"), isolator("resource/cpu", "500m")}},
		"of a disk":               {app: []any{isolator("resource/block-iops", "1000")}, pod: []any{isolator("resource/block-bandwidth", "1G")}},
	} {
		t.Run(name, func(t *testing.T) {
			r := run(t, tt.pod, map[string]any{"isolators": tt.app})
			if r.Code != tt.code || !strings.Contains(r.Stderr, tt.complaint) {
				t.Errorf("ended with %d, complained %q; want %d and %q", r.Code, r.Stderr, tt.code, tt.complaint)
			}
		})
	}
	// Two megabytes past the cache take two seconds of a disk that gives one a second.
	t.Run("that slows down a disk", func(t *testing.T) {
		if dev, err := strconv.Atoi(p.MustRun(t, "stat -c %d "+p.dir)); err != nil || dev < 256 {
			t.Skip("the host's files are on no single block device")
		}
		write := func(isolators ...any) float64 {
			script := "read from _ </proc/uptime; dd if=/dev/zero of=/file bs=100k count=20 oflag=direct 2>/dev/null || exit; read to _ </proc/uptime; echo $from $to"
			r := run(t, nil, map[string]any{"isolators": isolators, "exec": []string{"/bin/sh", "-c", script}})
			var from, to float64
			if _, err := fmt.Sscan(r.Stdout, &from, &to); err != nil || r.Code != 0 {
				t.Fatalf("got %+v", r)
			}
			return to - from
		}
		held := write(isolator("resource/block-bandwidth", "1M"))
		// Others write to that disk too, and so the least of some counts.
		free := held
		for range 5 {
			if free = min(free, write()); free < held {
				break
			}
		}
		if held < 1.5 || free >= held {
			t.Errorf("2 MB took %g seconds where there is 1 MB a second, and %g without a limit", held, free)
		}
	})
}

func TestTheHostsUnitBoundsAllApps(t *testing.T) {
	p := newPods(t)
	unit := p.unitOf(t, testhost.BinDir+"/raket", []string{"MemoryMax=64M"}, []string{"--memory=1Gi"},
		app{script: "exec " + hog(150), flags: []string{"--memory=512M"}})
	p.Run(t, "systemctl start "+unit+"; while systemctl is-active --quiet "+unit+"; do :; done")
	if status := p.show(t, unit, "ExecMainStatus"); status != "137" {
		t.Errorf("the pod ended with %s", status)
	}
}

func TestAnAppThatIsOutOfMemoryTakesNoNeighbourAlong(t *testing.T) {
	p := newPods(t)
	dir, flags := p.meeting(t, "go")
	uuid, unit := p.start(t, append(flags, "--exit-policy=none"),
		app{name: "hog", script: "read _ </v/go; exec " + hog(40), flags: []string{"--memory=16M"}},
		app{name: "neighbour", script: "exec sleep 1000", flags: []string{"--memory=16M"}})
	before := p.pidOf(t, unit, "neighbour")
	p.MustRun(t, "echo >"+dir+"/go")
	p.waitFor(t, "the hog to be killed", func() bool { return p.status(t, uuid).app("hog") == "exited 137" })
	if got := p.status(t, uuid).app("neighbour"); got != "running" || p.pidOf(t, unit, "neighbour") != before {
		t.Errorf("the neighbour is %s", got)
	}
	record := p.ReadFile(t, p.dir+"/pods/run/"+uuid+"/status/hog")
	for _, want := range []string{"result=oom-kill\n", "code=killed\n", "status=KILL\n"} {
		if !strings.Contains(record, want) {
			t.Errorf("the record lacks %q:\n%s", want, record)
		}
	}
	p.MustRun(t, "systemctl stop "+unit)
}

// waitFor asks until it is so.
func (p *pods) waitFor(t *testing.T, what string, so func() bool) {
	t.Helper()
	for until := time.Now().Add(limit); !so(); {
		if time.Now().After(until) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

func TestRestartedAppsAreLimitedAgain(t *testing.T) {
	p := newPods(t)
	dir, flags := p.meeting(t)
	// Each run notes itself and allocates too much; the third gives up.
	uuid, unit := p.start(t, append(flags, "--exit-policy=none"),
		app{script: `echo run >>/v/runs; [ $(wc -l </v/runs) -gt 2 ] && { echo done >/v/end; exec sleep 1000; }; exec ` + hog(40),
			flags: []string{"--memory=16M", "--restart=on-failure", "--property=RestartSec=1ms"}})
	p.waitFor(t, "the third run", func() bool { return p.exists(t, dir+"/end") })
	if record := p.ReadFile(t, p.dir+"/pods/run/"+uuid+"/status/app"); !strings.Contains(record, "result=oom-kill\n") {
		t.Errorf("the second run ended otherwise:\n%s", record)
	}
	p.MustRun(t, "systemctl stop "+unit)
}

func TestProcessLimits(t *testing.T) {
	p := newPods(t)
	// The shell forks until it cannot, and says how many there were.
	const bomb = `n=0; while [ $n -lt 40 ]; do sleep 1000 & n=$((n+1)); echo $n; done; kill $(jobs -p)`
	for name, tt := range map[string]struct{ pod, flags []string }{
		"of an app":       {flags: []string{"--pids=10"}},
		"of the pod":      {pod: []string{"--pids=10"}},
		"of another user": {flags: []string{"--pids=10", "--user=app"}},
	} {
		t.Run(name, func(t *testing.T) {
			r := p.run(t, tt.pod, app{script: "trap 'kill $(jobs -p)' EXIT; " + bomb, flags: tt.flags})
			lines := strings.Fields(r.Stdout)
			if r.Code == 0 || len(lines) != 9 || !strings.Contains(r.Stderr, "can't fork") {
				t.Errorf("%d children were started, the shell ended with %d and said %q", len(lines), r.Code, r.Stderr)
			}
		})
	}
	t.Run("of the pod bound the sum of its apps", func(t *testing.T) {
		_, flags := p.meeting(t, "up", "end")
		r := p.run(t, append(flags, "--pids=10"),
			app{name: "a", script: "sleep 1000 & sleep 1000 & sleep 1000 & echo >/v/up; read _ </v/end; kill $(jobs -p)"},
			app{name: "b", script: "read _ </v/up; (" + bomb + "); kill -9 -1; echo >/v/end"})
		if n := strings.Count(r.Stdout, "\n"); n > 5 || n < 3 {
			t.Errorf("beside 4 processes of another app %d were started: %q, %q", n, r.Stdout, r.Stderr)
		}
	})
}

func TestCPULimits(t *testing.T) {
	p := newPods(t)
	// An app burns until it has been given 0.4 s of CPU, and says how long that took. Its
	// process has done work before, as systemd's.
	const burn = `used() { set -- $(sed 's/.*) //' /proc/$$/stat); n=$((${12}+${13})); }; used; n0=$n
t0=$(cut -d' ' -f1 /proc/uptime); while :; do i=0; while [ $i -lt 3000 ]; do i=$((i+1)); done
used; n=$((n-n0)); [ $n -ge 40 ] && break; done; echo $t0 $(cut -d' ' -f1 /proc/uptime) $n`
	for name, tt := range map[string]struct{ pod, flags []string }{
		"of an app":                    {flags: []string{"--cpu=200m"}},
		"of the pod":                   {pod: []string{"--cpu=200m"}},
		"in a root that systemd makes": {flags: []string{"--cpu=200m", "--property=PrivateTmp=yes"}},
	} {
		t.Run(name, func(t *testing.T) {
			f := strings.Fields(p.outputOf(t, tt.pod, burn, tt.flags...))
			if len(f) != 3 {
				t.Fatalf("the app said %q", f)
			}
			from, err1 := strconv.ParseFloat(f[0], 64)
			to, err2 := strconv.ParseFloat(f[1], 64)
			ticks, err3 := strconv.ParseFloat(f[2], 64)
			if err1 != nil || err2 != nil || err3 != nil {
				t.Fatalf("the app said %q", f)
			}
			// A fifth is what it may have; two periods may count twice.
			if share := ticks / 100 / (to - from); share > 0.3 {
				t.Errorf("the app got %.2f CPUs, %v ticks in %.2f s", share, ticks, to-from)
			} else {
				t.Logf("the app got %.3f CPUs", share)
			}
		})
	}
}

// outputOf is output with flags of the pod.
func (p *pods) outputOf(t *testing.T, pod []string, script string, flags ...string) string {
	t.Helper()
	r := p.run(t, pod, app{script: script, flags: flags})
	if r.Code != 0 {
		t.Fatalf("the app ended with %d; stdout %q, stderr %q", r.Code, r.Stdout, r.Stderr)
	}
	return strings.TrimSuffix(r.Stdout, "\n")
}

func TestWhatIsNotLimitedHasNoGroups(t *testing.T) {
	p := newPods(t)
	p.legacy(t)
	uuid, unit := p.start(t, nil, app{script: "exec sleep 1000"})
	if got := p.MustRun(t, fmt.Sprintf(groupsOf, uuid)); got != "" {
		t.Errorf("groups were made:\n%s", got)
	}
	p.MustRun(t, "systemctl stop "+unit)
}

func TestGroupsOfLimitsGoWithThePod(t *testing.T) {
	p := newPods(t)
	p.legacy(t)
	all := []string{"--memory=64M", "--cpu=1", "--pids=100", "--cpu-shares=512"}
	for name, end := range map[string]string{
		"that is stopped":                       "systemctl stop %[1]s",
		"whose nspawn is killed":                "systemctl kill --kill-who=main -s KILL %[1]s; while systemctl is-active --quiet %[1]s; do :; done",
		"all of whose processes are killed":     "systemctl kill -s KILL %[1]s; while systemctl is-active --quiet %[1]s; do :; done",
		"whose app ends":                        "kill -9 %[4]s; while systemctl is-active --quiet %[1]s; do :; done",
		"that raket stops":                      "%[2]s stop %[3]s; while systemctl is-active --quiet %[1]s; do :; done",
		"that raket stops by force, and is rid": "%[2]s stop --force %[3]s; while systemctl is-active --quiet %[1]s; do :; done; %[2]s rm %[3]s",
	} {
		t.Run(name, func(t *testing.T) {
			uuid, unit := p.start(t, []string{"--memory=128M"}, app{script: "exec sleep 12345", flags: all}, app{name: "other", script: "exec sleep 1000"})
			got := strings.Fields(p.MustRun(t, fmt.Sprintf(groupsOf, uuid)))
			if len(got) != 3 {
				t.Errorf("groups %q, want one each for memory, cpu and pids", got)
			}
			for _, dir := range got {
				if n := p.MustRun(t, "cat "+dir+"/app/tasks | wc -l"); n != "1" {
					t.Errorf("%s/app has %s processes", dir, n)
				}
				if n := p.MustRun(t, "cat "+dir+"/tasks | wc -l"); n != "0" {
					t.Errorf("%s itself has %s processes", dir, n)
				}
			}
			p.Run(t, fmt.Sprintf(end+"; : %[1]s%[2]s%[3]s%[4]s", unit, p.cmd(), uuid, p.pidOf(t, unit, "app")))
			// systemd removes them after it has called the unit dead.
			p.waitFor(t, "the groups to go", func() bool { return p.MustRun(t, fmt.Sprintf(groupsOf, uuid)) == "" })
		})
	}
	t.Run("that a shell started", func(t *testing.T) {
		uuid := "/run/limited-uuid"
		r := p.run(t, []string{"--uuid-file-save=" + uuid}, app{script: "true", flags: all})
		if r.Code != 0 {
			t.Fatalf("%+v", r)
		}
		p.waitFor(t, "the groups to go", func() bool { return p.MustRun(t, fmt.Sprintf(groupsOf, p.ReadFile(t, uuid))) == "" })
	})
	// systemd knows no cpuset in the legacy hierarchies, so the groups there are gc's to remove.
	t.Run("those that systemd does not know go with gc", func(t *testing.T) {
		uuid, unit := p.start(t, nil, app{script: "exec sleep 1000", flags: []string{"--property=AllowedCPUs=0"}})
		if got := p.MustRun(t, "grep Cpus_allowed_list /proc/"+p.pidOf(t, unit, "app")+"/status"); got != "Cpus_allowed_list:\t0" {
			t.Errorf("the app has %q", got)
		}
		p.MustRun(t, "systemctl stop "+unit)
		p.collect(t)
		if got := p.MustRun(t, fmt.Sprintf(groupsOf, uuid)); got != "" {
			t.Errorf("left behind:\n%s", got)
		}
	})
}
