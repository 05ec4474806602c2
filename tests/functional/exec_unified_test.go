package functional

import (
	"strings"
	"testing"

	"github.com/raket/raket/tests/images"
	"github.com/raket/raket/tests/testhost"
)

// On a host whose one hierarchy of control groups is the unified one, a command is cloned into
// the app's group. The host here delegates no controllers, so it has limits of no kind.
func TestCommandsOnTheUnifiedHierarchy(t *testing.T) {
	h := testhost.Start(t, testhost.Options{Cgroup: "v2"})
	notify, err := images.Program(t.Context(), "notify")
	if err != nil {
		t.Fatal(err)
	}
	putImage(t, h, "busybox", images.Busybox().Layer(notify))
	p := podsOn(t, h)
	p.holdCommands(t, map[string]string{
		"root":                       "",
		"another user":               "--user=app --group=logs",
		"a root that systemd enters": "--property=PrivateTmp=yes",
	})
	t.Run("apps that come and go", p.mutableOnUnified)
	uuid, unit := p.start(t, nil, app{script: "exec sleep 100000"})
	t.Run("a terminal", func(t *testing.T) {
		r := p.Run(t, "timeout 60 script -qec "+quote("stty rows 33 cols 77; "+p.cmd()+" exec -it "+uuid+" sh -c 'stty size; exit 6'; echo =$?")+" /dev/null </dev/null")
		if got := strings.ReplaceAll(r.Stdout, "\r", ""); !strings.HasSuffix(got, "33 77\n=6\n") {
			t.Errorf("got %+v", r)
		}
	})
	t.Run("the group is the app's", func(t *testing.T) {
		// The machine's legacy hierarchies are there still, though nothing uses them.
		if got := p.must(t, "exec", uuid, "grep", "^0:", "/proc/self/cgroup"); got != "0::/system.slice/app.service" {
			t.Errorf("got %q", got)
		}
	})
	t.Run("what is left ends with raket", func(t *testing.T) {
		p.MustRun(t, `rm -f /run/f-ready; mkfifo /run/f-ready
`+p.cmd()+" exec "+uuid+` sh -c 'trap "" HUP INT TERM; setsid sleep 77777 & echo up; while :; do sleep 1; done' >/run/f-ready & pid=$!
read up </run/f-ready; kill -9 $pid`)
		p.WaitFor(t, limit, "! cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' '\\n' | grep -qx 7777[7]")
	})
	t.Run("a command that is killed with the app", func(t *testing.T) {
		r := p.Run(t, p.cmd()+" exec "+uuid+` sh -c 'echo up; exec sleep 66666' >/run/f-two & pid=$!
until grep -q up /run/f-two; do sleep 0.05; done; systemctl stop `+unit+"; wait $pid; echo $?")
		if r.Stdout != "137\n" && r.Stdout != "143\n" {
			t.Errorf("got %+v", r)
		}
	})
}
