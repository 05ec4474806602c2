package functional

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestAppsShareNamespacesButNotTheirFiles(t *testing.T) {
	p := newPods(t)
	_, unit := p.start(t, nil, app{name: "a", script: "exec sleep 1000"}, app{name: "b", script: "exec sleep 1000"})
	a, b := p.pidOf(t, unit, "a"), p.pidOf(t, unit, "b")
	leader := p.MustRun(t, groupsFunc+"; cat $(groups "+unit+" | grep /init.scope/)")
	for ns, want := range map[string]struct{ others, host bool }{
		"pid": {true, false}, "ipc": {true, false}, "uts": {true, false}, "net": {true, false}, "mnt": {false, false},
		"cgroup": {true, false}, "user": {true, true},
	} {
		id := func(pid string) string { return p.MustRun(t, "readlink /proc/"+pid+"/ns/"+ns) }
		if got := id(a) == id(b); got != want.others {
			t.Errorf("the apps share %s: %v, want %v", ns, got, want.others)
		}
		if got := id(a) == id("self"); got != want.host {
			t.Errorf("an app shares %s with the host: %v, want %v", ns, got, want.host)
		}
		if got := id(a) == id(leader); got != want.others {
			t.Errorf("an app shares %s with the pod's init: %v, want %v", ns, got, want.others)
		}
	}
}

func TestAnAppSeesNothingButItsOwn(t *testing.T) {
	p := newPods(t)
	got := p.output(t, strings.Join([]string{
		"ls / | paste -sd' '",
		"ls -d /raket /run/systemd /.raket 2>/dev/null",
		"ls /run | wc -l",
		// Other processes' roots are theirs: neither the init's nor another app's can be entered.
		"ls /proc/1/root/ 2>/dev/null | wc -l",
		"awk '$5 != \"/\" && $5 !~ \"^/(proc|sys|dev)(/|$)\" {print $5}' /proc/self/mountinfo",
	}, "; "))
	want := "bin dev etc home proc root run sys tmp usr var\n0\n0"
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("in the app (-want +got):\n%s", diff)
	}
	t.Run("of the other apps of its pod", func(t *testing.T) {
		// Root sees other processes' roots through /proc, which the apps share: that is what
		// one PID namespace means. Another user does not.
		_, flags := p.meeting(t, "up", "done")
		r := p.run(t, flags,
			app{name: "owner", script: "echo secret >/home/app/mine; echo up >/v/up; read _ </v/done", flags: []string{"--user=app"}},
			app{name: "nosy", script: "read _ </v/up; cat /proc/[0-9]*/root/home/app/mine 2>/dev/null; find / -xdev -name mine; echo done >/v/done", flags: []string{"--user=www-data"}})
		if r.Stdout != "" || r.Code != 0 {
			t.Errorf("another app's file was seen: %+v", r)
		}
	})
}

