package functional

import (
	"crypto/sha256"
	"fmt"
	"strings"
	"testing"
)

// shell is an app that is a shell, whose prompt is a dollar sign and a space.
func shell(flags ...string) app {
	return app{args: []string{"/bin/sh", "-i"}, flags: append([]string{"--environment=PS1=$ "}, flags...)}
}

func interactiveLine(p *pods, uuidFile string, flags []string, a app) string {
	return "exec " + p.command(runLine(append(flags, "--interactive", "--uuid-file-save="+uuidFile), a)...)
}

func TestInteractiveOnATerminal(t *testing.T) {
	p := newPods(t)
	for name, tt := range map[string]struct {
		flags []string
		uid   string
	}{
		"root":                        {nil, "0"},
		"another user":                {[]string{"--user=app"}, "1000"},
		"a root that systemd enters":  {[]string{"--property=PrivateTmp=yes"}, "0"},
		"such a root of another user": {[]string{"--property=PrivateTmp=yes", "--user=app"}, "1000"},
	} {
		t.Run(name, func(t *testing.T) {
			s := p.newScreen(t, interactiveLine(p, "/run/f-i", nil, shell(tt.flags...)))
			s.expect("$ ")
			s.enter("tty; id -u; stty size; echo $TERM\r")
			s.expect("/dev/pts/")
			s.expect("\r\n" + tt.uid + "\r\n24 80\r\nvt102\r\n$ ")
			s.enter("echo out >/dev/tty; echo err >/proc/self/fd/2; echo err >/dev/stderr\r")
			s.expect("out\r\nerr\r\nerr\r\n$ ")
			// The window's size follows, and its signal. Of that busybox's own line editor may
			// miss one between its prompt and the first key; a trap misses none.
			s.enter("sh -c 'trap \"stty size\" WINCH; echo go; while :; do sleep 0.05; done'\r")
			s.expect("\r\ngo\r\n")
			s.resize(30, 99)
			s.expect("30 99\r\n")
			s.enter("\x03")
			s.expect("$ ")
			// Keys are the app's as they are typed.
			s.enter("sh -c 'echo go; exec sleep 1000'\r")
			s.expect("\r\ngo\r\n")
			s.enter("\x03")
			s.expect("$ ")
			s.enter("echo =$?\r")
			s.expect("=130\r\n")
			s.enter("sh -c 'echo go; exec cat'\r")
			s.expect("\r\ngo\r\n")
			s.enter("a\x7fb\r")
			s.expect("\r\nb\r\n")
			s.enter("\x04")
			s.expect("$ ")
			s.enter("exit 7\r")
			s.ends(7)
		})
	}
}

func TestInteractiveEnds(t *testing.T) {
	p := newPods(t)
	for name, tt := range map[string]struct {
		a      app
		screen string
		status int
	}{
		"the app's status":        {app{script: "exit 9"}, "", 9},
		"the app's words":         {app{script: "printf last"}, "last", 0},
		"all of a long output":    {app{script: "seq 1 20000; echo end"}, "20000\r\nend\r\n", 0},
		"a program that is none":  {app{args: []string{"/etc/passwd"}}, "/etc/passwd", 203},
		"a signal":                {app{script: "kill -9 $$"}, "", 137},
		"a directory that is not": {app{script: "true", flags: []string{"--working-dir=/no/such"}}, "/no/such", 226},
	} {
		t.Run(name, func(t *testing.T) {
			s := p.newScreen(t, interactiveLine(p, "/run/f-i", nil, tt.a))
			if tt.screen != "" {
				s.expect(tt.screen)
			}
			s.ends(tt.status)
		})
	}
	t.Run("when the pod is stopped", func(t *testing.T) {
		s := p.newScreen(t, interactiveLine(p, "/run/f-i", nil, app{script: "trap 'echo bye; exit 4' TERM; echo up; while :; do sleep 0.05; done"}))
		s.expect("up\r\n")
		p.MustRun(t, p.cmd()+" stop --uuid-file=/run/f-i")
		s.expect("bye\r\n")
		s.ends(0)
	})
	t.Run("when the pod is killed", func(t *testing.T) {
		s := p.newScreen(t, interactiveLine(p, "/run/f-i", nil, app{script: "echo up; exec sleep 1000"}))
		s.expect("up\r\n")
		p.MustRun(t, p.cmd()+" stop --force --uuid-file=/run/f-i")
		if s.wait() == 0 || !s.cooked() {
			t.Errorf("ended with %d, terminal as it was: %v", s.cmd.ProcessState.ExitCode(), s.cooked())
		}
	})
	t.Run("when raket is asked to end", func(t *testing.T) {
		s := p.newScreen(t, interactiveLine(p, "/run/f-i", nil, app{script: "trap 'exit 4' TERM; echo up; while :; do sleep 0.05; done"}))
		s.expect("up\r\n")
		p.MustRun(t, "kill -TERM $(pgrep -ox run)")
		s.expect("exited with status 4")
		s.ends(0)
	})
	t.Run("when raket is killed the app's terminal hangs up", func(t *testing.T) {
		s := p.newScreen(t, interactiveLine(p, "/run/f-i", nil, app{script: "trap 'echo hup >/tmp/hup; exit 3' HUP; echo up; while :; do sleep 0.05; done"}))
		s.expect("up\r\n")
		p.MustRun(t, "kill -KILL $(pgrep -ox run)")
		p.WaitFor(t, limit, p.cmd()+" status --uuid-file=/run/f-i | grep -x app-app=3")
	})
}

