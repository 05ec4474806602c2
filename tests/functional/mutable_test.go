package functional

import (
	"fmt"
	"strings"
	"testing"

	"github.com/raket/raket/tests/images"
	"github.com/raket/raket/tests/testhost"
)

// sandbox starts a pod without apps in a transient unit of the host, which is active when the
// pod is ready.
func (p *pods) sandbox(t *testing.T, flags ...string) (uuid, unit string) {
	t.Helper()
	unit = plain(t.Name()) + ".service"
	file := "/run/" + unit + ".uuid"
	p.MustRun(t, fmt.Sprintf("systemd-run --quiet --unit=%s -p Type=notify -p NotifyAccess=main -p Delegate=yes -p KillMode=mixed %s app sandbox --quiet --uuid-file-save=%s %s",
		unit, p.cmd(), file, quote(flags...)))
	t.Cleanup(func() { p.Run(t, "systemctl stop "+unit+"; systemctl reset-failed "+unit+"; rm -f "+file) })
	return strings.TrimSpace(p.ReadFile(t, file)), unit
}

// add adds an app to a running pod.
func (p *pods) add(t *testing.T, uuid string, a app, flags ...string) {
	t.Helper()
	p.must(t, append(append([]string{"app", "add", "--quiet"}, flags...), append([]string{uuid}, a.line()...)...)...)
}

// update is the line of an update of an app, to busybox's shell running another script.
func update(uuid, name, script string, flags ...string) []string {
	return append(append([]string{"app", "update", "--quiet", uuid, name, busybox}, flags...), "--", "-c", script)
}

// inside are the app directories that are mounted in a running pod: in the pod, and in the
// process that is the pod.
func (p *pods) inside(t *testing.T, uuid string) string {
	t.Helper()
	return p.MustRun(t, fmt.Sprintf(`pid=$(cat %s/pods/run/%s/pid); for c in $pid $(cat /proc/$pid/task/$pid/children); do sed -n 's,.* [^ ]*/raket/apps/\([^ ]*\) .*,\1,p' /proc/$c/mountinfo; done | sort`, p.dir, uuid))
}

