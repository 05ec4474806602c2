package functional

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// usersOf are the pod's IDs in its description: the first of the host's, and how many.
func (p *pods) usersOf(t *testing.T, uuid string) (base, count int) {
	t.Helper()
	out := p.MustRun(t, fmt.Sprintf("jq -r '.users|\"\\(.base//0) \\(.count)\"' %s/pods/*/%s/sandbox.json", p.dir, uuid))
	if _, err := fmt.Sscan(out, &base, &count); err != nil {
		t.Fatalf("%v in %q", err, out)
	}
	return base, count
}

// expect compares lines of text, and names those that differ.
func expect(t *testing.T, what, got, want string) {
	t.Helper()
	if got = strings.TrimSpace(got); got != strings.TrimSpace(want) {
		t.Errorf("%s is\n%s\nwant\n%s", what, got, strings.TrimSpace(want))
	}
}

// hostVolume makes a directory on the file system of the pods, with a file that only the
// host's root may read.
func (p *pods) hostVolume(t *testing.T) string {
	t.Helper()
	dir := p.dir + "/host"
	p.MustRun(t, fmt.Sprintf("mkdir -p %[1]s; chmod 777 %[1]s; echo secret >%[1]s/secret; chmod 600 %[1]s/secret", dir))
	return dir
}

func TestRootOfAPodIsNobodyOnTheHost(t *testing.T) {
	p := newPods(t)
	dir := p.hostVolume(t)
	script := `
cat /h/secret; echo changed >/h/secret; touch /h/plain; cat /m/secret; touch /m/mapped; touch /e/new
mount -t tmpfs x /mnt; mknod /node c 1 3; echo 1 >/proc/sys/vm/swappiness; chown 1000:2000 /etc/passwd
stat -c '%n %u:%g' / /etc/passwd /h/secret /h/plain /h/mapped /m/secret /m/plain /m/mapped /e /e/new
ls /sys/fs/cgroup; head -c 4 /dev/zero | wc -c; [ -r /proc/kcore ] && wc -c </proc/kcore; echo end; exec sleep 100000`
	uuid, unit := p.start(t, []string{
		"--private-users", "--volume=e,kind=empty,uid=33,mode=0750", "--volume=h,kind=host,source=" + dir, "--volume=m,kind=host,source=" + dir + ",idmap=true",
	},
		app{script: "exec 2>&1; mkdir -p /mnt" + script, flags: []string{"--mount=volume=e,target=/e", "--mount=volume=h,target=/h", "--mount=volume=m,target=/m", "--memory=64M"}},
		app{name: "other", script: "echo hello; exec sleep 100001", flags: []string{"--user=app", "--property=PrivateTmp=yes"}})
	base, count := p.usersOf(t, uuid)
	if count != 65536 || base%65536 != 0 || base < 524288 {
		t.Errorf("the pod has %d IDs from %d", count, base)
	}
	p.WaitFor(t, limit, p.cmd()+" logs "+uuid+" app | grep -x end")
	expect(t, "what the app says", p.must(t, "logs", uuid, "app"), `
cat: can't open '/h/secret': Permission denied
/bin/sh: can't create /h/secret: Permission denied
secret
mount: permission denied (are you root?)
mknod: /node: Operation not permitted
/bin/sh: can't create /proc/sys/vm/swappiness: Read-only file system
/ 0:0
/etc/passwd 1000:2000
/h/secret 65534:65534
/h/plain 0:0
/h/mapped 65534:65534
/m/secret 0:0
/m/plain 65534:65534
/m/mapped 0:0
/e 33:0
/e/new 0:0
4
end`)
	expect(t, "the volume on the host", p.MustRun(t, fmt.Sprintf("cd %s; stat -c '%%n %%u:%%g' secret plain mapped; cat secret", dir)),
		fmt.Sprintf("secret 0:0\nplain %d:%d\nmapped 0:0\nsecret", base, base))
	expect(t, "the pod's own files on the disk", p.MustRun(t, fmt.Sprintf("cd %s/pods/run/%s; stat -c '%%n %%u:%%g' apps/app/upper/etc/passwd volumes/e volumes/e/new", p.dir, uuid)),
		"apps/app/upper/etc/passwd 1000:2000\nvolumes/e 33:0\nvolumes/e/new 0:0")
	// From outside: who the processes are. The first is nspawn.
	p.onlyPID(t, "sleep 100000")
	p.onlyPID(t, "sleep 100001")
	expect(t, "the processes' users", p.MustRun(t, fmt.Sprintf("ps -eo unit,uid,args | awk '$1==%q {print $2, $3}' | grep -v nspawn", unit)),
		fmt.Sprintf("%d /usr/lib/systemd/systemd\n%d sleep\n%d sleep", base, base, base+1000))
	p.MustRun(t, "journalctl --sync")
	if got := p.Journal(t, "-u", unit, "-t", "other", "-o", "cat"); got != "hello\n" {
		t.Errorf("the unit's journal has %q", got)
	}
	if s := p.status(t, uuid); !s.Ready || s.app("app") != "running" {
		t.Errorf("its state is %+v", s)
	}
	t.Run("commands", func(t *testing.T) {
		const who = `echo "$(id -u) $(cut -d: -f3 /proc/self/cgroup | grep -o '[a-z]*.service' | sort -u)"; cat /proc/self/uid_map | tr -s ' '; readlink /proc/self/ns/user`
		ns := p.MustRun(t, "readlink /proc/$(pgrep -fx 'sleep 100000')/ns/user")
		for _, app := range []string{"app", "other"} {
			want := map[string]string{"app": "0", "other": "1000"}[app] + " " + app + ".service\n 0 " + strconv.Itoa(base) + " 65536\n" + ns
			expect(t, "a command in "+app, p.must(t, "exec", "--app="+app, uuid, "sh", "-c", who), want)
		}
		expect(t, "a privileged one", p.must(t, "exec", "--privileged", "--app=other", uuid, "sh", "-c", who), "0 other.service\n 0 "+strconv.Itoa(base)+" 65536\n"+ns)
		if r := p.raket(t, "enter", "--app=app", uuid, "sh", "-c", "mount -t tmpfs x /mnt && touch /mnt/x && cat /h/secret; exit 7"); r.Code != 7 || !strings.Contains(r.Stderr, "denied") {
			t.Errorf("a shell of its root's: %+v", r)
		}
	})
	t.Run("files", func(t *testing.T) {
		p.MustRun(t, "mkdir -p /run/un; echo x >/run/un/in; chown 33:44 /run/un/in; setfacl -m u:1000:r /run/un/in")
		p.must(t, "cp", "--app=app", "/run/un/in", uuid+":/tmp/in")
		expect(t, "a file that came in", p.must(t, "exec", "--app=app", uuid, "stat", "-c", "%u:%g", "/tmp/in"), "33:44")
		p.must(t, "cp", "--app=app", uuid+":/tmp/in", "/run/un/out")
		expect(t, "and went out", p.MustRun(t, "getfacl -nc /run/un/out; stat -c %u:%g /run/un/out; rm -r /run/un"), "user::rw-\nuser:1000:r--\ngroup::r--\nmask::r--\nother::r--\n\n33:44")
		if r := p.raket(t, "cp", "--app=app", uuid+":/h/secret", "/run/un-secret"); r.Code == 0 || p.exists(t, "/run/un-secret") {
			t.Errorf("the host's file came by way of the app: %+v", r)
		}
	})
	lock := fmt.Sprintf("/run/systemd/nspawn-uid/%d", base)
	p.MustRun(t, "systemctl stop "+unit)
	if s := p.status(t, uuid); s.State != "exited" || s.app("app") != "exited 143" || s.app("other") != "exited 143" {
		t.Errorf("it ended as %+v", s)
	}
	if !p.exists(t, lock) {
		t.Error("there is no lock as systemd-nspawn has it")
	}
	p.collect(t)
	if p.exists(t, lock) {
		t.Error("the lock's file stays when the pod is collected")
	}
}

