package functional

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestTheAppsStatusIsTheRunsStatus(t *testing.T) {
	p := newPods(t)
	for name, tt := range map[string]struct {
		app    app
		code   int
		stderr string // part of it
	}{
		"success":                          {app{script: "exit 0"}, 0, ""},
		"failure":                          {app{script: "exit 7"}, 7, "raket: app app exited with status 7"},
		"the largest status":               {app{script: "exit 255"}, 255, ""},
		"killed":                           {app{script: "kill -KILL $$"}, 137, "KILL"},
		"terminated":                       {app{script: "kill -TERM $$"}, 143, ""},
		"aborted":                          {app{script: "kill -ABRT $$"}, 134, ""},
		"a broken pipe":                    {app{script: "kill -PIPE $$"}, 141, ""},
		"a signal to a process of its own": {app{script: "sh -c 'kill -9 $$' 2>/dev/null; [ $? = 137 ]"}, 0, ""},
		"a program that is not there":      {app{args: []string{"/no/such"}}, 203, `"/no/such"`},
		"a program that is no program":     {app{args: []string{"/etc/passwd"}}, 203, `"/etc/passwd"`},
		"a working directory that is not":  {app{script: "true", flags: []string{"--working-dir=/etc/passwd"}}, 226, `"/etc/passwd"`},
	} {
		t.Run(name, func(t *testing.T) {
			r := p.run(t, nil, tt.app)
			if r.Code != tt.code {
				t.Errorf("the status is %d, want %d; stderr %q", r.Code, tt.code, r.Stderr)
			}
			if !strings.Contains(r.Stderr, tt.stderr) || tt.stderr == "" && tt.code == 0 && r.Stderr != "" {
				t.Errorf("stderr is %q, want %q in it", r.Stderr, tt.stderr)
			}
			if n := strings.Count(r.Stderr, "raket: "); tt.code == 203 && n != 1 {
				t.Errorf("raket says %d lines, want one: %q", n, r.Stderr)
			}
		})
	}
}

func TestExitPolicies(t *testing.T) {
	p := newPods(t)
	const waits = "trap 'echo asked >/v/asked; exit 0' TERM; echo up >/v/up; sleep 1000 & wait"
	const fails = "read _ </v/up; exit 9"
	t.Run("one that fails ends the pod, and the others are asked to end", func(t *testing.T) {
		dir, flags := p.meeting(t, "up")
		r := p.run(t, flags, app{name: "other", script: waits}, app{name: "bad", script: fails})
		if r.Code != 9 {
			t.Errorf("the status is %d", r.Code)
		}
		if !p.exists(t, dir+"/asked") {
			t.Error("the other app was not asked to end")
		}
	})
	t.Run("one that ends well does not end the pod", func(t *testing.T) {
		dir, flags := p.meeting(t, "go")
		r := p.run(t, flags, app{name: "short", script: "exec 3>/v/go; echo now >&3"}, app{name: "long", script: "read x </v/go; echo $x >/v/done; exit 0"})
		if r.Code != 0 || !p.exists(t, dir+"/done") {
			t.Errorf("status %d, done: %v", r.Code, p.exists(t, dir+"/done"))
		}
	})
	t.Run("all-ended waits for the rest and returns the failure", func(t *testing.T) {
		dir, flags := p.meeting(t, "go")
		r := p.run(t, append(flags, "--exit-policy=all-ended"),
			app{name: "bad", script: "trap 'echo now >/v/go' EXIT; exit 9"}, app{name: "long", script: "read x </v/go; echo $x >/v/done; exit 0"})
		if r.Code != 9 || !p.exists(t, dir+"/done") {
			t.Errorf("status %d, done: %v", r.Code, p.exists(t, dir+"/done"))
		}
	})
	t.Run("none keeps the pod until it is stopped", func(t *testing.T) {
		uuid, unit := p.start(t, []string{"--exit-policy=none"}, app{name: "ok", script: "exit 0"}, app{name: "bad", script: "exit 9"})
		p.WaitFor(t, limit, p.cmd()+" status "+uuid+" | grep app-bad=9 && "+p.cmd()+" status "+uuid+" | grep app-ok=0")
		if got := p.show(t, unit, "ActiveState"); got != "active" {
			t.Errorf("the unit is %s", got)
		}
		p.must(t, "stop", uuid)
		p.WaitFor(t, limit, "! systemctl is-active -q "+unit)
		if got := p.show(t, unit, "Result"); got != "success" {
			t.Errorf("the unit's result is %s", got)
		}
	})
}

func TestRestartPolicies(t *testing.T) {
	p := newPods(t)
	for name, tt := range map[string]struct {
		restart string
		script  string
		runs    string // a mark a run
		code    int
	}{
		"never: a failure is final":                   {"no", "exit 5", "x", 5},
		"on failure: until it succeeds":               {"on-failure", "[ $(wc -c </v/runs) -ge 3 ] || exit 5", "xxx", 0},
		"on failure: success is final":                {"on-failure", "exit 0", "x", 0},
		"on success: a failure is final":              {"on-success", "[ $(wc -c </v/runs) -lt 3 ] || exit 5", "xxx", 5},
		"on abnormal: an exit status is final":        {"on-abnormal", "[ $(wc -c </v/runs) -ge 3 ] && exit 5; kill -9 $$", "xxx", 5},
		"always: until there were too many in a time": {"always", "exit 5", "xxxx", 5},
	} {
		t.Run(name, func(t *testing.T) {
			dir, flags := p.meeting(t)
			r := p.run(t, flags, app{
				script: "printf x >>/v/runs; " + tt.script,
				flags:  []string{"--restart=" + tt.restart, "--property=RestartSec=1ms", "--property=StartLimitBurst=4", "--property=StartLimitIntervalSec=1min"},
			})
			if r.Code != tt.code {
				t.Errorf("the status is %d, want %d", r.Code, tt.code)
			}
			if diff := cmp.Diff(tt.runs, p.ReadFile(t, dir+"/runs")); diff != "" {
				t.Errorf("runs (-want +got):\n%s", diff)
			}
		})
	}
}
