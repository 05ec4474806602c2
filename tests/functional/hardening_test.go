package functional

import (
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

// An app of another user gets at nothing of an app's, nor of the pod's init's.
func TestAppsOfDifferentUsersAreApart(t *testing.T) {
	p := newPods(t)
	_, pod := p.meeting(t, "up", "done")
	// owner's shell is the process that nosy tries; su and busybox have set-user-ID bits and
	// would give root a way, were there one.
	nosy := `read pid </v/up
try() { echo "$1: $( (eval "$2") >/dev/null 2>&1 && echo yes || echo no)"; }
for who in $pid 1; do
try "environ" "cat /proc/$who/environ"
try "memory" "dd if=/proc/$who/mem bs=1 count=1 skip=4096"
try "maps" "cat /proc/$who/maps | grep -q ."
try "root" "ls /proc/$who/root/"
try "files" "ls /proc/$who/fd/ | grep -q ."
try "directory" "ls /proc/$who/cwd/"
try "signal" "kill -0 $who"
try "kill" "kill -9 $who"
try "trace" "calls attach=101,16,$who | grep -q ok"
try "priority" "renice -n 5 -p $who"
done
try "become root" "su -c true"
try "become root by a copy" "/srv/root-shell -c 'cat /home/app/mine'"
grep CapBnd /proc/self/status | cut -f2
echo done >/v/done`
	image := withCalls(t, p)
	r := p.run(t, pod,
		app{name: "owner", image: image, script: "umask 077; echo secret >/home/app/mine; echo $$ >/v/up; read _ </v/done; echo alive", flags: []string{"--user=app"}},
		app{name: "nosy", image: image, script: nosy, flags: []string{"--user=www-data", "--caps-retain=CAP_CHOWN"}})
	one := "environ: no\nmemory: no\nmaps: no\nroot: no\nfiles: no\ndirectory: no\nsignal: no\nkill: no\ntrace: no\npriority: no\n"
	want := one + one + "become root: no\nbecome root by a copy: no\n0000000000000001\nalive\n"
	if diff := cmp.Diff(want, r.Stdout); diff != "" || r.Code != 0 {
		t.Errorf("got at (-want +got):\n%s%+v", diff, r)
	}
}

// What a file gives is inside what the app may have.
func TestFilesGiveNoMoreThanTheBoundingSet(t *testing.T) {
	p := newPods(t)
	// The host makes programs with all there is, on a volume: root's with a set-user-ID bit, one that
	// is permitted all capabilities, and one that has them in effect, which the kernel refuses to
	// execute for whom it can't give them.
	dir, pod := p.meeting(t)
	p.MustRun(t, "cd "+dir+" && for f in id permitted effective; do cp $(command -v busybox) busybox-$f; done; chmod 4755 busybox-id")
	for name, flag := range map[string]byte{"permitted": 0, "effective": 1} {
		// Version 2 (capabilities(7), "File capability extended attribute versioning").
		all := []byte{flag, 0, 0, 2, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}
		if err := unix.Setxattr(p.Path(dir+"/busybox-"+name), "security.capability", all, 0); err != nil {
			t.Fatal(err)
		}
	}
	use := "for p in id permitted effective; do /v/busybox-$p grep -E '^Cap(Prm|Bnd)' /proc/self/status 2>/dev/null | cut -f2 | paste -sd' ' | grep . || echo refused; done"
	const none, one = "0000000000000000", "0000000000000001"
	for flags, want := range map[string]string{
		"--caps-retain=CAP_CHOWN":                     strings.Repeat(one+" "+one+"\n", 2) + "refused\n",
		"--caps-retain=CAP_CHOWN --no-new-privileges": strings.Repeat(none+" "+one+"\n", 2) + "refused\n",
	} {
		r := p.run(t, pod, app{name: "user", script: use, flags: append(strings.Fields(flags), "--user=app")})
		if r.Stdout != want || r.Code != 0 {
			t.Errorf("%s: %+v, want %q", flags, r, want)
		}
	}
}

func TestKernelParametersAreThePodsOwn(t *testing.T) {
	p := newPods(t)
	const names = "kernel/shmmax kernel/msgmax fs/mqueue/msg_max net/ipv4/ip_default_ttl"
	host := p.MustRun(t, "cd /proc/sys; cat "+names)
	r := p.run(t, []string{"--net=none", "--sysctl=kernel.shmmax=1234567", "--sysctl=net.ipv4.ip_default_ttl=77"},
		app{name: "a", script: "cd /proc/sys; cat " + names, flags: []string{"--sysctl=fs.mqueue.msg_max=7", "--sysctl=kernel/msgmax=4444"}})
	if want := "1234567\n4444\n7\n77\n"; r.Stdout != want || r.Code != 0 {
		t.Errorf("the app has %+v, want %q", r, want)
	}
	if after := p.MustRun(t, "cd /proc/sys; cat "+names); after != host {
		t.Errorf("the host has %q, and had %q", after, host)
	}
	for name, tt := range map[string]struct{ pod, app, want string }{
		"one of the host's":           {"--sysctl=vm.swappiness=1", "--user=0", "sysctl vm.swappiness: it is the host's"},
		"one by a way around":         {"--sysctl=net/../kernel/panic=1", "--user=0", "not the name of one"},
		"the network's on the host's": {"--net=host --sysctl=net.ipv4.ip_forward=1", "--user=0", "sysctl net.ipv4.ip_forward: the pod is on the host's network"},
		"two values for one":          {"--sysctl=kernel.shmmax=1", "--sysctl=kernel.shmmax=2", `sysctl kernel.shmmax is to be both "1" and "2": a pod has one`},
		"one that no kernel has":      {"--sysctl=net.no.such=1", "--user=0", `set kernel parameters: net.no.such to "1": no such file or directory`},
	} {
		t.Run(name, func(t *testing.T) {
			r := p.run(t, strings.Fields(tt.pod), app{script: "echo started", flags: []string{tt.app}})
			if r.Code == 0 || r.Stdout != "" || !strings.Contains(r.Stderr, tt.want) {
				t.Errorf("got %+v, want %q", r, tt.want)
			}
		})
	}
}

func TestPathsAreHiddenAndProtected(t *testing.T) {
	p := newPods(t)
	flags := []string{"--security-opt=mask=/proc/uptime:/home:/no/such", "--security-opt=readonly=/etc:/proc/self/oom_score_adj"}
	script := "wc -c </proc/uptime; ls /home | wc -l; touch /home/x || echo no; touch /etc/x || echo no; cat /etc/passwd | wc -l; touch /root/x && echo may; umount /proc/uptime || echo still"
	r := p.run(t, []string{"--net=none"}, app{script: "exec 2>/dev/null; " + script, flags: flags})
	if want := "0\n0\nno\nno\n4\nmay\nstill\n"; r.Stdout != want || r.Code != 0 {
		t.Errorf("got %+v, want %q", r, want)
	}
	for opt, want := range map[string]string{
		"apparmor=web": "AppArmor profile web: AppArmor is not at work on this host", "label=type:web_t": "SELinux context system_u:system_r:web_t:s0: SELinux is not at work on this host",
	} {
		if r := p.run(t, []string{"--net=none"}, app{script: "echo started", flags: []string{"--security-opt=" + opt}}); r.Code != 254 || r.Stdout != "" || !strings.Contains(r.Stderr, want) {
			t.Errorf("%s: %+v", opt, r)
		}
	}
}

// confined is a unit of systemd's that has by directives what an app has by default, as the
// tests of this package find it. docs/hardening.md says which is which.
const confined = `[Service]
ExecStart=/bin/true
RootDirectory=/srv
MountAPIVFS=yes
PrivateDevices=yes
PrivateNetwork=yes
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectKernelLogs=yes
ProtectControlGroups=yes
ProtectClock=yes
ProtectHostname=yes
RestrictNamespaces=yes
RestrictRealtime=yes
CapabilityBoundingSet=CAP_CHOWN CAP_DAC_OVERRIDE CAP_FOWNER CAP_FSETID CAP_KILL CAP_SETGID CAP_SETUID CAP_SETPCAP CAP_NET_BIND_SERVICE CAP_NET_RAW CAP_SYS_CHROOT CAP_MKNOD CAP_AUDIT_WRITE CAP_SETFCAP
SystemCallFilter=~@clock @cpu-emulation @module @obsolete @raw-io @reboot @swap @mount
`

func TestExposure(t *testing.T) {
	p := newPods(t)
	_, unit := p.start(t, nil, app{name: "a", script: "exec sleep 100000"})
	leader := p.MustRun(t, groupsFunc+"; cat $(groups "+unit+" | grep /init.scope/)")
	level := func(setup string) string {
		out := p.MustRun(t, setup+"; systemd-analyze security --no-pager --offline=true /run/exposure.service")
		m := regexp.MustCompile(`Overall exposure level for exposure.service: ([0-9.]+ [A-Z]+)`).FindStringSubmatch(out)
		if m == nil {
			t.Fatalf("no level in %q", out)
		}
		return m[1]
	}
	t.Cleanup(func() { p.Run(t, "rm -f /run/exposure.service") })
	unitHas, appHas := "8.2 EXPOSED", "4.4 OK"
	if strings.HasPrefix(p.MustRun(t, "systemd-analyze --version"), "systemd 257") {
		unitHas, appHas = "8.0 EXPOSED", "4.2 OK" // with other weights
	}
	// exec does after systemd what systemd does not see.
	if got := level("cp /proc/" + leader + "/root/raket/units/a.service /run/exposure.service"); got != unitHas {
		t.Errorf("the unit as it is has %s: docs/hardening.md says %s", got, unitHas)
	}
	if got := level("printf %s " + quote(confined) + " >/run/exposure.service"); got != appHas {
		t.Errorf("what the app has is %s: docs/hardening.md says %s", got, appHas)
	}
}
