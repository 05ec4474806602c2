package tests

import (
	"strings"
	"testing"
	"time"
)

// TestWebPod is the main job: a web server, a log shipper and a reloader in one pod, from a
// host unit, supervised and stopped.
func TestWebPod(t *testing.T) {
	e := newEnv(t)
	e.startUnit(t, "web", strings.Join([]string{
		"--net=host --exit-policy=all-ended --volume logs,kind=empty --volume conf,kind=empty",
		image("nginx"), "--restart=always --mount volume=logs,target=/var/log/nginx --mount volume=conf,target=/etc/nginx/conf.d",
		image("shipper"), "--type=notify --mount volume=logs,target=/logs",
		reloaderACI, "--name=reloader --mount volume=conf,target=/etc/nginx/conf.d",
	}, " "))
	uuid := e.unitUUID(t, "web")

	ok := t.Run("it is listed with its apps", func(t *testing.T) {
		p := e.pod(t, uuid)
		if p == nil || p.State != "running" || len(p.AppNames) != 3 {
			t.Errorf("listed as %+v", p)
		}
	}) && t.Run("no raket process is left", func(t *testing.T) {
		if r := e.Run(t, "pgrep -x raket"); r.Code == 0 {
			t.Errorf("raket runs: %s", r.Stdout)
		}
	}) && t.Run("it answers, with the configuration of the reloader", func(t *testing.T) {
		e.WaitFor(t, time.Minute, "curl -sf http://127.0.0.1/ | grep -x 'hello from the pod'")
	}) && t.Run("the shipper reads nginx's log through the shared volume", func(t *testing.T) {
		e.WaitFor(t, time.Minute, `journalctl -u web -t shipper -o cat | grep 'GET / HTTP'`)
		e.WaitFor(t, time.Minute, "raket logs "+uuid+" shipper | grep 'GET / HTTP'")
	}) && t.Run("a reload crosses the shared PID namespace", func(t *testing.T) {
		before := e.mainPID(t, "web", "nginx")
		e.MustRun(t, "echo 'second answer' >/proc/"+e.mainPID(t, "web", "reloader")+"/root/etc/nginx/conf.d/answer.txt")
		e.WaitFor(t, time.Minute, "curl -sf http://127.0.0.1/ | grep -x 'second answer'")
		if after := e.mainPID(t, "web", "nginx"); after != before {
			t.Errorf("nginx's master was %s and is %s", before, after)
		}
	}) && t.Run("an app that is killed is restarted, and the others stay", func(t *testing.T) {
		nginx, shipper := e.mainPID(t, "web", "nginx"), e.mainPID(t, "web", "shipper")
		e.MustRun(t, "kill -9 "+nginx)
		e.WaitFor(t, time.Minute, "curl -sf http://127.0.0.1/ | grep -x 'second answer'")
		if now := e.mainPID(t, "web", "nginx"); now == nginx {
			t.Error("nginx kept its PID")
		}
		if now := e.mainPID(t, "web", "shipper"); now != shipper {
			t.Errorf("the shipper was %s and is %s", shipper, now)
		}
	})
	if !ok {
		return
	}
	t.Run("it stops in order and gc leaves nothing", func(t *testing.T) {
		e.MustRun(t, "systemctl stop web && systemctl show -P Result web | grep -x success")
		// An app that had not ended when it was asked to was killed.
		if got := e.MustRun(t, "raket status "+uuid); strings.Count(got, "\napp-") != 3 || strings.Contains(got, "=137") {
			t.Errorf("the apps ended so: %s", got)
		}
		e.MustRun(t, "raket gc --grace-period=0s; raket gc --grace-period=0s")
		if p := e.pod(t, uuid); p != nil {
			t.Errorf("still listed as %+v", p)
		}
		if r := e.Run(t, "find /var/lib/raket/pods -name "+uuid+" | grep . ; findmnt -rno TARGET | grep "+uuid); r.Stdout != "" {
			t.Errorf("left behind: %s", r.Stdout)
		}
	})
}

// TestRestart: an app that is to be restarted has not failed, so no exit policy ends its pod.
func TestRestart(t *testing.T) {
	e := newEnv(t)
	for _, policy := range []string{"any-failed", "all-ended"} {
		t.Run("an app restarts under the exit policy "+policy, func(t *testing.T) {
			unit := "restart-" + policy
			e.startUnit(t, unit, "--net=none --exit-policy="+policy+" "+image("busybox")+" --restart=always --property=RestartSec=50ms --exec /bin/sleep -- 3600")
			old := e.mainPID(t, unit, "busybox")
			e.MustRun(t, "kill -9 "+old)
			e.WaitFor(t, time.Minute, "pgrep -fx '/bin/sleep 3600' | grep -vx "+old)
		})
	}
}

func TestRunEnds(t *testing.T) {
	e := newEnv(t)
	for name, tt := range map[string]struct {
		args   string
		stdout string
		code   int
	}{
		"the app's output and exit status are raket's": {
			args: `--net=none ` + image("busybox") + ` --exec /bin/sh -- -c 'echo hello; exit 7'`, stdout: "hello\n", code: 7,
		},
		"an app that ends well makes the pod end well": {args: `--net=none ` + image("busybox") + ` --exec /bin/true`},
		"the app runs as its user, in its directory": {
			args:   `--net=none ` + image("busybox") + ` --user app --working-dir /home/app --exec /bin/sh -- -c 'id -un; pwd'`,
			stdout: "app\n/home/app\n",
		},
	} {
		t.Run(name, func(t *testing.T) {
			r, _ := e.runPod(t, tt.args)
			if r.Code != tt.code || r.Stdout != tt.stdout {
				t.Errorf("status %d, stdout %q, want %d and %q; stderr:\n%s", r.Code, r.Stdout, tt.code, tt.stdout, r.Stderr)
			}
		})
	}
}
