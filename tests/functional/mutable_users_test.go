package functional

import (
	"fmt"
	"strings"
	"testing"
)

func TestAppsOfAPodWithUsersOfItsOwnAreChanged(t *testing.T) {
	p := newPods(t)
	dir, flags := p.meeting(t)
	p.MustRun(t, "chmod 777 "+dir)
	uuid, unit := p.start(t, append(flags, "--log=file", "--private-users"),
		app{name: "old", script: "id -u; echo of-old >/mine; exec sleep 5201"}, app{name: "keep", script: "exec sleep 5204"})
	keep := p.onlyPID(t, "sleep 5204")
	base := p.MustRun(t, "stat -c %u /proc/"+keep)
	if base == "0" {
		t.Fatal("the pod has the host's users")
	}
	mapped := p.dir + "-mapped" // on a file system that takes ID maps
	p.MustRun(t, "mkdir "+mapped)
	t.Cleanup(func() { p.Run(t, "rmdir "+mapped) })
	p.add(t, uuid, app{name: "x", script: "id -u; cut -c1-30 /proc/self/uid_map; stat -c own=%u:%a /own; stat -c mapped=%u /mapped; touch /v/of-x /mine && stat -c %u /mine; exec sleep 5202",
		flags: []string{"--mount=volume=meet,target=/v", "--memory=100M", "--health-cmd=true", "--health-interval=200ms", "--mount=volume=own,target=/own", "--mount=volume=mapped,target=/mapped"}},
		"--volume=own,kind=empty,uid=1000,mode=0750", "--volume=mapped,kind=host,source="+mapped+",idmap=true")
	p.must(t, "app", "start", uuid, "x")
	p.WaitFor(t, limit, p.cmd()+" status "+uuid+" | grep -qx health-x=healthy")
	x := p.onlyPID(t, "sleep 5202")
	if got := strings.Fields(p.must(t, "logs", uuid, "x")); fmt.Sprint(got) != fmt.Sprint([]string{"0", "0", base, "0"}) && len(got) < 4 {
		t.Errorf("it wrote %q", got)
	}
	// Volumes of the pod are under its own IDs, and the host's where that is asked for.
	if got := p.must(t, "logs", uuid, "x"); !strings.Contains(got, "own=1000:750\nmapped=0\n") {
		t.Errorf("its volumes are of %q", got)
	}
	for flag, want := range map[string]string{
		"--user=70000": "it runs as user or group 70000, and the pod has 65536 IDs", "--device=/dev/null:/dev/x": "nobody may make nodes in a pod with a user namespace",
	} {
		if r := p.raket(t, "app", "add", "--quiet", uuid, busybox, "--name=y", flag); r.Code != 254 || !strings.Contains(r.Stderr, want) {
			t.Errorf("%s: %+v", flag, r)
		}
	}
	if got := p.MustRun(t, "stat -c %u "+dir+"/of-x /proc/"+x); got != base+"\n"+base {
		t.Errorf("on the host it is %q, and the pod's root %s", got, base)
	}
	if got := p.must(t, "exec", "--app=x", uuid, "/bin/id", "-u"); got != "0" {
		t.Errorf("a command in it: %s", got)
	}
	// Of those that were there at the start too.
	p.must(t, update(uuid, "old", "cat /mine; echo two; exec sleep 5203")...)
	p.onlyPID(t, "sleep 5203")
	p.WaitFor(t, limit, p.cmd()+" logs "+uuid+" old | grep -qx two")
	if got := p.must(t, "logs", uuid, "old"); !strings.Contains(got, "can't open '/mine'") {
		t.Errorf("it has what the old one wrote: %s", got)
	}
	for _, name := range []string{"old", "x"} {
		r := p.raket(t, update(uuid, name, "exit 9", "--no-healthcheck")...)
		if r.Code != 254 || !strings.Contains(r.Stderr, "app "+name+" does not start: it exited with status 9; the one before it is back") {
			t.Errorf("an update of %s that fails: %+v", name, r)
		}
	}
	p.onlyPID(t, "sleep 5202")
	p.onlyPID(t, "sleep 5203")
	p.must(t, "app", "restart", uuid, "x")
	p.must(t, "app", "rm", uuid, "x")
	p.must(t, "app", "rm", uuid, "old")
	p.add(t, uuid, app{name: "old", script: "ls /mine; exec sleep 5205"})
	p.must(t, "app", "start", uuid, "old")
	p.onlyPID(t, "sleep 5205")
	if got := p.must(t, "logs", uuid, "old"); !strings.Contains(got, "/mine: No such file") {
		t.Errorf("a new one of an old name has its files: %s", got)
	}
	if p.onlyPID(t, "sleep 5204") != keep {
		t.Error("the other app was started anew")
	}
	// Nothing in the pod is root's of the host, and nothing is left of what is gone.
	if got := p.MustRun(t, fmt.Sprintf(`pid=$(cat %s/pods/run/%s/pid); for c in $(cat /proc/$pid/task/$pid/children); do r=/proc/$c/root; test -d $r/raket/units || continue; find $r/raket/units $r/raket/apps $r/raket/filters $r/etc -xdev -user 0; ls $r/raket/units | grep ^x; grep -c '/raket/apps/x' /proc/$c/mountinfo; done; true`, p.dir, uuid)); got != "0" {
		t.Errorf("left:\n%s", got)
	}
	p.MustRun(t, "systemctl is-active "+unit)
}
