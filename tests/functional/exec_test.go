package functional

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"strings"
	"testing"

	"github.com/raket/raket/tests/testhost"
)

// traits are what a process is held to, a line each: what exec has to give a command as the
// app has it. The control groups are those of all hierarchies.
const traits = `grep -E '^(Uid|Gid|Groups|Cap|NoNewPrivs|Seccomp|Umask|Cpus_allowed)' /proc/self/status; cat /proc/self/limits /proc/self/cgroup /proc/self/oom_score_adj; cut -d' ' -f19 /proc/self/stat
for n in cgroup ipc mnt net pid uts user; do readlink /proc/self/ns/$n; done; stat -c %d:%i / ; pwd; env | grep -v _= | sort`

func TestCommandsAreHeldToWhatTheAppIs(t *testing.T) {
	newPods(t).holdCommands(t, map[string]string{
		"root":                            "",
		"another user":                    "--user=app --group=logs --supplementary-gids=www-data",
		"fewer capabilities":              "--caps-retain=CAP_CHOWN,CAP_KILL",
		"no new privileges":               "--user=app --no-new-privileges",
		"limits of resources":             "--rlimit=nofile=100:200 --rlimit=core=0 --oom-score-adj=321 --property=Nice=5",
		"a working directory":             "--working-dir=/home/app --environment=A=b",
		"a root that systemd enters":      "--property=PrivateTmp=yes",
		"ambient capabilities":            "--user=app --property=AmbientCapabilities=CAP_NET_BIND_SERVICE --property=CapabilityBoundingSet=CAP_NET_BIND_SERVICE",
		"no system call filter":           "--insecure-options=seccomp",
		"a pod with more capabilities":    "--caps-retain=CAP_SYS_TIME,CAP_CHOWN",
		"a umask and a processor":         "--property=CPUAffinity=0",
		"memory that is limited":          "--memory=64M",
		"a root that cannot be written":   "--readonly-rootfs --mount=volume=v,target=/v",
		"a volume":                        "--mount=volume=v,target=/v",
		"a command line with odd letters": "--environment=ODD=a$b%n",
	})
}

// holdCommands compares commands with their apps, whose flags these are.
func (p *pods) holdCommands(t *testing.T, cases map[string]string) {
	for name, flags := range cases {
		t.Run(name, func(t *testing.T) {
			var podFlags, appFlags []string
			for f := range strings.FieldsSeq(flags) {
				if strings.HasPrefix(f, "--insecure") {
					podFlags = append(podFlags, f)
				} else {
					appFlags = append(appFlags, f)
				}
			}
			podFlags = append(podFlags, "--log=file", "--volume=v,kind=empty")
			uuid, _ := p.start(t, podFlags, app{script: "{ " + traits + "; echo end; }; exec sleep 100000", flags: appFlags})
			p.WaitFor(t, limit, p.cmd()+" logs "+uuid+" | grep -x end")
			want := strings.TrimSuffix(p.must(t, "logs", uuid), "\nend")
			got := p.must(t, "exec", uuid, "/bin/sh", "-c", traits)
			if name == "a root that systemd enters" || name == "a pod with more capabilities" || name == "ambient capabilities" {
				// What systemd's or nspawn's several filters there deny, one of raket's does.
				want, got = dropFilters(want), dropFilters(got)
			}
			// systemd tells its own children who they are.
			if w, g := dropVariables(want), dropVariables(got); w != g {
				t.Errorf("the app has\n%s\nthe command has\n%s", w, g)
			}
			p.must(t, "stop", "--force", uuid)
		})
	}
}

func dropFilters(text string) string {
	before, after, _ := strings.Cut(text, "Seccomp_filters:")
	_, after, _ = strings.Cut(after, "\n")
	return before + after
}

// dropVariables leaves out what systemd sets, and what a shell does.
func dropVariables(text string) string {
	var kept []string
	for line := range strings.Lines(text) {
		name, _, _ := strings.Cut(line, "=")
		switch name {
		case "INVOCATION_ID", "JOURNAL_STREAM", "SYSTEMD_EXEC_PID", "MEMORY_PRESSURE_WATCH", "MEMORY_PRESSURE_WRITE", "SHLVL", "LANG", "PWD", "LOG_NAMESPACE":
		default:
			kept = append(kept, line)
		}
	}
	return strings.Join(kept, "")
}

