package functional

import (
	"strings"
	"testing"
)

// gadget is a device of the host's with an owner and a mode of its own: 10:237, loop-control. No
// test uses it; who may not open it is told EPERM, and who may reads nothing from it.
const gadget = "rm -f /dev/gadget; mknod -m 640 /dev/gadget c 10 237 && chown 1000:33 /dev/gadget"

// vendored writes a specification of the Container Device Interface for the device that gadget
// makes, of the class vendor.com/NAME.
func vendored(name string) string {
	return `mkdir -p /etc/cdi; printf '%s' 'cdiVersion: 0.6.0
kind: vendor.com/` + name + `
containerEdits: {env: [GADGET=yes]}
devices:
- name: one
  containerEdits:
    deviceNodes: [{path: /dev/one, hostPath: /dev/gadget, uid: 0, fileMode: 0o600}]
    mounts: [{hostPath: /etc/cdi, containerPath: /opt/vendor, options: [ro, nosuid]}]
    additionalGids: [4242]
- name: hooked
  containerEdits: {hooks: [{hookName: createContainer, path: /bin/vendor}]}
' >/etc/cdi/` + name + `.yaml`
}

func TestDevices(t *testing.T) {
	p := newPods(t)
	p.MustRun(t, gadget+"; mkdir -p /run/cdi; "+vendored("gadget"))
	t.Cleanup(func() { p.Run(t, "rm -rf /dev/gadget /etc/cdi") })
	const show = "stat -c '%F %t:%T %u:%g %a %n'"
	// What opens says "may", what is forbidden says so by EPERM or EACCES.
	const try = `try() { (eval "$1") 2>&1 | grep -q "ermi" && echo no || echo may; }; `
	legacy := p.Run(t, "test -d /sys/fs/cgroup/devices").Code == 0
	for name, tt := range map[string]struct {
		flags, script, want string
		legacy              bool // needs control groups of the legacy hierarchies
	}{
		"a device, as the host has it":    {"--device=/dev/gadget", show + " /dev/gadget", "character special file a:ed 1000:33 640 /dev/gadget\n", false},
		"at another place":                {"--device=/dev/gadget:/dev/sub/x", show + " /dev/sub/x; ls /dev/gadget 2>/dev/null", "character special file a:ed 1000:33 640 /dev/sub/x\n", false},
		"its owner may open it":           {"--device=/dev/gadget --user=app", try + "try 'cat /dev/gadget'", "may\n", false},
		"another user may not":            {"--device=/dev/gadget --user=nobody", try + "try 'cat /dev/gadget'", "no\n", false},
		"an app without it has no node":   {"", "ls /dev | grep -v ^log | paste -sd' '", "fd full mqueue null ptmx pts raket random shm stderr stdin stdout tty urandom zero\n", false},
		"and cannot make one that works":  {"", try + "mknod /tmp/g c 10 237; try 'cat /tmp/g'; mknod /dev/g c 10 237 2>/dev/null || echo not in /dev", "no\nnot in /dev\n", false},
		"the usual devices still work":    {"--device=/dev/gadget", "echo x >/dev/null && head -c2 /dev/zero | wc -c && head -c2 /dev/urandom | wc -c && test -c /dev/ptmx && echo ok", "2\n2\nok\n", false},
		"reading is allowed, writing not": {"--device=/dev/gadget:r", try + "try 'cat /dev/gadget'; try 'echo >/dev/gadget'", "may\nno\n", true},
		"no other, even for one who mounts": {"--device=/dev/gadget:rw --caps-retain=CAP_SYS_ADMIN,CAP_MKNOD,CAP_DAC_OVERRIDE",
			try + "mount -t tmpfs t /tmp && mknod /tmp/other c 10 229 && mknod /tmp/same c 10 237 && try 'cat /tmp/other'; try 'cat /tmp/same'", "no\nmay\n", true},
		"one of the Container Device Interface": {"--device=vendor.com/gadget=one", show + " /dev/one; ls /opt/vendor; touch /opt/vendor/x 2>/dev/null || echo read-only; echo $GADGET; id -G",
			"character special file a:ed 0:33 600 /dev/one\ngadget.yaml\nread-only\nyes\n0 4242\n", false},
	} {
		t.Run(name, func(t *testing.T) {
			if tt.legacy && !legacy {
				t.Skip("the host has no control groups of the legacy hierarchies (cgroup v1)")
			}
			r := p.run(t, []string{"--net=none"}, app{script: tt.script, flags: strings.Fields(tt.flags)})
			if r.Stdout != tt.want || r.Code != 0 && r.Code != 1 {
				t.Errorf("got %+v, want %q", r, tt.want)
			}
		})
	}
	for name, tt := range map[string]struct{ flags, want string }{
		"a device that is not there":        {"--device=/dev/nope", "--device: stat /dev/nope: no such file or directory"},
		"a file that is none":               {"--device=/etc/passwd:/dev/x", "--device: /etc/passwd is not a device"},
		"a place outside of /dev":           {"--device=/dev/gadget:/srv/x", `--device: "/srv/x" is not a path below /dev`},
		"a place that every app has":        {"--device=/dev/gadget:/dev/pts/0", `--device: "/dev/pts/0" is what every app has`},
		"access of no kind":                 {"--device=/dev/gadget:x", `--device: access "x" is not made of r, w and m`},
		"a name that nobody has":            {"--device=vendor.com/gadget=nine", "--device: no device vendor.com/gadget=nine in /etc/cdi, /var/run/cdi"},
		"one with a hook":                   {"--device=vendor.com/gadget=hooked", "containerEdits.hooks: /bin/vendor (createContainer) would run on the host"},
		"one that systemd's root would not": {"--device=/dev/gadget --property=PrivateTmp=yes", "its root is made by systemd, for the property PrivateTmp"},
	} {
		t.Run(name, func(t *testing.T) {
			r := p.run(t, []string{"--net=none"}, app{script: "echo started", flags: strings.Fields(tt.flags)})
			if r.Code != 254 || r.Stdout != "" || !strings.Contains(r.Stderr, tt.want) {
				t.Errorf("got %+v, want %q", r, tt.want)
			}
		})
	}
}