func TestAppsOfASandbox(t *testing.T) {
	p := newPods(t)
	uuid, unit := p.sandbox(t, "--net=none", "--log=file")
	if s := p.status(t, uuid); s.State != "running" || !s.Ready || len(s.Apps) != 0 {
		t.Fatalf("the sandbox is %+v", s)
	}
	list := func() string {
		return strings.ReplaceAll(p.must(t, "app", "list", "--no-legend", uuid), "\n", " ")
	}
	p.add(t, uuid, app{name: "a", script: "echo up; id -u; cat /etc/hostname; exec sleep 1000", flags: []string{"--user=4242"}})
	if got := list(); got != "a\tcreated" {
		t.Errorf("an app that was added: %q", got)
	}
	p.must(t, "app", "start", uuid, "a")
	if got := list(); got != "a\trunning" {
		t.Errorf("an app that was started: %q", got)
	}
	p.WaitFor(t, limit, p.cmd()+" logs "+uuid+" a | grep rkt-"+uuid)
	if got := p.must(t, "logs", uuid, "a"); got != "up\n4242\nrkt-"+uuid {
		t.Errorf("it wrote %q", got)
	}
	if got := p.must(t, "exec", "--app=a", uuid, "/bin/cat", "/proc/1/comm"); got != "systemd" {
		t.Errorf("a command in it has %q as its process 1", got)
	}

	t.Run("how an app ended is kept, also beyond the pod", func(t *testing.T) {
		p.add(t, uuid, app{name: "b", script: "exit 7"})
		p.must(t, "app", "start", uuid, "b")
		p.WaitFor(t, limit, p.cmd()+" app list "+uuid+" | grep -w b | grep -w exited")
		p.add(t, uuid, app{name: "c", script: "sleep 1000 & wait"})
		p.must(t, "app", "start", "--app=c", uuid)
		p.must(t, "app", "stop", "--force", uuid, "c")
		check := func(when string) {
			t.Helper()
			b, c := p.must(t, "app", "status", uuid, "b"), p.must(t, "app", "status", uuid, "c")
			for _, want := range []string{"name=b", "state=exited", "created_at=", "started_at=", "finished_at=", "exit_code=7", "reason=exit-code", "restarts=0"} {
				if !strings.Contains("\n"+b, "\n"+want) {
					t.Errorf("%s: %s is missing in %q", when, want, b)
				}
			}
			if !strings.Contains(c, "exit_code=137\nsignal=KILL\nreason=signal\nrestarts=0") {
				t.Errorf("%s: the one that was killed: %q", when, c)
			}
			if got := p.must(t, "status", uuid) + "\n"; !strings.Contains(got, "\napp-b=7\n") || !strings.Contains(got, "\napp-c=137\n") {
				t.Errorf("%s: the pod's status: %q", when, got)
			}
		}
		check("while the pod runs")
		p.must(t, "app", "start", uuid, "b")
		p.WaitFor(t, limit, p.cmd()+" app status "+uuid+" b | grep -x restarts=1")
		p.must(t, "app", "rm", uuid, "b")
		if got := p.must(t, "app", "status", "--format=json", uuid, "c"); !strings.Contains(got, `"exit_code":137,"signal":"KILL","reason":"signal"`) {
			t.Errorf("as JSON: %s", got)
		}
		p.add(t, uuid, app{name: "b", script: "exit 7"})
		p.must(t, "app", "start", uuid, "b")
		p.WaitFor(t, limit, p.cmd()+" app status "+uuid+" b | grep -x exit_code=7")
		p.MustRun(t, "systemctl stop "+unit)
		check("when the pod has ended")
		if got := list(); got != "a\texited c\texited b\texited" {
			t.Errorf("when the pod has ended: %q", got)
		}
		if r := p.raket(t, "app", "start", uuid, "a"); r.Code != 254 || !strings.Contains(r.Stderr, "not running") {
			t.Errorf("starting an app of it: %+v", r)
		}
	})
}