func TestExec(t *testing.T) {
	for flavour, flags := range flavours() {
		t.Run(flavour, func(t *testing.T) {
			p := newPods(t)
			uuid := p.background(t, flags, app{script: "exec sleep 100000", flags: []string{"--user=app", "--environment=A=app"}})
			for name, tt := range map[string]struct {
				flags  string
				args   []string
				stdout string
				code   int
			}{
				"a program of a path":                {"", []string{"/bin/echo", "x"}, "x\n", 0},
				"a program that is searched for":     {"", []string{"echo", "x  y", "--", "$A"}, "x  y -- $A\n", 0},
				"an exit status":                     {"", []string{"sh", "-c", "exit 42"}, "", 42},
				"a death by signal":                  {"", []string{"sh", "-c", "kill -9 $$"}, "", 137},
				"a missing program":                  {"", []string{"nosuch"}, "", 203},
				"a missing program of a path":        {"", []string{"/no/such"}, "", 203},
				"a program that is none":             {"", []string{"/etc/passwd"}, "", 203},
				"the app's user":                     {"", []string{"id", "-un"}, "app\n", 0},
				"another user, with its groups":      {"--user=www-data", []string{"sh", "-c", "id -u; id -g"}, "33\n33\n", 0},
				"root":                               {"-u 0", []string{"id", "-u"}, "0\n", 0},
				"another group":                      {"--group=logs", []string{"sh", "-c", "id -u; id -g"}, "1000\n2000\n", 0},
				"a user that the app lacks":          {"--user=nosuch", []string{"id"}, "", 254},
				"privileged":                         {"--privileged", []string{"id", "-u"}, "0\n", 0},
				"privileged as somebody":             {"--privileged --user=app", []string{"id", "-u"}, "1000\n", 0},
				"another directory":                  {"--working-dir=/etc", []string{"pwd"}, "/etc\n", 0},
				"a directory that is missing":        {"--working-dir=/no/such", []string{"pwd"}, "", 226},
				"variables":                          {"-e A=x -e B=y=z", []string{"sh", "-c", "echo $A $B"}, "x y=z\n", 0},
				"no input unless it is asked for":    {"", []string{"wc", "-c"}, "0\n", 0},
				"no descriptors but the usual three": {"", []string{"ls", "/proc/self/fd"}, "0\n1\n2\n3\n", 0},
			} {
				t.Run(name, func(t *testing.T) {
					line := "exec 7</etc 8>/dev/null; echo input | " + p.cmd() + " exec " + tt.flags + " " + quote(append([]string{uuid}, tt.args...)...)
					r := p.Run(t, line)
					if r.Stdout != tt.stdout || r.Code != tt.code || (r.Code > 200) != (r.Stderr != "") && r.Code != 137 {
						t.Errorf("got %+v, want %d and %q", r, tt.code, tt.stdout)
					}
				})
			}
			t.Run("what privileged commands may", func(t *testing.T) {
				const script = "grep CapEff /proc/self/status"
				if got := p.must(t, "exec", uuid, "sh", "-c", script); !strings.HasSuffix(got, "\t0000000000000000") {
					t.Errorf("as the app: %q", got)
				}
				if got := p.must(t, "exec", "--privileged", uuid, "sh", "-c", script); strings.HasSuffix(got, "\t0000000000000000") {
					t.Errorf("privileged: %q", got)
				}
			})
			t.Run("input and output are exact", func(t *testing.T) {
				data := bytes.Repeat([]byte("0123456789abcde\n\x00\xff\x04\x03"), 1<<19)
				sum := fmt.Sprintf("%x", sha256.Sum256(data))
				r := p.Do(t, testhost.Cmd{Script: p.cmd() + " exec -i " + uuid + " cat | sha256sum", Stdin: bytes.NewReader(data)})
				if !strings.HasPrefix(r.Stdout, sum) {
					t.Errorf("got %+v, want %s", r, sum)
				}
				p.MustRun(t, "echo text >/run/f-in; "+p.cmd()+" exec -i "+uuid+" sh -c 'cat; echo bad >&2' </run/f-in >/run/f-out 2>/run/f-err")
				if out, err := p.ReadFile(t, "/run/f-out"), p.ReadFile(t, "/run/f-err"); out != "text\n" || err != "bad\n" {
					t.Errorf("files got %q and %q", out, err)
				}
			})
			t.Run("signals", func(t *testing.T) {
				for _, sig := range []string{"TERM", "INT", "HUP", "USR1"} {
					script := fmt.Sprintf(`rm -f /run/f-ready; mkfifo /run/f-ready; %s exec %s sh -c 'trap "echo %s; exit 9" %s; echo up; while :; do sleep 0.01; done' >/run/f-ready & pid=$!
{ read up; kill -%s $pid; cat; } </run/f-ready; wait $pid; echo $?`, p.cmd(), uuid, sig, sig, sig)
					if r := p.Run(t, script); r.Stdout != sig+"\n9\n" {
						t.Errorf("%s: %+v", sig, r)
					}
				}
			})
			p.terminals(t, uuid)
			p.must(t, "stop", "--force", uuid)
			for _, args := range [][]string{{"exec", uuid, "true"}, {"exec", "--privileged", uuid, "true"}} {
				if r := p.raket(t, args...); r.Code != 254 || !strings.Contains(r.Stderr, "exited, not running") {
					t.Errorf("%v of a pod that has ended: %+v", args, r)
				}
			}
		})
	}
}