func TestUserNamespacesInEveryWayToRun(t *testing.T) {
	p := newPods(t)
	const who = `echo "$(id -u) $(stat -c %u:%g /etc/passwd) $(tr -s ' ' </proc/self/uid_map)"; touch /x; stat -c %u /x`
	t.Run("copied files, a range that was said, a console", func(t *testing.T) {
		r := p.run(t, []string{"--private-users=1000000000:70000", "--no-overlay"}, app{script: who + "; echo oh >&2; exit 7"})
		if want := "0 0:0  0 1000000000 70000\n0\n"; r.Code != 7 || r.Stdout != want || !strings.Contains(r.Stderr, "oh\nraket: app app exited with status 7\n") {
			t.Errorf("got %+v, want %q", r, want)
		}
	})
	t.Run("the host's network", func(t *testing.T) {
		r := p.run(t, []string{"--private-users", "--net=host"}, app{script: `[ -d /sys/class/net/lo ] && id -u; nc -l -p 81`})
		if r.Stdout != "0\n" || !strings.Contains(r.Stderr, "ermission denied") {
			t.Errorf("got %+v", r)
		}
	})
	t.Run("a network that was made before", func(t *testing.T) {
		p.configure(t, map[string]string{"/etc/raket/net.d/un.conf": `{"name":"un","type":"bridge","bridge":"un0","ipam":{"type":"host-local","subnet":"10.77.0.0/24"}}`})
		r := p.run(t, []string{"--private-users", "--net=un"}, app{script: `id -u; ls /sys/class/net; ip -o -4 addr show eth0 | grep -o '10\.77\.[0-9.]*' | head -1; nc -l -p 81 & sleep 0; kill %1 && echo bound`})
		if !strings.HasPrefix(r.Stdout, "0\n") || !strings.Contains(r.Stdout, "10.77.0.") || !strings.HasSuffix(r.Stdout, "bound\n") {
			t.Errorf("got %+v", r)
		}
	})
	t.Run("prepared before", func(t *testing.T) {
		uuid := strings.TrimSpace(p.must(t, append([]string{"prepare", "--quiet"}, podLine([]string{"--private-users"}, app{script: who})...)...))
		if base, _ := p.usersOf(t, uuid); base != 0 {
			t.Errorf("a prepared pod has IDs from %d on", base)
		}
		out := p.must(t, "run-prepared", uuid)
		base, _ := p.usersOf(t, uuid)
		expect(t, "the pod", out, fmt.Sprintf("0 0:0  0 %d 65536\n0", base))
	})
	t.Run("a read-only root and few rights", func(t *testing.T) {
		r := p.run(t, []string{"--private-users", "--volume=e,kind=empty,mode=0777"}, app{
			script: `touch /x; touch /e/x && echo "$(id -u)" && grep CapEff /proc/self/status`,
			flags:  []string{"--readonly-rootfs", "--user=app", "--no-new-privileges", "--mount=volume=e,target=/e"},
		})
		if r.Stdout != "1000\nCapEff:\t0000000000000000\n" || !strings.Contains(r.Stderr, "Read-only") {
			t.Errorf("got %+v", r)
		}
	})
	t.Run("the metadata service", func(t *testing.T) {
		got := p.run(t, []string{"--private-users", "--mds-register"}, app{script: `wget -qO- $AC_METADATA_URL/acMetadata/v1/pod/uuid`}).Stdout
		if len(strings.TrimSpace(got)) != 36 {
			t.Errorf("the pod's UUID is %q", got)
		}
	})
	t.Run("sockets of the host", func(t *testing.T) {
		img := p.socketsImage(t)
		unit := p.unit(t, []string{"--private-users"}, app{image: img, args: []string{"/usr/bin/sockets"}, flags: []string{"--socket=un"}})
		p.socket(t, "un.socket", unit, "ListenStream=127.0.0.1:8181", "FileDescriptorName=un")
		if got := p.call(t, "tcp:127.0.0.1:8181"); got != "un" {
			t.Errorf("socket %q answered", got)
		}
		p.MustRun(t, "systemctl stop un.socket "+unit)
	})
}

