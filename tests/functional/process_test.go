package functional

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/raket/raket/tests/images"
)

func TestUsersAndGroups(t *testing.T) {
	p := newPods(t)
	for name, tt := range map[string]struct{ flags, want string }{
		"root by default":                       {"", "0:0"},
		"by name, with the user's groups":       {"--user=app", "1000:1000 1000 33 2000"},
		"by number, with the user's groups":     {"--user=1000", "1000:1000 1000 33 2000"},
		"by a number that the image lacks":      {"--user=4242", "4242:0"},
		"with a group by name":                  {"--user=www-data --group=logs", "33:2000 2000"},
		"with a group by number":                {"--user=33 --group=77", "33:77 77"},
		"with further groups":                   {"--user=www-data --supplementary-gids=logs,12", "33:33 33 2000 12"},
		"as the owner of a file of the image's": {"--user=/home/app --group=/home/app", "1000:1000 1000"},
	} {
		t.Run(name, func(t *testing.T) {
			got := p.output(t, `echo "$(id -u):$(id -g) $(id -G)"`, strings.Fields(tt.flags)...)
			ids, groups, _ := strings.Cut(tt.want, " ")
			gotIDs, gotGroups, _ := strings.Cut(got, " ")
			have := map[string]bool{}
			for g := range strings.FieldsSeq(gotGroups) {
				have[g] = true
			}
			want := map[string]bool{strings.Split(ids, ":")[1]: true}
			for g := range strings.FieldsSeq(groups) {
				want[g] = true
			}
			if diff := cmp.Diff(want, have); gotIDs != ids || diff != "" {
				t.Errorf("got %q, want %q (-want +got):\n%s", got, tt.want, diff)
			}
		})
	}
	t.Run("an unknown one is refused and leaves nothing", func(t *testing.T) {
		r := p.run(t, nil, app{script: "id", flags: []string{"--user=nosuch"}})
		if r.Code != 254 || !strings.Contains(r.Stderr, `"nosuch"`) {
			t.Errorf("got %+v", r)
		}
	})
}

func TestCapabilities(t *testing.T) {
	p := newPods(t)
	const script = "grep -E '^(CapPrm|CapEff|CapBnd|CapAmb|NoNewPrivs):' /proc/self/status | awk '{print $2}' | paste -sd' '"
	const def = "00000000a80425fb" // the 14 of rkt and docker
	const none = "0000000000000000"
	for name, tt := range map[string]struct {
		flags string
		want  string // permitted, effective, bounding, ambient, no new privileges
	}{
		"the default set, for root":           {"", def + " " + def + " " + def + " " + none + " 0"},
		"what is retained, for root":          {"--caps-retain=CAP_CHOWN", "0000000000000001 0000000000000001 0000000000000001 " + none + " 0"},
		"what is not removed, for root":       {"--caps-remove=CAP_CHOWN", "00000000a80425fa 00000000a80425fa 00000000a80425fa " + none + " 0"},
		"none, for root":                      {"--caps-retain=", none + " " + none + " " + none + " " + none + " 0"},
		"one beyond the default, for root":    {"--caps-retain=CAP_SYS_TIME", "0000000002000000 0000000002000000 0000000002000000 " + none + " 0"},
		"no effective ones, for another user": {"--user=app", none + " " + none + " " + def + " " + none + " 0"},
		"what is retained, for another user":  {"--user=app --caps-retain=CAP_NET_BIND_SERVICE", none + " " + none + " 0000000000000400 " + none + " 0"},
		// With this directive systemd itself enters the root and protects the kernel, which for
		// users other than root implies that no privileges are gained.
		"ambient ones, for another user": {"--user=app --caps-retain=CAP_NET_BIND_SERVICE --property=AmbientCapabilities=CAP_NET_BIND_SERVICE", "0000000000000400 0000000000000400 0000000000000400 0000000000000400 1"},
		"no new privileges":              {"--user=app --no-new-privileges", none + " " + none + " " + def + " " + none + " 1"},
		"no new privileges, for root":    {"--no-new-privileges", def + " " + def + " " + def + " " + none + " 1"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := p.output(t, script, strings.Fields(tt.flags)...); got != tt.want {
				t.Errorf("permitted, effective, bounding, ambient, no new privileges:\n got %s\nwant %s", got, tt.want)
			}
		})
	}
}

func TestSetuidPrograms(t *testing.T) {
	p := newPods(t)
	files := images.BusyboxFiles()
	var setuid []images.Entry
	for _, e := range files {
		if e.Name == "bin/busybox" {
			e.Name, e.Mode = "usr/bin/busybox-suid", 0o4755
			setuid = append(setuid, e)
		}
	}
	img := putImage(t, p.Host, "setuid", images.Busybox().Layer(setuid...))
	run := func(flags ...string) string {
		r := p.run(t, nil, app{image: img, args: []string{"/bin/sh", "-c", "/usr/bin/busybox-suid stat -c %a /usr/bin/busybox-suid; exec /usr/bin/busybox-suid head -n 9 /proc/self/status | grep Uid"}, flags: flags})
		return strings.Join(strings.Fields(r.Stdout), " ")
	}
	// busybox gives root up by itself, except in its saved ID; the kernel gave it.
	got := run("--user=app")
	if !strings.HasPrefix(got, "4755 Uid: 1000") {
		t.Errorf("the setuid bit is not kept: %q", got)
	}
	r := p.run(t, nil, app{image: img, args: []string{"/bin/sh", "-c", "cp /usr/bin/busybox-suid /tmp/x 2>/dev/null; ls -ln /usr/bin/busybox-suid | cut -c1-10"}, flags: []string{"--user=app"}})
	if r.Stdout != "-rwsr-xr-x\n" {
		t.Errorf("got %+v", r)
	}
}