// background starts a pod of any flavour; not all tell when they are ready.
func (p *pods) background(t *testing.T, flags []string, a app) (uuid string) {
	t.Helper()
	unit, file := "f-"+plain(t.Name())+"-bg", "/run/f-bg-"+plain(t.Name())
	p.MustRun(t, "systemd-run -q --unit="+unit+" "+p.cmd()+" "+quote(runLine(append(flags, "--log=file", "--uuid-file-save="+file), a)...))
	t.Cleanup(func() { p.Run(t, "systemctl stop "+unit+"; systemctl reset-failed "+unit) })
	p.WaitFor(t, limit, p.cmd()+" status --wait-ready --uuid-file="+file)
	return strings.TrimSpace(p.ReadFile(t, file))
}

// terminals runs commands on a terminal of their own, by way of script(1)'s.
func (p *pods) terminals(t *testing.T, uuid string) {
	onTTY := func(setup, command string) testhost.Result {
		return p.Run(t, "timeout 60 script -qec "+quote(setup+command)+" /dev/null </dev/null")
	}
	exec := p.cmd() + " exec -it " + uuid + " "
	for name, tt := range map[string]struct{ setup, command, want string }{
		"a terminal of the app's": {"", exec + "tty", "/dev/pts/"},
		"that is the command's":   {"", exec + "sh -c 'echo yes >/dev/tty'", "yes\n"},
		"of the caller's size":    {"stty rows 33 cols 77; ", exec + "stty size", "33 77\n"},
		"all of a long output":    {"", exec + "sh -c 'seq 1 20000' | tail -n1", "20000\n"},
		"an exit status":          {"", exec + "sh -c 'exit 6'; echo =$?", "=6\n"},
		"raw mode is undone":      {"", exec + "true; stty -a | grep -o ' icanon'", " icanon\n"},
		"also after a failure":    {"", exec + "nosuch 2>/dev/null; stty -a | grep -o ' icanon'", " icanon\n"},
	} {
		t.Run("terminal: "+name, func(t *testing.T) {
			if r := onTTY(tt.setup, tt.command); !strings.Contains(strings.ReplaceAll(r.Stdout, "\r", ""), tt.want) {
				t.Errorf("got %+v, want %q", r, tt.want)
			}
		})
	}
	t.Run("terminal: changes of its size", func(t *testing.T) {
		r := onTTY("("+p.cmd()+" exec "+uuid+" sh -c 'until rm /tmp/up 2>/dev/null; do sleep 0.01; done'; stty rows 11 cols 22 </dev/tty) & ",
			exec+`sh -c 'trap "stty size; exit" WINCH; touch /tmp/up; while :; do sleep 0.01; done'`)
		if !strings.Contains(r.Stdout, "11 22") {
			t.Errorf("got %+v", r)
		}
	})
	t.Run("terminal: only for who types", func(t *testing.T) {
		if r := p.Run(t, "echo x | "+exec+"cat"); r.Code != 254 || !strings.Contains(r.Stderr, "wants a terminal") {
			t.Errorf("got %+v", r)
		}
		if r := p.Run(t, p.cmd()+" exec -t "+uuid+" tty"); !strings.HasPrefix(r.Stdout, "/dev/pts/") {
			t.Errorf("without input: %+v", r)
		}
	})
	t.Run("terminal: ^C goes to the command", func(t *testing.T) {
		r := p.Run(t, `rm -f /run/f-keys /run/f-up; mkfifo /run/f-keys /run/f-up
timeout 60 script -qec `+quote(exec+`sh -c 'echo up; exec sleep 1000'`)+` /dev/null </run/f-keys >/run/f-up & exec 3>/run/f-keys 4</run/f-up
read -u4 up; printf '\003' >&3; wait $!; echo $?`)
		if r.Stdout != "130\n" {
			t.Errorf("got %+v", r)
		}
	})
}

