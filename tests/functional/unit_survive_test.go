package functional

import (
	"fmt"
	"testing"
)

// TestARunningPodOutlives goes through what may happen to a host while a pod runs. Whatever
// it is, the app keeps its PID, and afterwards it can still be restarted, entered and stopped.
func TestARunningPodOutlives(t *testing.T) {
	for name, happening := range map[string]string{
		"daemon-reexec of the host's systemd": "systemctl daemon-reexec",
		"daemon-reload of the host's systemd": "systemctl daemon-reload",
		"new files in the place of raket and its stage1": `cp -a /opt/raket/bin/. %[1]s.new
			find %[1]s -type f | while read f; do cp -a $f $f.new; mv $f.new $f; done`,
		"the removal of raket and its stage1": "rm -rf %[1]s",
		"a gc":                                "raket --dir=%[2]s gc --grace-period=0s --expire-prepared=0s; raket --dir=%[2]s image gc --grace-period=0s",
		"the end of machined":                 "systemctl kill -s KILL systemd-machined; systemctl stop systemd-machined",
		"a restart of the journal":            "systemctl restart systemd-journald",
	} {
		t.Run(name, func(t *testing.T) {
			p := newPods(t)
			bin := p.MustRun(t, "d=$(mktemp -d /srv/bin.XXXXXX); cp -a /opt/raket/bin/. $d; echo $d")
			t.Cleanup(func() { p.Run(t, "rm -rf "+bin+" "+bin+".new") })
			unit := p.unitOf(t, bin+"/raket", nil, nil, app{
				script: "echo line; exec sleep 1000", flags: []string{"--restart=always", "--property=RestartSec=10ms"},
			})
			p.MustRun(t, "systemctl start "+unit)
			uuid, pid := p.uuid(t, unit), p.pidOf(t, unit, "app")

			script := happening
			if name != "daemon-reexec of the host's systemd" {
				script = fmt.Sprintf("true %[1]s %[2]s; "+happening, bin, p.dir)
			}
			p.MustRun(t, script)

			if now := p.pidOf(t, unit, "app"); now != pid {
				t.Fatalf("the app had PID %s and has %q", pid, now)
			}
			if got := p.show(t, unit, "ActiveState"); got != "active" {
				t.Errorf("the unit is %s", got)
			}
			p.MustRun(t, "kill -9 "+pid)
			p.newPID(t, unit, "app", pid)
			if got := p.must(t, "enter", uuid, "/bin/echo", "in"); got != "in" {
				t.Errorf("enter printed %q", got)
			}
			p.WaitFor(t, limit, "journalctl --sync; [ $(journalctl -o cat -t app -u "+unit+" | grep -cx line) = 2 ]")
			p.MustRun(t, "systemctl stop "+unit)
			if s := p.status(t, uuid); s.State != "exited" {
				t.Errorf("the pod is %s", s.State)
			}
		})
	}
}

func TestAPodOutlivesTheShellThatStartedIt(t *testing.T) {
	p := newPods(t)
	dir, flags := p.meeting(t, "ready")
	file := dir + "/uuid"
	// An interactive shell of its own, killed with its children's terminal still open.
	p.MustRun(t, fmt.Sprintf(`systemd-run -q --unit=f-shell --collect -p KillMode=process bash -c %s`,
		quote(p.cmd()+" "+quote(runLine(append(flags, "--log=journal", "--uuid-file-save="+file),
			app{script: "echo up; echo up >/v/ready; exec sleep 1000", flags: []string{"--restart=always"}})...)+" & wait")))
	p.MustRun(t, "timeout 60 cat "+dir+"/ready")
	uuid := p.MustRun(t, "cat "+file)
	scope := "rkt-" + uuid + ".scope"
	p.WaitFor(t, limit, "systemctl is-active "+scope)
	pid := p.pidOf(t, scope, "app")
	p.MustRun(t, "systemctl kill -s KILL --kill-whom=main f-shell")
	p.WaitFor(t, limit, "! systemctl is-active -q f-shell")
	if now := p.pidOf(t, scope, "app"); now != pid || pid == "" {
		t.Fatalf("the app had PID %q and has %q", pid, now)
	}
	if s := p.status(t, uuid); s.State != "running" || !s.Ready {
		t.Errorf("the pod is %s", s.State)
	}
	if got := p.MustRun(t, "journalctl --sync; journalctl -o cat -t app -u "+scope); got != "up" {
		t.Errorf("the scope's journal has %q", got)
	}
	p.must(t, "stop", uuid)
	p.WaitFor(t, limit, "! systemctl is-active -q "+scope)
}