func TestEnvironment(t *testing.T) {
	p := newPods(t)
	img := putImage(t, p.Host, "env", images.Busybox().Env("A=image", "B=image", "C=image", "D=image", "E=image"))
	p.WriteFile(t, "/run/f-env", "# a comment\nB=file\nC=file\nD=file\n", 0o644)
	line := p.cmd() + " " + quote(runLine([]string{"--inherit-env", "--set-env-file=/run/f-env", "--set-env=C=set", "--set-env=D=set"},
		app{image: img, script: `echo $A $B $C $D $E $F; printf '%s|' "$ODD";`,
			flags: []string{"--environment=D=app", "--environment=ODD=a b\"c'd$e%n\\ü\ttab"}})...)
	r := p.Run(t, "A=inherited F=inherited "+line)
	want := "image file set app image inherited\na b\"c'd$e%n\\ü\ttab|"
	if !strings.HasPrefix(r.Stdout, want) {
		t.Errorf("got %q, want %q; %s", r.Stdout, want, r.Stderr)
	}
	t.Run("names that no shell takes", func(t *testing.T) {
		r := p.run(t, nil, app{args: []string{"/bin/env"}, flags: []string{"--environment=odd-name.x=y"}})
		if !strings.Contains("\n"+r.Stdout, "\nodd-name.x=y\n") {
			t.Errorf("got %+v", r)
		}
	})
	t.Run("nothing of the caller's comes by itself", func(t *testing.T) {
		r := p.Run(t, "LEAK=1 "+p.cmd()+" "+quote(runLine(nil, app{script: "env | grep -v ^container=raket$ | cut -d= -f1 | sort | paste -sd' '"})...))
		for name := range strings.FieldsSeq(r.Stdout) {
			if strings.Contains(" LEAK JOURNAL_STREAM RAKET_LOCK_FD RAKET_STAGE1 SYSTEMD_UNIT_PATH container container_uuid NOTIFY_SOCKET LISTEN_PID ", " "+name+" ") {
				t.Errorf("the app has $%s of its surroundings: %s", name, r.Stdout)
			}
		}
	})
}

func TestWhatAnAppExecutes(t *testing.T) {
	p := newPods(t)
	img := putImage(t, p.Host, "exec", images.Busybox().Entrypoint("/bin/echo", "entry").Cmd("cmd").WorkingDir("/home/app"))
	for name, tt := range map[string]struct {
		line string
		want string
	}{
		"entrypoint and command of the image":      {"", "entry cmd"},
		"arguments take the place of the command":  {"-- one two", "entry one two"},
		"another program takes that of both":       {"--exec=/bin/echo", ""},
		"another program with arguments":           {"--exec=/bin/echo -- one 'two  three'", "one two  three"},
		"a program without a path is searched for": {"--exec=echo -- found", "found"},
		"the image's working directory":            {"--exec=/bin/pwd", "/home/app"},
		"another working directory":                {"--exec=/bin/pwd --working-dir=/tmp", "/tmp"},
		"an argument of every kind":                {`--exec=/bin/echo -- '$HOME' '%n' 'a"b' '\x41' '' ';'`, `$HOME %n a"b \x41  ;`},
	} {
		t.Run(name, func(t *testing.T) {
			r := p.Run(t, p.cmd()+" run --net=none --quiet "+img+" --name=app "+tt.line)
			if r.Code != 0 || r.Stdout != tt.want+"\n" {
				t.Errorf("got %+v, want %q", r, tt.want)
			}
		})
	}
}

func TestLimits(t *testing.T) {
	p := newPods(t)
	if got := p.output(t, "ulimit -Sn; ulimit -Hn; ulimit -c", "--rlimit=nofile=100:200", "--rlimit=core=0"); got != "100\n200\n0" {
		t.Errorf("the limits are %q", got)
	}
	if got := p.output(t, "cat /proc/self/oom_score_adj", "--oom-score-adj=321"); got != "321" {
		t.Errorf("oom_score_adj is %q", got)
	}
	r := p.run(t, nil, app{name: "a", script: "ulimit -n", flags: []string{"--rlimit=nofile=111"}}, app{name: "b", script: "ulimit -n", flags: []string{"--rlimit=nofile=222"}})
	if r.Stdout != "111\n222\n" && r.Stdout != "222\n111\n" {
		t.Errorf("two apps have the limits %q", r.Stdout)
	}
}