func TestAddedAppsHaveWhatTheyAskFor(t *testing.T) {
	p := newPods(t)
	uuid, _ := p.sandbox(t, "--net=none", "--log=file", "--volume=shared,kind=empty", "--capability=CAP_SYS_TIME")
	p.MustRun(t, "mkdir -p /srv/functional/mnt; echo from-host >/srv/functional/mnt/f")
	says := func(a app, want string, flags ...string) {
		t.Helper()
		p.add(t, uuid, a, flags...)
		p.must(t, "app", "start", uuid, a.name)
		p.WaitFor(t, limit, p.cmd()+" app list "+uuid+" | grep -w "+a.name+" | grep -w exited")
		if got := p.must(t, "logs", uuid, a.name); got != want {
			t.Errorf("app %s wrote %q, want %q", a.name, got, want)
		}
	}
	says(app{name: "writes", script: "echo shared >/v/f; cat /v/f", flags: []string{"--mount=volume=shared,target=/v"}}, "shared")
	says(app{name: "reads", script: "cat /v/f /h/f; touch /h/f", flags: []string{"--mount=volume=shared,target=/v"}},
		"shared\nfrom-host\ntouch: /h/f: Read-only file system\nraket: app reads exited with status 1",
		"--mnt-volume=name=h,kind=host,source=/srv/functional/mnt,readOnly=true,target=/h")
	says(app{name: "later", script: "cat /new/f", flags: []string{"--mount=volume=h,target=/new"}}, "from-host")
	says(app{name: "able", script: "grep CapEff /proc/self/status", flags: []string{"--caps-retain=CAP_SYS_TIME"}}, "CapEff:\t0000000002000000")
	says(app{name: "filtered", script: "chmod 700 /tmp; echo $?", flags: []string{"--seccomp=mode=remove,errno=EPERM,chmod,fchmodat,fchmod,fchmodat2"}}, "chmod: /tmp: Operation not permitted\n1")
	says(app{name: "copied", script: "cat /etc/hostname"}, "rkt-"+uuid, "--no-overlay")
	p.must(t, quick(uuid, "copied", "exec sleep 5111")...)
	if got := p.MustRun(t, "ls "+p.dir+"/pods/run/"+uuid+"/apps/copied"); strings.Contains(got, "upper") {
		t.Errorf("an update of an app without an overlay has one: %s", got)
	}
	says(app{name: "limited", script: "sleep 0; echo ok", flags: []string{"--memory=64M", "--pids=20"}}, "ok")
	says(app{name: "private", script: "ls /tmp; echo ok", flags: []string{"--property=PrivateTmp=yes"}}, "ok")
	// One that a descriptor starts.
	p.add(t, uuid, app{name: "served", args: []string{"/bin/cat"}, flags: []string{"--socket=listen:unix:@served", "--property=SuccessExitStatus=0"}})
	p.must(t, "app", "start", uuid, "served")
	if got := p.must(t, "app", "list", "--no-legend", uuid); !strings.Contains(got, "served\tcreated") && !strings.Contains(got, "served\trunning") {
		t.Errorf("an app that waits for its socket: %q", got)
	}

	for name, tt := range map[string]struct {
		args []string
		want string
	}{
		"a name that is taken":          {[]string{"app", "add", "--quiet", uuid, busybox, "--name=able"}, "the pod has an app able already"},
		"capabilities beyond the pod's": {[]string{"app", "add", "--quiet", uuid, busybox, "--name=x", "--caps-retain=CAP_SYS_MODULE"}, "start it with --capability=CAP_SYS_MODULE"},
		"a socket of the host's":        {[]string{"app", "add", "--quiet", uuid, busybox, "--name=x", "--socket=http"}, "cannot reach a pod that runs"},
		"a volume that nobody defines":  {[]string{"app", "add", "--quiet", uuid, busybox, "--name=x", "--mount=volume=nosuch,target=/x"}, `no volume "nosuch"`},
		"a volume a second time":        {[]string{"app", "add", "--quiet", "--volume=h,kind=empty", uuid, busybox, "--name=x"}, "has a volume h already"},
		"a source that is not there":    {[]string{"app", "add", "--quiet", "--mnt-volume=name=y,kind=host,source=/no/such,target=/y", uuid, busybox, "--name=x"}, "no such file"},
		"a program that is not there":   {[]string{"app", "add", "--quiet", uuid, busybox, "--name=x", "--exec=/no/such"}, "not found in image"},
		"an image that is not there":    {[]string{"app", "add", "--quiet", uuid, "oci:/no/such:x", "--name=x"}, "no such file"},
		"two images":                    {[]string{"app", "add", "--quiet", uuid, busybox, busybox}, "one image at a time"},
		"what is the pod's":             {[]string{"app", "add", "--quiet", "--exit-policy=none", uuid, busybox}, "decided when a pod starts"},
		"an app that is not there":      {[]string{"app", "start", uuid, "nosuch"}, `no app "nosuch"`},
		"an image for a sandbox":        {[]string{"app", "sandbox", busybox}, "a sandbox begins without apps"},
		"a volume with what fails late": {[]string{"app", "add", "--quiet", "--volume=left,kind=empty", "--mount=volume=left,target=/l", uuid, busybox, "--name=x", "--security-opt=apparmor=web"}, "AppArmor is not at work"},
		"an ID map of the host's users": {[]string{"app", "add", "--quiet", "--mnt-volume=name=y,kind=host,source=/srv/functional/mnt,idmap=true,target=/y", uuid, busybox, "--name=x"}, "idmap=true is for pods that have user IDs of their own"},
		"an update of nothing":          {[]string{"app", "update", "--quiet", uuid, "nosuch", busybox}, `no app "nosuch"`},
	} {
		t.Run("refused: "+name, func(t *testing.T) {
			state := func() string {
				t.Helper()
				return p.must(t, "app", "list", uuid) + p.must(t, "cat-manifest", uuid) + p.MustRun(t, "cd "+p.dir+"/pods/run/"+uuid+"; ls -A . apps volumes") + p.inside(t, uuid)
			}
			before := state()
			r := p.raket(t, tt.args...)
			if r.Code != 254 || !strings.Contains(r.Stderr, tt.want) || strings.Count(r.Stderr, "raket:") != 1 {
				t.Errorf("got %+v, want %q", r, tt.want)
			}
			if after := state(); after != before {
				t.Errorf("before:\n%s\nafter:\n%s", before, after)
			}
		})
	}
	t.Run("removal leaves nothing", func(t *testing.T) {
		for name := range strings.FieldsSeq(p.MustRun(t, p.cmd()+" app list --no-legend "+uuid+" | cut -f1")) {
			p.must(t, "app", "rm", uuid, name)
		}
		if got := p.inside(t, uuid); got != "" {
			t.Errorf("mounted: %s", got)
		}
		left := p.MustRun(t, fmt.Sprintf(`cd %s/pods/run/%s; ls -A apps status logs | grep -v :; pid=$(cat pid); c=$(cat /proc/$pid/task/$pid/children); for c in $c; do ls -A /proc/$c/root/raket/apps /proc/$c/root/raket/filters 2>/dev/null | grep -v :; ls /proc/$c/root/raket/units | grep service | grep -v raket.; done
find /sys/fs/cgroup -path "*/rkt-%s/?*" -type d | grep -v -e systemd/ -e unified/ -e payload -e supervisor`, p.dir, uuid, uuid)+"; true")
		if strings.TrimSpace(left) != "" {
			t.Errorf("left:\n%s", left)
		}
	})
}