func TestRangesOfPodsThatStartTogetherDiffer(t *testing.T) {
	p := newPods(t)
	const n = 5
	_, flags := p.meeting(t)
	// Each stays until all are there.
	p.MustRun(t, fmt.Sprintf(`for i in $(seq %d); do %s >/dev/null 2>&1 & done; wait`, n,
		p.cmd()+" "+quote(runLine(append(flags, "--private-users", "--log=file"), app{script: fmt.Sprintf("touch /v/$(hostname); until [ $(ls /v | wc -l) = %d ]; do usleep 10000; done", n)})...)))
	var bases []int
	for _, s := range p.list(t) {
		if s.app("app") != "exited 0" {
			t.Errorf("a pod is %+v", s)
		}
		base, _ := p.usersOf(t, s.UUID)
		bases = append(bases, base)
	}
	slices.Sort(bases)
	if len(slices.Compact(bases)) != n {
		t.Errorf("%d pods have the ranges %d", n, bases)
	}
	t.Run("a killed pod's is free", func(t *testing.T) {
		uuid, unit := p.start(t, []string{"--private-users=1000000000"}, app{script: "exec sleep 100002"})
		if r := p.run(t, []string{"--private-users=1000000000"}, app{script: "true"}); r.Code != 0 {
			t.Errorf("a range that was said is not shared: %+v", r)
		}
		p.MustRun(t, "systemctl kill --kill-whom=main -s KILL "+unit)
		p.WaitFor(t, limit, p.cmd()+" status "+uuid+" | grep -x state=exited")
		p.WaitFor(t, limit, "! pgrep -fx 'sleep 100002'")
	})
}

func TestUsersThatAPodCannotHave(t *testing.T) {
	p := newPods(t)
	for name, tt := range map[string]struct {
		flags []string
		app   app
		says  string
	}{
		"a word that is none":          {[]string{"--private-users=some"}, app{script: "true"}, "--private-users"},
		"the host's own users":         {[]string{"--private-users=0"}, app{script: "true"}, "the host's own users"},
		"an app's user beyond":         {[]string{"--private-users=1000000000:1000"}, app{script: "true", flags: []string{"--user=app"}}, "--private-users=BASE:COUNT"},
		"a mapped volume without":      {[]string{"--volume=m,kind=host,source=/srv,idmap=true"}, app{script: "true", flags: []string{"--mount=volume=m,target=/m"}}, "--private-users"},
		"a file system without maps":   {[]string{"--private-users", "--volume=m,kind=host,source=/srv,idmap=true"}, app{script: "true", flags: []string{"--mount=volume=m,target=/m"}}, "takes no ID maps"},
		"a volume mapped with nothing": {[]string{"--private-users", "--volume=m,kind=host,source=/srv,idmap=maybe"}, app{script: "true"}, "true or false"},
		"fly":                          {[]string{"--private-users", "--stage1-name=fly"}, app{script: "true"}, "user namespace"},
	} {
		t.Run(name, func(t *testing.T) {
			r := p.run(t, tt.flags, tt.app)
			if r.Code != 254 || !strings.Contains(r.Stderr, tt.says) || strings.Count(r.Stderr, "raket:") != 1 {
				t.Errorf("got %+v, want %q", r, tt.says)
			}
		})
	}
}