func TestDetachingFromAnInteractivePod(t *testing.T) {
	p := newPods(t)
	s := p.newScreen(t, interactiveLine(p, "/run/f-i", nil, shell()))
	s.expect("$ ")
	s.enter("A=kept\r\x10\x11")
	s.expect("raket attach ")
	s.ends(0)
	uuid := strings.TrimSpace(p.ReadFile(t, "/run/f-i"))
	if st := p.status(t, uuid); st.app("app") != "running" {
		t.Fatalf("after the detach: %+v", st)
	}
	again := p.newScreen(t, "exec "+p.command("attach", uuid))
	again.enter("echo $A \x10x\x7f\x7f\r")
	again.expect("kept")
	again.enter("exit 6\r")
	again.ends(6)
	p.WaitFor(t, limit, p.cmd()+" status "+uuid+" | grep -x app-app=6")
}

func TestInteractiveWithoutATerminal(t *testing.T) {
	p := newPods(t)
	dir, _ := p.meeting(t)
	cat := p.command(runLine([]string{"--interactive"}, app{args: []string{"/bin/cat"}})...)
	data := strings.Repeat("0123456789abcde\n\x00\xff\x04\x03", 1<<17)
	p.WriteFile(t, dir+"/data", data, 0o644)
	sum := fmt.Sprintf("%x  -\n", sha256.Sum256([]byte(data)))
	for name, tt := range map[string]struct{ script, want string }{
		"a pipe":                     {"echo x | " + cat, "x\n"},
		"a large one":                {"cat " + dir + "/data | " + cat + " | sha256sum", sum},
		"a file":                     {cat + " <" + dir + "/data | sha256sum", sum},
		"a file that has a reader":   {"printf 'a\\nb\\nc\\n' >" + dir + "/lines; { read x; " + cat + "; } <" + dir + "/lines", "b\nc\n"},
		"nothing":                    {cat + " </dev/null", ""},
		"as another user":            {"echo x | " + p.command(runLine([]string{"-i"}, app{script: "cat; cat /proc/self/fd/0", flags: []string{"--user=app"}})...), "x\n"},
		"the app's status":           {"echo x | " + p.command(runLine([]string{"-i"}, app{script: "read x; exit 5"})...) + "; echo $?", "5\n"},
		"a writer that has no hurry": {"(echo a; sleep 0.3; echo b) | " + cat, "a\nb\n"},
	} {
		t.Run(name, func(t *testing.T) {
			if r := p.Run(t, tt.script); r.Stdout != tt.want {
				t.Errorf("got %+v, want %q", r, tt.want)
			}
		})
	}
	t.Run("what it cannot be", func(t *testing.T) {
		uuid := p.must(t, append([]string{"prepare", "--quiet"}, podLine(nil, app{script: "true", flags: []string{"--stdin=tty"}})...)...)
		two := p.must(t, append([]string{"prepare", "--quiet"}, podLine(nil, app{script: "true"}, app{name: "b", script: "true"})...)...)
		for says, line := range map[string]string{
			"for one app":      p.command(runLine([]string{"-i"}, app{script: "true"}, app{name: "b", script: "true"})...),
			"excludes --stdin": p.command(runLine([]string{"-i"}, app{script: "true", flags: []string{"--stdin=tty"}})...),
			"run-prepared":     p.command(append([]string{"prepare", "-i"}, podLine(nil, app{script: "true"})...)...),
			"of their own":     p.command("run-prepared", "--interactive", uuid),
			"this one has 2":   p.command("run-prepared", "--interactive", two),
		} {
			if r := p.Run(t, line); r.Code != 254 || !strings.Contains(r.Stderr, says) || strings.Count(r.Stderr, "raket: ") > 2 {
				t.Errorf("%s: %+v", says, r)
			}
		}
	})
	t.Run("of the flavour fly it is the terminal itself", func(t *testing.T) {
		s := p.newScreen(t, interactiveLine(p, "/run/f-i", []string{"--stage1-name=fly"}, app{script: "read x; echo got $x; stty size; exit 8"}))
		s.enter("line\r")
		s.expect("got line\r\n24 80\r\n")
		s.ends(8)
	})
}