// Whatever came of a command goes when raket is killed. What a command leaves when it ends
// by itself stays, as the app's.
func TestWhatCommandsLeaveBehind(t *testing.T) {
	p := newPods(t)
	uuid, _ := p.start(t, nil, app{script: "exec sleep 100000"})
	count := func() string {
		return p.must(t, "exec", uuid, "sh", "-c", "cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' '\\n' | grep -cx 7777[7]; true")
	}
	for name, flags := range map[string]string{"with files": "", "with a terminal": "-t"} {
		t.Run("nothing when raket is killed, "+name, func(t *testing.T) {
			script := fmt.Sprintf(`rm -f /run/f-ready; mkfifo /run/f-ready
%s exec %s %s sh -c 'trap "" HUP INT TERM; setsid sleep 77777 & (sleep 77777 &) ; sh -c "sleep 77777 & wait" & until [ $(cat /proc/[0-9]*/cmdline 2>/dev/null | tr "\\0" "\\n" | grep -cx 7777[7]) -ge 3 ]; do :; done; echo up; while :; do sleep 1; done' >/run/f-ready </dev/zero & pid=$!
read up </run/f-ready; kill -9 $pid`, p.cmd(), flags, uuid)
			p.MustRun(t, script)
			p.WaitFor(t, limit, "! cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' '\\n' | grep -qx 7777[7]")
			if got := count(); got != "0" {
				t.Errorf("%s processes are left", got)
			}
		})
	}
	t.Run("what it started when it ends", func(t *testing.T) {
		p.must(t, "exec", uuid, "sh", "-c", "sleep 77777 >/dev/null 2>&1 &")
		// The shell was gone before its child had become the program.
		p.onlyPID(t, "sleep 77777")
		if got := count(); got != "1" {
			t.Errorf("%s processes are left", got)
		}
	})
	t.Run("nothing when the app ends", func(t *testing.T) {
		two, _ := p.start(t, []string{"--exit-policy=none"}, app{script: "exec sleep 55555", flags: []string{"--stop-timeout=1s"}})
		r := p.Run(t, fmt.Sprintf(`%[1]s exec %[2]s sh -c 'trap "" TERM; until pid=$(pidof sleep); do :; done; kill -TERM $pid; while :; do sleep 1; done'`, p.cmd(), two))
		if r.Code != 137 && r.Code != 143 {
			t.Errorf("got %+v", r)
		}
		if r := p.raket(t, "exec", two, "true"); r.Code != 254 || !strings.Contains(r.Stderr, "does not run") {
			t.Errorf("in an app that has ended: %+v", r)
		}
		if r := p.raket(t, "exec", "--privileged", two, "sh", "-c", "exit 3"); r.Code != 3 {
			t.Errorf("privileged in an app that has ended: %+v", r)
		}
	})
}

func TestCommandsWithoutSystemdsFilterAreRefused(t *testing.T) {
	p := newPods(t)
	uuid, _ := p.start(t, nil, app{script: "exec sleep 100000", flags: []string{"--property=SystemCallFilter=~mount", "--property=RestrictRealtime=yes"}})
	if r := p.raket(t, "exec", uuid, "true"); r.Code != 254 || !strings.Contains(r.Stderr, "SystemCallFilter=") || strings.Count(r.Stderr, "\n") != 1 {
		t.Errorf("got %+v", r)
	}
	p.must(t, "exec", "--privileged", uuid, "true")
}
