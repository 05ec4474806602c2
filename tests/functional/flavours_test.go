package functional

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// flavours are the stage1 images, with the pod flags that each needs.
func flavours() map[string][]string {
	return map[string][]string{
		"nspawn": {"--stage1-name=nspawn", "--net=none"},
		"fly":    {"--stage1-name=fly", "--net=host"},
	}
}

// TestEveryFlavourKeepsTheContract runs a pod's whole life on each flavour.
func TestEveryFlavourKeepsTheContract(t *testing.T) {
	for name, flags := range flavours() {
		t.Run(name, func(t *testing.T) {
			p := newPods(t)
			for what, tt := range map[string]struct {
				app    app
				stdout string
				code   int
			}{
				"output and success":       {app{script: "echo hello"}, "hello\n", 0},
				"an exit status":           {app{script: "exit 7"}, "", 7},
				"a death by signal":        {app{script: "kill -9 $$"}, "", 137},
				"a missing program":        {app{args: []string{"/no/such"}}, "", 203},
				"a program that is none":   {app{args: []string{"/etc/passwd"}}, "", 203},
				"user, group, directory":   {app{script: "id -u; id -g; pwd", flags: []string{"--user=app", "--group=logs", "--working-dir=/home/app"}}, "1000\n2000\n/home/app\n", 0},
				"environment":              {app{script: "echo $A", flags: []string{"--environment=A=b c"}}, "b c\n", 0},
				"limits":                   {app{script: "ulimit -n", flags: []string{"--rlimit=nofile=99"}}, "99\n", 0},
				"capabilities":             {app{script: "grep CapEff /proc/self/status", flags: []string{"--caps-retain=CAP_CHOWN"}}, "CapEff:\t0000000000000001\n", 0},
				"no new privileges":        {app{script: "grep NoNewPrivs /proc/self/status", flags: []string{"--no-new-privileges"}}, "NoNewPrivs:\t1\n", 0},
				"a root that is read-only": {app{script: "touch /x 2>/dev/null || echo no", flags: []string{"--readonly-rootfs"}}, "no\n", 0},
				"a root that is its own":   {app{script: "ls /srv/functional 2>/dev/null; touch /x && ls /x"}, "/x\n", 0},
			} {
				t.Run(what, func(t *testing.T) {
					r := p.run(t, flags, tt.app)
					if r.Stdout != tt.stdout || r.Code != tt.code {
						t.Errorf("got %+v, want status %d and %q", r, tt.code, tt.stdout)
					}
				})
			}
			t.Run("volumes", func(t *testing.T) {
				dir, mount := p.meeting(t)
				r := p.run(t, append(append(mount, flags...), "--volume=e,kind=empty", "--mount=volume=e,target=/e"), app{script: "echo in >/v/f; touch /e/x && echo ok"})
				if r.Stdout != "ok\n" || p.ReadFile(t, dir+"/f") != "in\n" {
					t.Errorf("got %+v", r)
				}
			})
			t.Run("life", func(t *testing.T) { p.life(t, flags) })
		})
	}
}

// life starts a pod, looks at it, enters it, stops it and collects it.
func (p *pods) life(t *testing.T, flags []string) {
	dir, mount := p.meeting(t, "up")
	file := dir + "/uuid"
	// Of a child that the stop ends before it, the shell may say so.
	line := p.cmd() + " " + quote(runLine(append(append(mount, flags...), "--log=file", "--uuid-file-save="+file),
		app{script: "exec 2>/dev/null; trap 'echo bye; : >/v/asked; kill $! 2>/dev/null; exit 0' TERM; trap ': >/v/hup' HUP; echo up; echo >/v/up; sleep 1000 & while kill -0 $!; do wait $!; done"})...)
	p.MustRun(t, "systemd-run -q --unit=f-life -p RemainAfterExit=yes bash -c "+quote(line+"; echo $? >"+dir+"/code"))
	t.Cleanup(func() { p.Run(t, "systemctl stop f-life; systemctl reset-failed f-life") })
	p.MustRun(t, "timeout 60 cat "+dir+"/up")
	uuid := strings.TrimSpace(p.ReadFile(t, file))

	p.must(t, "status", "--wait-ready=1m", uuid)
	if s := p.status(t, uuid); s.State != "running" || s.app("app") != "running" || !s.Ready || s.PID == 0 {
		t.Errorf("while it runs, status says %+v", s)
	}
	r := p.raket(t, "enter", uuid, "/bin/sh", "-c", "cat /etc/hostname >/dev/null; ls /v/uuid; exit 5")
	if r.Code != 5 || r.Stdout != "/v/uuid\n" {
		t.Errorf("enter: %+v", r)
	}
	p.must(t, "app", "kill", "--signal=HUP", uuid)
	p.WaitFor(t, limit, "test -e "+dir+"/hup")
	if got := p.must(t, "logs", uuid); got != "up" {
		t.Errorf("logs: %q", got)
	}
	if r := p.raket(t, "rm", uuid); r.Code != 254 {
		t.Errorf("rm of a running pod: %+v", r)
	}
	if got := p.must(t, "stop", uuid); got != uuid {
		t.Errorf("stop printed %q", got)
	}
	if !p.exists(t, dir+"/asked") {
		t.Error("the app was not asked to end")
	}
	if s := p.status(t, uuid); s.State != "exited" {
		t.Errorf("after the stop, status says %+v", s)
	}
	if got := p.must(t, "logs", uuid); got != "up\nbye" {
		t.Errorf("logs after the stop: %q", got)
	}
	p.WaitFor(t, limit, "[ \"$(cat "+dir+"/code)\" = 0 ]")
	for _, verb := range [][]string{{"enter", uuid, "/bin/true"}, {"stop", uuid}} {
		if r := p.raket(t, verb...); r.Code != 254 || !strings.Contains(r.Stderr, "exited") {
			t.Errorf("%s of an exited pod: %+v", verb[0], r)
		}
	}
	p.collect(t)
	if left := p.leftovers(t); left != "" {
		t.Errorf("gc left:\n%s", left)
	}
}

