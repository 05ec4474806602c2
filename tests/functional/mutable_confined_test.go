package functional

import (
	"fmt"
	"strings"
	"testing"
)

// quick is an update that is taken as good at once.
func quick(uuid, name, script string, flags ...string) []string {
	return update(uuid, name, script, append(flags, "--settle=0s")...)
}

// groupsOfApps are the control groups of a pod's apps that the host's kernel keeps, each as
// CONTROLLER/GROUP.
func (p *pods) groupsOfApps(t *testing.T, uuid string) []string {
	t.Helper()
	return strings.Fields(p.MustRun(t, "find /sys/fs/cgroup -type d -path '*/rkt-"+uuid+"/?*' -not -path '/sys/fs/cgroup/systemd/*' -not -path '/sys/fs/cgroup/unified/*' -printf '%P\n' | sed 's,/.*/,/,' | sort -u"))
}

// What an app is given and kept to, it has whether it starts with the pod or later, and an update
// keeps it.
func TestAddedAppsAreGivenDevicesAndConfined(t *testing.T) {
	p := newPods(t)
	p.MustRun(t, gadget+"; "+vendored("added"))
	t.Cleanup(func() { p.Run(t, "rm -rf /dev/gadget /etc/cdi") })
	dir, flags := p.meeting(t)
	p.MustRun(t, "chmod 777 "+dir)
	// looks writes what it finds, at once as far as others see.
	looks := func(script string) string {
		return "(" + script + ") >/v/.seen 2>&1; mv /v/.seen /v/seen; exec sleep 5601"
	}
	saw := func(want string) {
		t.Helper()
		p.WaitFor(t, limit, "test -e "+dir+"/seen")
		if got := p.ReadFile(t, dir+"/seen"); got != want {
			t.Errorf("the app saw\n%s\nwant\n%s", got, want)
		}
		p.MustRun(t, "rm "+dir+"/seen")
	}
	legacy := p.Run(t, "test -d /sys/fs/cgroup/devices").Code == 0
	mounted := []string{"--mount=volume=meet,target=/v"}
	const nodes = `for n in one sub/g; do stat -c '%n %t:%T %u:%g %a' /dev/$n 2>/dev/null; done; `
	uuid, _ := p.start(t, append(flags, "--log=none", "--sysctl=kernel.shmmax=1234567"),
		app{name: "first", script: looks(nodes + "cat /proc/sys/kernel/msgmax; ls /root | wc -l"), flags: []string{"--device=/dev/gadget:/dev/sub/g", "--sysctl=kernel.msgmax=4444", "--security-opt=mask=/home"}})
	saw("/dev/sub/g a:ed 1000:33 640\n4444\n0\n")
	keep := p.onlyPID(t, "sleep 5601")

	p.add(t, uuid, app{name: "x", script: looks(nodes + "cat /proc/sys/kernel/shmmax; wc -c </proc/uptime; ls /home; touch /etc/x; ls /opt/vendor; echo $GADGET; id -G"),
		flags: append(mounted, "--device=vendor.com/added=one", "--sysctl=kernel/shmmax=1234567", "--security-opt=mask=/proc/uptime:/home", "--security-opt=readonly=/etc")})
	p.must(t, "app", "start", uuid, "x")
	saw("/dev/one a:ed 0:33 600\n1234567\n0\ntouch: /etc/x: Read-only file system\nadded.yaml\nyes\n0 4242\n")
	p.must(t, quick(uuid, "x", looks(nodes+"wc -c </proc/uptime | grep -vx 0 >/dev/null && echo uptime; ls /home; touch /etc/x"), "--memory=50M", "--security-opt=mask=/root")...)
	saw("/dev/one a:ed 0:33 600\nuptime\napp\ntouch: /etc/x: Read-only file system\n")

	t.Run("a group of the host's keeps an app to its devices", func(t *testing.T) {
		if !legacy {
			t.Skip("the host has no control groups of the legacy hierarchies (cgroup v1)")
		}
		const try = `try() { (eval "$1") 2>&1 | grep -q ermi && echo no || echo may; }; `
		script := try + "mount -t tmpfs t /tmp && mknod /tmp/other c 10 229 && try 'cat /tmp/other'; try 'cat /dev/sub/g'; try 'echo >/dev/sub/g'"
		able := []string{"--caps-retain=CAP_SYS_ADMIN,CAP_MKNOD,CAP_DAC_OVERRIDE", "--device=/dev/gadget:/dev/sub/g:r"}
		p.must(t, quick(uuid, "x", looks(script), able...)...)
		saw("no\nmay\nno\n")
		if got := p.must(t, "exec", "--app=x", uuid, "/bin/sh", "-c", try+"try 'cat /dev/sub/g'; try 'echo >/dev/sub/g'"); got != "may\nno" {
			t.Errorf("a command in it: %q", got)
		}
		// What failed has left the one before it as it was, its groups too.
		before := p.groupsOfApps(t, uuid)
		if r := p.raket(t, update(uuid, "x", "exit 9", "--device=/dev/gadget:/dev/sub/g:rw", "--memory=60M")...); r.Code != 254 || !strings.Contains(r.Stderr, "the one before it is back") {
			t.Errorf("an update that fails: %+v", r)
		}
		saw("no\nmay\nno\n")
		if after := p.groupsOfApps(t, uuid); fmt.Sprint(after) != fmt.Sprint(before) || len(after) != 3 {
			t.Errorf("groups before: %q, after: %q", before, after)
		}
		p.must(t, quick(uuid, "x", looks(try+"try 'cat /dev/sub/g'; try 'echo >/dev/sub/g'"), "--device=/dev/gadget:/dev/sub/g:rw", "--caps-remove=", "--memory=60M")...)
		saw("may\nmay\n")
		if got := p.MustRun(t, "find /sys/fs/cgroup/memory -path '*/rkt-"+uuid+"/x*' -name memory.limit_in_bytes -exec cat {} +"); got != "59998208" {
			t.Errorf("the limit of the app is now %q", got)
		}
	})
	// Of an app that was there at the start too.
	p.must(t, quick(uuid, "x", looks(nodes), "--device=none")...)
	saw("")
	p.must(t, "app", "rm", uuid, "x")
	p.must(t, quick(uuid, "first", looks(nodes+"cat /proc/sys/kernel/msgmax; ls /home"))...)
	saw("/dev/sub/g a:ed 1000:33 640\n4444\n")
	if now := p.onlyPID(t, "sleep 5601"); now == keep {
		t.Error("the app was not replaced")
	}
	for name, tt := range map[string]struct{ flags, want string }{
		"a device that is not there":           {"--device=/dev/nope", "--device: stat /dev/nope: no such file or directory"},
		"a place outside of /dev":              {"--device=/dev/gadget:/srv/x", `--device: "/srv/x" is not a path below /dev`},
		"a device twice":                       {"--device=/dev/gadget --device=/dev/gadget", "device /dev/gadget is given twice"},
		"a name that nobody has":               {"--device=vendor.com/added=nine", "--device: no device vendor.com/added=nine in /etc/cdi, /var/run/cdi"},
		"a device with a hook":                 {"--device=vendor.com/added=hooked", "containerEdits.hooks: /bin/vendor (createContainer) would run on the host"},
		"a device in a root of systemd's":      {"--device=/dev/gadget --property=PrivateTmp=yes", "its root is made by systemd, for the property PrivateTmp"},
		"a profile that nobody applies":        {"--security-opt=apparmor=web", "AppArmor profile web: AppArmor is not at work on this host"},
		"a context that nobody applies":        {"--security-opt=label=type:web_t", "SELinux context system_u:system_r:web_t:s0: SELinux is not at work on this host"},
		"a parameter that the pod has not":     {"--sysctl=fs.mqueue.msg_max=7", `sysctl fs.mqueue.msg_max is to be "7", and the pod was started without it: a pod's apps share it, so start the pod with --sysctl=fs.mqueue.msg_max=7`},
		"a parameter of which it has another":  {"--sysctl=kernel.shmmax=1", `sysctl kernel.shmmax is to be "1", and the pod was started with "1234567": a pod's apps share it`},
		"a parameter of the host's":            {"--sysctl=vm.swappiness=1", "sysctl vm.swappiness: it is the host's"},
		"what is the pod's, if before the app": {"", "--memory must follow an image"},
	} {
		t.Run("refused: "+name, func(t *testing.T) {
			args := append([]string{"app", "add", "--quiet", uuid, busybox, "--name=x"}, strings.Fields(tt.flags)...)
			if tt.flags == "" {
				args = []string{"app", "add", "--quiet", "--memory=1M", uuid, busybox, "--name=x"}
			}
			if r := p.raket(t, args...); r.Code != 254 || !strings.Contains(r.Stderr, tt.want) || strings.Count(r.Stderr, "raket:") != 1 {
				t.Errorf("got %+v, want %q", r, tt.want)
			}
			// Of each who refuses, one: the manifest's maker, and the stage1.
			if strings.Contains(tt.flags, "shmmax") || strings.Contains(tt.flags, "PrivateTmp") {
				args[1], args[4], args[5] = "update", "first", busybox
				if r := p.raket(t, args...); r.Code != 254 || !strings.Contains(r.Stderr, tt.want) || strings.Count(r.Stderr, "raket:") != 1 {
					t.Errorf("as an update: %+v, want %q", r, tt.want)
				}
			}
		})
	}
	left := strings.Join(p.groupsOfApps(t, uuid), " ")
	want := ""
	if legacy {
		want = "devices/" + left[strings.LastIndex(left, "/")+1:]
	}
	if apps := p.must(t, "app", "list", "--no-legend", uuid); apps != "first\trunning" || left != want || legacy && !strings.HasPrefix(left, "devices/first.") {
		t.Errorf("apps: %q, groups: %q", apps, left)
	}
	if got := p.inside(t, uuid) + p.MustRun(t, "ls -A "+p.dir+"/pods/run/"+uuid+"/apps"); strings.Contains(got, "x") || !strings.HasSuffix(got, "first") {
		t.Errorf("left: %s", got)
	}
}