func TestKernelKnobsAreOutOfReach(t *testing.T) {
	p := newPods(t)
	for name, tt := range map[string]struct{ script, want string }{
		"/proc/sys is read-only":        {"echo 1 >/proc/sys/kernel/printk || echo no", "no"},
		"/proc/sysrq-trigger is":        {"echo h >/proc/sysrq-trigger || echo no", "no"},
		"/sys is read-only":             {"mkdir /sys/fs/cgroup/x || touch /sys/kernel/mm/ksm/run || echo no", "no"},
		"/proc/kcore is masked":         {"cat /proc/kcore | wc -c", "0"},
		"/proc/keys is masked":          {"cat /proc/keys 2>/dev/null | wc -c", "0"},
		"/sys/firmware is empty":        {"ls /sys/firmware 2>/dev/null | wc -l", "0"},
		"mounting is refused":           {"mount -t tmpfs t /tmp || echo no", "no"},
		"remounting is refused":         {"mount -o remount,rw /proc/sys || echo no", "no"},
		"unmounting a mask is refused":  {"umount /proc/kcore || echo no", "no"},
		"a block device is refused":     {"mknod /tmp/d b 7 0 && cat /tmp/d || echo no", "no"},
		"a block device in /dev is too": {"mknod /dev/d b 7 0 && cat /dev/d || echo no", "no"},
		"the usual devices work":        {"echo x >/dev/null; head -c 4 /dev/zero | wc -c; head -c 3 /dev/urandom | wc -c; test -c /dev/tty && test -c /dev/full && ls -l /dev/fd/0 >/dev/null && echo ok", "4\n3\nok"},
		"/dev/shm can be written to":    {"echo x >/dev/shm/x && cat /dev/shm/x", "x"},
		"new terminals can be made":     {"test -c /dev/ptmx && test -d /dev/pts && echo ok", "ok"},
		"the clock can't be set":        {"date -s 2001-01-01 2>&1 | grep -c \"can't set\"", "1"},
		"the host name can't be set":    {"hostname other || echo no", "no"},
		"the kernel log can't be read":  {"dmesg >/dev/null || echo no", "no"},
		"process 1 can't be killed":     {"kill -9 1; echo still", "still"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := p.output(t, "exec 2>/dev/null; "+tt.script); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestNetworks(t *testing.T) {
	p := newPods(t)
	const script = "ls /sys/class/net | sort | paste -sd' '; ifconfig lo | grep -c UP; readlink /proc/self/ns/net"
	hostLinks := p.MustRun(t, "ls /sys/class/net | sort | paste -sd' '")
	hostNS := p.MustRun(t, "readlink /proc/self/ns/net")
	get := func(t *testing.T, flags ...string) []string {
		t.Helper()
		r := p.run(t, flags, app{script: script})
		f := strings.Split(strings.TrimSpace(r.Stdout), "\n")
		if r.Code != 0 || len(f) != 3 {
			t.Fatalf("got %+v", r)
		}
		return f
	}
	if got := get(t, "--net=host"); got[0] != hostLinks || got[2] != hostNS {
		t.Errorf("with --net=host: %q, want %q and %q", got, hostLinks, hostNS)
	}
	if got := get(t, "--net=none"); got[0] != "lo" || got[1] != "1" || got[2] == hostNS {
		t.Errorf("with --net=none: %q, want a loopback of its own that is up", got)
	}
}

func TestNames(t *testing.T) {
	p := newPods(t)
	p.MustRun(t, "echo 'nameserver 192.0.2.53' >/etc/resolv.conf")
	for name, tt := range map[string]struct {
		flags []string
		want  string
	}{
		"a host name that was asked for": {
			[]string{"--hostname=web"}, "web\nweb\n127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n127.0.1.1\tweb",
		},
		"entries of /etc/hosts": {
			[]string{"--hostname=web", "--hosts-entry=192.0.2.1=db"}, "web\nweb\n127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n127.0.1.1\tweb\n192.0.2.1\tdb",
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := p.run(t, tt.flags, app{script: "hostname; cat /etc/hostname /etc/hosts"})
			if diff := cmp.Diff(tt.want+"\n", r.Stdout); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
	t.Run("the default host name is the pod's", func(t *testing.T) {
		r := p.run(t, []string{"--uuid-file-save=/run/names"}, app{script: "hostname"})
		if want := "rkt-" + p.ReadFile(t, "/run/names"); r.Stdout != want {
			t.Errorf("the host name is %q, want %q", r.Stdout, want)
		}
	})
	for name, tt := range map[string]struct{ flags, want string }{
		"name servers that were named":           {"--dns=192.0.2.1 --dns-search=a.example --dns-opt=ndots:2", "search a.example\nnameserver 192.0.2.1\noptions ndots:2\n"},
		"the host's name servers on its network": {"--net=host", "nameserver 192.0.2.53\n"},
	} {
		t.Run(name, func(t *testing.T) {
			r := p.run(t, strings.Fields(tt.flags), app{script: "cat /etc/resolv.conf"})
			if r.Stdout != tt.want {
				t.Errorf("got %q, want %q", r.Stdout, tt.want)
			}
		})
	}
}

func TestOrphansAreReaped(t *testing.T) {
	p := newPods(t)
	got := p.output(t, `i=0; while [ $i -lt 20 ]; do sh -c 'sh -c "exit 0" & exit 0'; i=$((i+1)); done
until ! grep -q '^State:.Z' /proc/[0-9]*/status 2>/dev/null; do usleep 10000; done; echo none`)
	if got != "none" {
		t.Errorf("got %q", got)
	}
}

func TestAppsReachEachOther(t *testing.T) {
	p := newPods(t)
	_, flags := p.meeting(t, "up", "done")
	r := p.run(t, flags,
		app{name: "server", script: "trap 'echo hup >/v/done; exit 0' HUP; echo shared >/dev/shm/x; nc -l -p 7777 -e echo served & echo $$ >/v/up; while :; do wait; sleep 1000 & done"},
		app{name: "client", script: "read pid </v/up; cat /dev/shm/x; until nc 127.0.0.1 7777 </dev/null; do usleep 10000; done; kill -HUP $pid; read x </v/done; echo $x"})
	if want := "shared\nserved\nhup\n"; r.Stdout != want {
		t.Errorf("through shared memory, network and signals came %q, want %q; %s", r.Stdout, want, fmt.Sprint(r.Code, r.Stderr))
	}
}