func TestAnAppIsUpdatedWhileTheOthersRunOn(t *testing.T) {
	p := newPods(t)
	dir, flags := p.meeting(t, "unused")
	other := putImage(t, p.Host, "other", images.Busybox().Env("WHO=other"))
	// The pod ends with its apps, and with the first that fails.
	uuid, _ := p.start(t, append(flags, "--log=file"),
		app{name: "a", script: "trap 'exit 3' TERM; echo one-$WHO >/v/who; while :; do sleep 0.1; done", flags: []string{"--environment=WHO=x", "--memory=100M"}})
	p.add(t, uuid, app{name: "keep", script: "exec sleep 4321"})
	p.must(t, "app", "start", uuid, "keep")
	keep := p.onlyPID(t, "sleep 4321")
	who := func(want string) {
		t.Helper()
		p.WaitFor(t, limit, "grep -qx "+want+" "+dir+"/who")
		if got := p.status(t, uuid); got.app("a") != "running" || got.app("keep") != "running" {
			t.Errorf("a is %s, keep is %s", got.app("a"), got.app("keep"))
		}
		if got := p.MustRun(t, "pgrep -fx 'sleep 4321'"); got != keep {
			t.Errorf("the other app was restarted: %s, was %s", got, keep)
		}
	}
	who("one-x")
	p.must(t, "app", "update", "--quiet", uuid, "a", other, "--", "-c", "echo two-$WHO >/v/who; exec sleep 1000")
	who("two-x") // what was said of the app holds
	p.must(t, "app", "restart", uuid, "a")
	for name, tt := range map[string]struct {
		line      []string
		untouched bool // the one before it has not been stopped
	}{
		"one that fails":             {update(uuid, "a", "echo bad >/v/who; exit 9"), false},
		"one that is not ready":      {update(uuid, "a", "echo bad >/v/who; exit 0", "--type=notify"), false},
		"one that is killed":         {update(uuid, "a", "kill -9 $$"), false},
		"one without a program":      {[]string{"app", "update", "--quiet", uuid, "a", busybox, "--exec=/no/such"}, true},
		"one of a user nobody knows": {[]string{"app", "update", "--quiet", uuid, "a", busybox, "--user=nosuch"}, true},
	} {
		t.Run(name+" is put back", func(t *testing.T) {
			p.MustRun(t, "rm -f "+dir+"/who")
			r := p.raket(t, tt.line...)
			if r.Code != 254 || strings.Count(r.Stderr, "raket:") != 1 {
				t.Errorf("got %+v", r)
			}
			if tt.untouched {
				p.must(t, "app", "restart", uuid, "a")
			}
			who("two-x")
			if got := p.inside(t, uuid); strings.Contains(got, "previous") {
				t.Errorf("mounted: %s", got)
			}
			if got := p.MustRun(t, "ls -A "+p.dir+"/pods/run/"+uuid+"/apps"); got != "a\nkeep" {
				t.Errorf("directories of apps: %q", got)
			}
		})
	}
	p.must(t, "app", "rm", uuid, "a")
	if got := p.must(t, "app", "list", "--no-legend", uuid); got != "keep\trunning" {
		t.Errorf("the apps: %q", got)
	}
	if got := p.inside(t, uuid); strings.Contains(got, "a/") {
		t.Errorf("mounted: %s", got)
	}
	// An image that an app uses stays, one that none does any more goes.
	p.must(t, "image", "gc", "--grace-period=0s")
	if got := p.must(t, "image", "list", "--no-legend"); strings.Contains(got, "other") || !strings.Contains(got, "busybox") {
		t.Errorf("images: %s", got)
	}
}

