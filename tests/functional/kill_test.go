package functional

import (
	"testing"
)

// listens is an app that writes down the signals it gets, once its traps are set.
func listens(name string, flags ...string) app {
	return trapping(name, "trap 'echo hup >>/v/'$AC_APP_NAME HUP; trap 'echo usr1 >>/v/'$AC_APP_NAME USR1", flags...)
}

func TestSignalsReachTheAppAlone(t *testing.T) {
	p := newPods(t)
	for name, flags := range map[string][]string{"as root": nil, "with users of its own": {"--private-users"}} {
		t.Run(name, func(t *testing.T) {
			dir, meet := p.meeting(t)
			p.MustRun(t, "cd "+dir+" && touch a b && chmod 666 *")
			uuid, unit := p.start(t, append(meet, flags...), listens("a"), listens("b"))
			for _, sig := range []string{"--signal=HUP", "--signal=usr1", "-s1"} {
				before := p.MustRun(t, "wc -l <"+dir+"/a")
				p.must(t, "app", "kill", sig, uuid, "a")
				p.WaitFor(t, limit, "test $(wc -l <"+dir+"/a) != "+before)
			}
			if got := p.ReadFile(t, dir+"/a"); got != "hup\nusr1\nhup\n" {
				t.Errorf("the app got %q", got)
			}
			if got := p.ReadFile(t, dir+"/b"); got != "" {
				t.Errorf("the other app got %q", got)
			}
			p.must(t, "app", "kill", uuid, "a") // TERM, of which the policy says that the pod ends with its last app
			p.WaitFor(t, limit, p.cmd()+" status "+uuid+" | grep app-a=143")
			p.refused(t, "kill app: pod "+uuid+": stage1: app a does not run", "", "app", "kill", uuid, "a")
			p.must(t, "app", "kill", "-sKILL", uuid, "b")
			p.WaitFor(t, limit, "! systemctl is-active -q "+unit)
			if got := p.status(t, uuid).app("b"); got != "exited 137" {
				t.Errorf("the app is %s", got)
			}
			p.refused(t, "kill app: pod "+uuid+": the pod is not running: it is exited", "", "app", "kill", uuid, "a")
		})
	}
}

// A unit's reload needs no shell.
func TestAUnitIsReloadedByASignal(t *testing.T) {
	p := newPods(t)
	dir, meet := p.meeting(t)
	p.MustRun(t, "touch "+dir+"/a && chmod 666 "+dir+"/a")
	file := p.uuidFile("f-" + plain(t.Name()) + ".service")
	unit := p.unitOf(t, "/opt/raket/bin/raket", []string{"ExecReload=" + p.cmd() + " app kill --uuid-file=" + file + " --signal=HUP a"}, meet, listens("a"), listens("b"))
	p.MustRun(t, "systemctl start "+unit+" && systemctl reload "+unit)
	p.WaitFor(t, limit, "grep -q hup "+dir+"/a")
	if got := p.show(t, unit, "ActiveState"); got != "active" {
		t.Errorf("the unit is %s", got)
	}
}
