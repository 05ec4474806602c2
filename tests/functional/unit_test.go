package functional

import (
	"fmt"
	"path"
	"strings"
	"testing"

	"github.com/raket/raket/tests/testhost"
)

// unit writes a unit of the host that runs a pod, as the documentation has it, and returns its
// name. It is stopped and removed when t ends.
func (p *pods) unit(t *testing.T, flags []string, apps ...app) string {
	t.Helper()
	return p.unitOf(t, testhost.BinDir+"/raket", nil, flags, apps...)
}

// unitOf is unit with the program, and further lines for [Service].
func (p *pods) unitOf(t *testing.T, program string, lines, flags []string, apps ...app) string {
	t.Helper()
	name := "f-" + plain(t.Name()) + ".service"
	words := append([]string{program, "--dir=" + p.dir, "run", "--quiet", "--uuid-file-save=" + p.uuidFile(name)}, podLine(offline(flags, apps), apps...)...)
	text := fmt.Sprintf(`[Unit]
StartLimitIntervalSec=0
[Service]
Type=notify
NotifyAccess=main
KillMode=mixed
Delegate=yes
Slice=machine.slice
SuccessExitStatus=133
RestartForceExitStatus=133
TimeoutStartSec=2min
%s
ExecStart=%s
`, strings.Join(lines, "\n"), unitQuote(words))
	p.WriteFile(t, "/run/systemd/system/"+name, text, 0o644)
	p.MustRun(t, "systemctl daemon-reload")
	t.Cleanup(func() {
		p.Run(t, fmt.Sprintf("systemctl stop %[1]s; rm -f /run/systemd/system/%[1]s %[2]s; systemctl daemon-reload; systemctl reset-failed %[1]s", name, p.uuidFile(name)))
	})
	return name
}

func (p *pods) uuidFile(unit string) string { return "/run/" + unit + ".uuid" }

func (p *pods) uuid(t *testing.T, unit string) string {
	t.Helper()
	return strings.TrimSpace(p.ReadFile(t, p.uuidFile(unit)))
}