func TestTwentyAppsAreAddedAtOnce(t *testing.T) {
	p := newPods(t)
	p.must(t, "fetch", "--quiet", busybox)
	uuid, _ := p.sandbox(t, "--net=none", "--log=none")
	r := p.Do(t, testhost.Cmd{Script: fmt.Sprintf(`pids=; for n in $(seq 20); do
  { %[1]s app add --quiet %[2]s %[3]s --name=app$n --exec=/bin/sleep -- 1000 && %[1]s app start %[2]s app$n; } & pids="$pids $!"; done
fail=0; for p in $pids; do wait $p || fail=1; done; exit $fail`, p.cmd(), uuid, busybox), Timeout: limit * 4})
	if r.Code != 0 {
		t.Errorf("got %+v", r)
	}
	if got := p.MustRun(t, p.cmd()+" app list --no-legend "+uuid+" | sort -u | grep -c running"); got != "20" {
		t.Errorf("%s apps run", got)
	}
}

func TestAFlavourThatCannotChangeAppsSaysSo(t *testing.T) {
	p := newPods(t)
	p.MustRun(t, "systemd-run --quiet --collect --unit=f-mutable-fly "+p.cmd()+" "+quote(runLine([]string{"--stage1-name=fly", "--net=host", "--uuid-file-save=/run/f-mutable-fly"}, app{script: "exec sleep 1000"})...))
	t.Cleanup(func() { p.Run(t, "systemctl stop f-mutable-fly; rm -f /run/f-mutable-fly") })
	p.WaitFor(t, limit, p.cmd()+" status --uuid-file=/run/f-mutable-fly | grep -x state=running")
	uuid := strings.TrimSpace(p.ReadFile(t, "/run/f-mutable-fly"))
	for _, args := range [][]string{
		{"app", "add", "--quiet", uuid, busybox, "--name=x"}, {"app", "stop", uuid, "app"}, {"app", "rm", uuid, "app"}, {"app", "update", "--quiet", uuid, "app", busybox},
	} {
		if r := p.raket(t, args...); r.Code != 254 || !strings.Contains(r.Stderr, `stage1 "fly" has no entrypoint "app/`) {
			t.Errorf("%v: %+v", args, r)
		}
	}
	if r := p.raket(t, "app", "sandbox", "--stage1-name=fly"); r.Code != 254 || !strings.Contains(r.Stderr, `stage1 "fly" has no entrypoint "app/add"`) {
		t.Errorf("a sandbox: %+v", r)
	}
}
