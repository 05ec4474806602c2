package functional

import (
	"fmt"
	"strings"
	"testing"
)

// TestNoCommandRunsInAnAppThatIsStillStarting holds apps where they have a main process that is
// not theirs yet: the helper that starts them reads its filter from a pipe nobody writes to.
// It is in the pod's root or, where systemd makes the app's, in that, with more rights.
func TestNoCommandRunsInAnAppThatIsStillStarting(t *testing.T) {
	p := newPods(t)
	const script = `echo $$ >/pid; exec sleep 100000`
	flags := []string{"--seccomp=mode=remove,errno=EPERM,unshare", "--property=Restart=always", "--property=RestartSec=0"}
	uuid, unit := p.start(t, []string{"--log=file"},
		app{name: "a", script: script, flags: flags}, app{name: "b", script: script, flags: append(flags, "--property=PrivateTmp=yes")})
	exec := func(app, command string) string {
		return p.cmd() + " exec --app=" + app + " " + uuid + " sh -c " + quote(command)
	}
	// held has a shell work in the pod's root, as $root.
	held := func(line string) string {
		return fmt.Sprintf(`pid=$(cat %s/pods/run/%s/pid); for c in $(cat /proc/$pid/task/$pid/children); do if test -d /proc/$c/root/raket/filters; then root=/proc/$c/root; fi; done; cd $root/raket/filters && %s`, p.dir, uuid, line)
	}
	for _, app := range []string{"a", "b"} {
		p.WaitFor(t, limit, exec(app, "test -s /pid"))
	}
	// The file that systemd binds into b's root is found anew at each start.
	p.MustRun(t, held("for a in a b; do mv $a real-$a && mkfifo $a && ln $a held-$a || exit; done"))
	for _, app := range []string{"a", "b"} {
		p.MustRun(t, "kill -9 "+p.pidOf(t, unit, app))
	}
	p.WaitFor(t, limit, held(`n=0; for d in /proc/[0-9]*; do if test $d/exe -ef $root/raket/bin/exec && test ! $d/root -ef /; then n=$((n+1)); fi; done; test $n -ge 2`))

	var lines []string
	for _, app := range []string{"a", "b"} {
		for name, command := range map[string]string{
			"exec":       "exec --app=" + app + " " + uuid + " sh -c 'echo ran'",
			"privileged": "exec --privileged --app=" + app + " " + uuid + " sh -c 'echo ran'",
			"terminal":   "exec -t --app=" + app + " " + uuid + " sh -c 'echo ran'",
			"out":        "cp --app=" + app + " " + uuid + ":/etc/passwd -",
			"in":         "cp --app=" + app + " /etc/machine-id " + uuid + ":/ran",
		} {
			lines = append(lines, fmt.Sprintf("(%s %s; echo status $?) >/run/f-starting-%s-%s 2>&1 &", p.cmd(), command, app, name))
		}
	}
	t.Cleanup(func() { p.Run(t, "rm -f /run/f-starting-*") })
	p.MustRun(t, strings.Join(lines, "\n")+"\nwait")
	for _, app := range []string{"a", "b"} {
		for _, name := range []string{"exec", "privileged", "terminal", "out", "in"} {
			got := p.ReadFile(t, "/run/f-starting-"+app+"-"+name)
			if !strings.Contains(got, "app "+app+" is still being started") || !strings.Contains(got, "status 254") || strings.Contains(got, "ran\n") {
				t.Errorf("%s in app %s: %q", name, app, got)
			}
		}
	}

	// Commands that wait already run in the app when it is let go.
	for _, app := range []string{"a", "b"} {
		got := p.MustRun(t, exec(app, `ls -d /raket /pid 2>&1; grep Seccomp: /proc/self/status`)+" & "+held("cp real-"+app+" new && mv new "+app+" && cat "+app+" >held-"+app)+"; wait $!")
		if !strings.Contains(got, "ls: /raket: No such file") || !strings.Contains(got, "/pid\n") || !strings.Contains(got, "Seccomp:\t2") {
			t.Errorf("in app %s: %q", app, got)
		}
	}
	if got := p.MustRun(t, exec("a", "ls /ran /raket 2>/dev/null; true")); got != "" {
		t.Errorf("a copy or a command was there: %q", got)
	}
}

// TestCommandsAndAnAppThatRestartsAllTheTime runs commands, one after the other, in an app whose
// main process is mostly not yet it, until one was in time on a slow machine too.
func TestCommandsAndAnAppThatRestartsAllTheTime(t *testing.T) {
	p := newPods(t)
	uuid, _ := p.start(t, []string{"--log=none"}, app{script: "touch /here; exec sleep 0.02", flags: []string{
		"--property=Type=simple", "--property=Restart=always", "--property=RestartSec=0", "--property=StartLimitIntervalSec=0",
	}})
	got := p.MustRun(t, fmt.Sprintf(`ran=0; i=0; while [ $((i+=1)) -le 40 ] || [ $ran = 0 -a $SECONDS -lt 60 ]; do out=$(%s exec %s sh -c 'test -e /here && test ! -e /raket && echo inside || echo OUTSIDE' 2>/run/f-restarts)
case $? in 0) ran=$((ran+1));; 254|137|143|226) ;; *) echo "status $?"; cat /run/f-restarts;; esac; case $out in ""|inside) ;; *) echo "$out";; esac; done; echo ran; test $ran -gt 0 || cat /run/f-restarts; rm /run/f-restarts`, p.cmd(), uuid))
	if got != "ran" {
		t.Errorf("commands say %q", got)
	}
}