func TestFlyLeavesTheHostsMountsAlone(t *testing.T) {
	p := newPods(t)
	p.must(t, "fetch", busybox)
	// Optional fields are what propagation shows in; mount IDs are the kernel's own business.
	const mounts = "cat /proc/1/mountinfo"
	for _, propagation := range []string{"shared", "private"} {
		t.Run("where / is "+propagation, func(t *testing.T) {
			was := p.MustRun(t, "findmnt -no PROPAGATION /")
			p.MustRun(t, "nsenter -t 1 -m mount --make-r"+propagation+" /")
			t.Cleanup(func() { p.Run(t, "nsenter -t 1 -m mount --make-r"+was+" /") })
			before := p.MustRun(t, mounts)
			dir, flags := p.meeting(t)
			script := "echo $(grep -c . /proc/mounts) >/v/n; exit 3"
			line := p.cmd() + " " + quote(runLine(append(flags, "--stage1-name=fly", "--net=host"), app{script: script})...)
			r := p.Run(t, "nsenter -t 1 -m bash -c "+quote(line))
			if r.Code != 3 || !p.exists(t, dir+"/n") {
				t.Errorf("got %+v", r)
			}
			if diff := cmp.Diff(before, p.MustRun(t, mounts)); diff != "" {
				t.Errorf("the host's mounts changed (-before +after):\n%s", diff)
			}
		})
	}
}

func TestFlyRefusesWhatItCannotDo(t *testing.T) {
	p := newPods(t)
	one := app{script: "true"}
	for name, tt := range map[string]struct {
		flags []string
		apps  []app
		says  string
	}{
		"two apps":                 {[]string{"--net=host"}, []app{{name: "a", script: "true"}, {name: "b", script: "true"}}, "one app"},
		"a network of its own":     {[]string{"--net=none"}, []app{one}, "--net=host"},
		"a directive of systemd's": {[]string{"--net=host"}, []app{{script: "true", flags: []string{"--property=MemoryMax=1G"}}}, "MemoryMax"},
		"restarts":                 {[]string{"--net=host"}, []app{{script: "true", flags: []string{"--restart=always"}}}, "Restart"},
	} {
		t.Run(name, func(t *testing.T) {
			r := p.run(t, append(tt.flags, "--stage1-name=fly"), tt.apps...)
			if r.Code != 254 || !strings.Contains(r.Stderr, tt.says) || strings.Count(r.Stderr, "raket: ") != 1 {
				t.Errorf("got %+v, want 254 and %q", r, tt.says)
			}
		})
	}
}

func TestFlavoursAreFound(t *testing.T) {
	p := newPods(t)
	stage1 := "/opt/raket/bin/stage1/"
	for name, flag := range map[string]string{
		"by name": "--stage1-name=fly", "by directory": "--stage1-from-dir=" + stage1 + "fly", "by name in the directory": "--stage1-from-dir=fly",
	} {
		t.Run(name, func(t *testing.T) {
			// Only fly has the host's process IDs.
			r := p.run(t, []string{flag, "--net=host"}, app{script: "readlink /proc/self/ns/pid"})
			if want := p.MustRun(t, "readlink /proc/self/ns/pid"); r.Stdout != want+"\n" {
				t.Errorf("got %+v", r)
			}
		})
	}
	t.Run("as an image", func(t *testing.T) {
		signer, pubkey := p.newSigner(t)
		p.trust(t, pubkey)
		p.MustRun(t, fmt.Sprintf("d=$(mktemp -d); cp -a %sfly/. $d; tar -C $d -cf /srv/fly.aci manifest rootfs; rm -rf $d", stage1))
		p.sign(t, signer, "/srv/fly.aci")
		r := p.run(t, []string{"--stage1-path=/srv/fly.aci", "--net=host"}, app{script: "readlink /proc/self/ns/pid"})
		if want := p.MustRun(t, "readlink /proc/self/ns/pid"); r.Stdout != want+"\n" {
			t.Errorf("got %+v", r)
		}
	})
	t.Run("by configuration", func(t *testing.T) {
		p.WriteFile(t, "/etc/raket/stage1.d/fly.json", `{"rktKind":"stage1","rktVersion":"v1","name":"fly","version":"1"}`, 0o644)
		t.Cleanup(func() { p.Run(t, "rm -rf /etc/raket") })
		r := p.run(t, []string{"--net=host"}, app{script: "readlink /proc/self/ns/pid"})
		if want := p.MustRun(t, "readlink /proc/self/ns/pid"); r.Stdout != want+"\n" {
			t.Errorf("got %+v", r)
		}
	})
}