// unitQuote writes words for ExecStart= (systemd.service, "Command lines").
func unitQuote(words []string) string {
	r := strings.NewReplacer(`\`, `\\`, `"`, `\"`, "%", "%%", "$", "$$", "\n", `\n`)
	var b strings.Builder
	for _, w := range words {
		b.WriteString(`"` + r.Replace(w) + `" `)
	}
	return b.String()
}

// show is a property of a unit.
func (p *pods) show(t *testing.T, unit, property string) string {
	t.Helper()
	return p.MustRun(t, "systemctl show -P "+property+" "+unit)
}

// meeting is a directory of the host, mounted at /v in every app, where tests and apps
// meet: apps write files and read from FIFOs.
func (p *pods) meeting(t *testing.T, fifos ...string) (dir string, flags []string) {
	t.Helper()
	dir = p.MustRun(t, "d=$(mktemp -d /srv/meet.XXXXXX); chmod 777 $d; echo $d")
	for _, f := range fifos {
		p.MustRun(t, "mkfifo -m 666 "+path.Join(dir, f))
	}
	t.Cleanup(func() { p.Run(t, "rm -rf "+dir) })
	return dir, []string{"--volume=meet,kind=host,source=" + dir, "--mount=volume=meet,target=/v"}
}

func TestStartReturnsWhenEveryAppIsReady(t *testing.T) {
	p := newPods(t)
	dir, flags := p.meeting(t, "go-first", "go-second")
	// Between READY=1 and the mark, the notification has reached the pod's systemd: the
	// helper's datagram is sent before it becomes the program that makes the mark.
	script := func(name string) string {
		return fmt.Sprintf("touch /v/waits-%[1]s; read _ </v/go-%[1]s; exec notify READY=1 -- sh -c 'touch /v/ready-%[1]s; exec sleep 1000'", name)
	}
	unit := p.unit(t, flags,
		app{name: "first", script: script("first"), flags: []string{"--type=notify"}},
		app{name: "second", script: script("second"), flags: []string{"--type=notify"}},
		app{name: "plain", script: "exec sleep 1000"})
	p.MustRun(t, "systemctl start --no-block "+unit)
	p.WaitFor(t, limit, fmt.Sprintf("test -e %[1]s/waits-first -a -e %[1]s/waits-second", dir))
	uuid := p.uuid(t, unit)

	for _, step := range []struct{ does, then, state string }{
		{"none has said so", "true", "activating"},
		{"one of two has said so", fmt.Sprintf("echo > %[1]s/go-first; until [ -e %[1]s/ready-first ]; do sleep 0.02; done", dir), "activating"},
	} {
		p.MustRun(t, step.then)
		if got := p.show(t, unit, "ActiveState"); got != step.state {
			t.Errorf("while %s the unit is %s, want %s", step.does, got, step.state)
		}
		if p.status(t, uuid).Ready {
			t.Errorf("while %s the pod is ready", step.does)
		}
	}
	p.MustRun(t, fmt.Sprintf("echo > %s/go-second; systemctl start %s", dir, unit))
	if got := p.show(t, unit, "ActiveState"); got != "active" {
		t.Errorf("after systemctl start returned, the unit is %s", got)
	}
	if !p.status(t, uuid).Ready {
		t.Error("after systemctl start returned, the pod is not ready")
	}
	if !p.exists(t, dir+"/ready-second") {
		t.Error("systemctl start returned before the second app was ready")
	}
}

func TestStartFailsWithTheAppsExitCode(t *testing.T) {
	p := newPods(t)
	unit := p.unit(t, nil,
		app{name: "bad", script: "echo no good; exit 7", flags: []string{"--type=notify"}},
		app{name: "good", script: "exec sleep 1000"})
	if r := p.Run(t, "systemctl start "+unit); r.Code == 0 {
		t.Error("systemctl start succeeded though an app failed to start")
	}
	if got := p.show(t, unit, "ExecMainStatus"); got != "7" {
		t.Errorf("the unit's exit status is %s, want the app's 7", got)
	}
	if got := p.status(t, p.uuid(t, unit)); got.State != "exited" || got.app("bad") != "exited 7" {
		t.Errorf("the pod is %s, the app %s", got.State, got.app("bad"))
	}
	if log := p.MustRun(t, "journalctl --sync; journalctl -o cat -t bad -u "+unit); !strings.HasPrefix(log, "no good\n") {
		t.Errorf("the app's last words are %q", log)
	}
}

func TestOnlyNspawnSystemdAndAppsRemain(t *testing.T) {
	p := newPods(t)
	_, unit := p.start(t, nil, app{name: "a", script: "exec sleep 1000"}, app{name: "b", script: "exec sleep 1000"})
	// The last step of each app's start is not the app yet.
	p.WaitFor(t, limit, fmt.Sprintf(`%s; got=$(for f in $(groups %s); do for pid in $(cat $f); do cat /proc/$pid/comm; done; done | sort | uniq -c | awk '{print $1 "x" $2}' | paste -sd' ')
echo "the pod's processes are $got"; test "$got" = "2xsleep 1xsystemd 1xsystemd-nspawn"`, groupsFunc, unit))
	if r := p.Run(t, "pgrep -ax raket"); r.Code == 0 {
		t.Errorf("raket runs: %s", r.Stdout)
	}
	main := p.show(t, unit, "MainPID")
	if comm := p.MustRun(t, "cat /proc/"+main+"/comm"); comm != "systemd-nspawn" {
		t.Errorf("the unit's main process is %s", comm)
	}
	status := p.Run(t, "systemctl status --no-pager "+unit)
	for _, want := range []string{"Active: active (running)", "Main PID: " + main + " (systemd-nspawn)", "a.service", "b.service"} {
		if !strings.Contains(status.Stdout, want) {
			t.Errorf("systemctl status does not have %q:\n%s", want, status.Stdout)
		}
	}
}

// groupsFunc defines the shell function groups: the cgroup.procs files of a unit.
const groupsFunc = `groups() { cg=$(systemctl show -P ControlGroup $1); d=/sys/fs/cgroup/systemd; [ -d $d ] || d=/sys/fs/cgroup; find $d$cg -name cgroup.procs; }`

// mainPID is a shell function, main, that prints the PID of an app's process: not one of
// those that systemd starts before it becomes the app, or after its end, nor a child of its own,
// which may have the lower number.
func mainPID(unit, app string) string {
	return fmt.Sprintf(`%s
main() {
	all=" $(for f in $(groups %s | grep /%s.service/); do cat $f; done | sort -n | tr '\n' ' ')"
	for pid in $all; do
		case "$all" in *" $(sed -n 's/^PPid:.//p' /proc/$pid/status 2>/dev/null) "*) continue;; esac
		case "$(cat /proc/$pid/comm 2>/dev/null)" in ""|"("*|exec|join|health) ;; *) echo $pid; return;; esac
	done
}`, groupsFunc, unit, app)
}

// pidOf is the host's PID of an app's first process in a unit's pod. Of one that is just being
// started it is waited for: the pod is ready before the last step of that.
func (p *pods) pidOf(t *testing.T, unit, app string) string {
	t.Helper()
	return p.newPID(t, unit, app, "")
}
