package functional

import (
	"fmt"
	"strings"
	"testing"
)

// echoes is an app that says what it reads, and 6 MB for a word.
const echoes = `echo start; echo oops >&2; while read x; do [ "$x" != flood ] || yes $(printf %02000d 0) | head -n 3000; echo "got $x"; done; echo over`

// streams are flags of an app with all streams of one mode.
func streams(mode string) []string {
	return []string{"--stdin=" + mode, "--stdout=" + mode, "--stderr=" + mode}
}

func TestAttachToStreams(t *testing.T) {
	p := newPods(t)
	uuid, unit := p.start(t, nil, app{script: echoes, flags: append(streams("stream"), "--user=app", "--restart=always")}, app{name: "plain", script: "exec sleep 100000"})
	// attached waits until a client's file shows that the client is there.
	attached := func(file string) string {
		return `until grep -q probe ` + file + `; do echo probe | ` + p.command("attach", "--app=app", "--mode=stdin", uuid) + `; sleep 0.05; done
`
	}
	attach := func(args ...string) string {
		return p.command(append([]string{"attach", "--app=app", uuid}, args...)...)
	}
	t.Run("what there is", func(t *testing.T) {
		if got := p.must(t, "attach", "--mode=list", "--app=app", uuid); got != "stdin\nstdout\nstderr" {
			t.Errorf("got %q", got)
		}
		for says, args := range map[string][]string{
			"has no streams":   {"--app=plain", uuid},
			"has several apps": {uuid},
			`no "tty-in"`:      {"--app=app", "--mode=tty", uuid},
			"not one of":       {"--app=app", "--mode=x", uuid},
			"is no key":        {"--app=app", "--detach-keys=ctrl", uuid},
			"no app":           {"--app=other", uuid},
		} {
			r := p.raket(t, append([]string{"attach"}, args...)...)
			if r.Code != 254 || !strings.Contains(r.Stderr, says) || strings.Count(r.Stderr, "raket: ") != 1 {
				t.Errorf("%s: %+v", says, r)
			}
		}
	})
	t.Run("who comes first sees what nobody saw", func(t *testing.T) {
		r := p.Run(t, "echo one | "+attach()+" >/run/f-out 2>/run/f-err & pid=$!; until grep -q 'got one' /run/f-out && grep -q oops /run/f-err; do sleep 0.05; done; kill $pid; wait $pid; echo $?")
		if out, errs := p.ReadFile(t, "/run/f-out"), p.ReadFile(t, "/run/f-err"); r.Stdout != "143\n" || out != "start\ngot one\n" || errs != "oops\n" {
			t.Errorf("got %+v, %q and %q", r, out, errs)
		}
	})
	t.Run("each sees all, and each may write", func(t *testing.T) {
		p.MustRun(t, `mkfifo /run/f-a /run/f-b; exec 3<>/run/f-a 4<>/run/f-b
`+attach()+` <&3 >/run/f-1 & one=$!
`+attach("--mode=stdin,stdout")+` <&4 >/run/f-2 & two=$!
`+attach("--mode=stdout")+` >/run/f-3 & three=$!
echo hello >&3; until grep -q hello /run/f-1; do sleep 0.05; done
`+attached("/run/f-2")+attached("/run/f-3")+`
echo last >&4; for f in /run/f-1 /run/f-2 /run/f-3; do until grep -q last $f; do sleep 0.05; done; done
kill $one $two $three; wait; rm /run/f-a /run/f-b`)
		one, two, three := p.ReadFile(t, "/run/f-1"), p.ReadFile(t, "/run/f-2"), p.ReadFile(t, "/run/f-3")
		if !strings.HasSuffix(one, two) || !strings.HasSuffix(one, three) {
			t.Errorf("the first saw %q, the others %q and %q", one, two, three)
		}
	})
	t.Run("the end of a client's input is not the app's", func(t *testing.T) {
		p.MustRun(t, attach("--mode=stdin")+" </dev/null")
		if r := p.Run(t, "echo after | timeout 60 "+attach("--close-stdin")+" | sed -n '/^got after/p;/^over/{p;q}'"); r.Stdout != "got after\nover\n" {
			t.Errorf("got %+v", r)
		}
	})
	t.Run("a client that does not read stops nobody for long", func(t *testing.T) {
		script := attach("--mode=stdout") + ` >/run/f-one & one=$!
` + attach("--mode=stdout") + ` >/run/f-all & two=$!
` + attached("/run/f-one") + attached("/run/f-all") + `kill -STOP $one
printf 'flood\nend\n' | ` + attach("--mode=stdin") + `
until grep -qx 'got end' /run/f-all; do sleep 0.05; done
kill -CONT $one; kill -KILL $one; kill $two; wait; grep -c ^000 /run/f-all`
		if got := p.MustRun(t, script); got != "3000" {
			t.Errorf("the other client saw %s lines", got)
		}
	})
	t.Run("the log has it too", func(t *testing.T) {
		p.MustRun(t, "journalctl --sync")
		for _, args := range [][]string{{"logs", uuid, "app"}, {"logs", "--lines=100000", uuid, "app"}} {
			got := p.must(t, args...)
			for _, want := range []string{"start\n", "oops\n", "got one\n", "got after\n", "got end"} {
				if !strings.Contains(got+"\n", want) {
					t.Errorf("%v lacks %q", args, want)
				}
			}
		}
		if got := p.MustRun(t, "journalctl -q -u "+unit+" -t app -o cat | grep -c ^000"); got != "3000" {
			t.Errorf("the journal has %s lines", got)
		}
	})
	t.Run("who holds the streams is killed", func(t *testing.T) {
		p.MustRun(t, "pkill -KILL -f '[r]aket/bin/mux -d /raket/mux/app '")
		p.WaitFor(t, limit, "echo again | timeout 5 "+attach("--close-stdin")+" | grep -qx 'got again'")
		if st := p.status(t, uuid); st.app("app") != "running" {
			t.Errorf("the app: %+v", st)
		}
	})
	t.Run("nothing of it is in the reach of apps", func(t *testing.T) {
		if r := p.raket(t, "exec", "--app=plain", uuid, "sh", "-c", "ls /raket /proc/1/root/raket/mux"); r.Code == 0 || strings.Contains(r.Stdout, "app") {
			t.Errorf("got %+v", r)
		}
	})
	t.Run("the stop is clean", func(t *testing.T) {
		r := p.Run(t, attach("--mode=stdout")+" >/run/f-end & pid=$!; "+attached("/run/f-end")+"systemctl stop "+unit+"; wait $pid; echo $?")
		if r.Stdout != "143\n" { // how the app ended
			t.Errorf("got %+v", r)
		}
	})
}

func TestAttachToATerminal(t *testing.T) {
	p := newPods(t)
	uuid, unit := p.start(t, nil, app{args: []string{"/bin/sh", "-i"}, flags: append(streams("tty"), "--environment=PS1=$ ", "--restart=on-failure")})
	s := p.newScreen(t, "exec "+p.command("attach", uuid))
	s.expect("$ ") // nobody has seen it
	s.enter("stty size; echo $TERM; A=kept\r")
	s.expect("24 80\r\nxterm\r\n$ ")
	// A second one, of another size, sees the same.
	two := p.newScreen(t, "stty rows 40 cols 100; exec "+p.command("attach", "--detach-keys=ctrl-a,d", uuid))
	two.enter("stty size\r")
	two.expect("40 100\r\n$ ")
	s.expect("40 100\r\n$ ")
	// It leaves, by keys of its own, and those that it has not are the app's.
	two.enter("sh -c 'echo go; exec cat'\r")
	two.expect("\r\ngo\r\n")
	two.enter("\x10\x01x\x7f\x7f\x7f\r\x04")
	two.expect("$ ")
	two.enter("\x01d")
	two.ends(0)
	s.expect("$ ")
	s.enter("\x10\x11")
	s.ends(0)
	t.Run("what a client that is killed leaves", func(t *testing.T) {
		k := p.newScreen(t, "exec "+p.command("attach", uuid))
		k.enter("echo $A\r")
		k.expect("kept\r\n$ ")
		p.MustRun(t, "pkill -KILL -x attach")
		if got := k.wait(); got == 0 {
			t.Errorf("it ended with %d", got)
		}
		again := p.newScreen(t, "exec "+p.command("attach", uuid))
		again.enter("echo $A\r")
		again.expect("kept\r\n$ ")
		// The app comes again after a failure, and the client is still there.
		again.enter("exit 3\r")
		again.expect("$ ")
		again.enter("echo =$A=\r")
		again.expect("==\r\n$ ")
		again.enter("exit 0\r")
		again.ends(0)
	})
	p.WaitFor(t, limit, "! systemctl is-active "+unit)
	if got := p.must(t, "logs", uuid); !strings.Contains(got, "40 100\n") || strings.Contains(got, "\r\n") {
		t.Errorf("the log has %q", got)
	}
	if r := p.raket(t, "attach", uuid); r.Code != 254 || !strings.Contains(r.Stderr, "exited, not running") {
		t.Errorf("after its end: %+v", r)
	}
}

func TestModesOfStreams(t *testing.T) {
	p := newPods(t)
	for name, tt := range map[string]struct {
		flags          []string
		script         string
		stdout, stderr string
	}{
		"output to nowhere":                {[]string{"--stdout=null"}, "echo out; echo err >&2", "", "err\n"},
		"errors to nowhere":                {[]string{"--stderr=null"}, "echo out; echo err >&2", "out\n", ""},
		"streams are on the console too":   {streams("stream"), "echo out; echo err >&2", "out\n", "err\n"},
		"a terminal for input alone":       {[]string{"--stdin=tty"}, "tty >/dev/null && echo out; echo err >&2", "out\n", "err\n"},
		"a terminal for errors alone":      {[]string{"--stderr=tty"}, "echo out; echo err >&2", "out\nerr\n", ""},
		"errors of raket's":                {streams("stream"), "exit 7", "", "raket: app app exited with status 7\n"},
		"what runs before has them too":    {append(streams("stream"), "--property=ExecStartPre=/bin/echo before"), "echo out", "before\nout\n", ""},
		"all of much output":               {streams("stream"), "seq 1 20000 | sha256sum", sumOfSeq, ""},
		"in a root that systemd enters":    {append(streams("stream"), "--property=PrivateTmp=yes"), "echo out; echo err >/proc/self/fd/2", "out\n", "err\n"},
		"opened again, as another user":    {append(streams("stream"), "--user=app"), "echo out >/dev/stdout; echo err >/dev/stderr", "out\n", "err\n"},
		"a terminal opened by its name":    {append(streams("tty"), "--user=app"), "echo out >$(tty)", "out\n", ""},
		"the input's end without a client": {[]string{"--stdin=null", "--stdout=stream"}, "cat; echo out", "out\n", ""},
	} {
		t.Run(name, func(t *testing.T) {
			r := p.run(t, nil, app{script: tt.script, flags: tt.flags})
			if r.Stdout != tt.stdout || r.Stderr != tt.stderr {
				t.Errorf("got %+v, want %q and %q", r, tt.stdout, tt.stderr)
			}
		})
	}
	t.Run("by a pod manifest of rkt's", func(t *testing.T) {
		manifest := p.must(t, append([]string{"prepare", "--quiet"}, podLine(nil, app{script: "sleep 1000", flags: []string{"--stdin=stream", "--stdout=tty"}})...)...)
		text := p.must(t, "cat-manifest", manifest)
		for _, want := range []string{`"coreos.com/rkt/stage2/stdin"`, `"stream"`, `"coreos.com/rkt/stage2/stdout"`, `"tty"`} {
			if !strings.Contains(text, want) {
				t.Errorf("the manifest lacks %s:\n%s", want, text)
			}
		}
		p.WriteFile(t, "/run/f-manifest", strings.Replace(text, `"image": {`, `"app": {"exec": ["/bin/sh", "-c", "sleep 1000"], "user": "0", "group": "0"}, "image": {`, 1), 0o644)
		uuid := p.must(t, "prepare", "--quiet", "--pod-manifest=/run/f-manifest")
		if got := p.MustRun(t, fmt.Sprintf(`grep -o '"io.raket.std[^,}]*' %s/pods/prepared/%s/apps/app/config.json | tr -d ' ' | sort`, p.dir, uuid)); got != "\"io.raket.stdin\":\"stream\"\n\"io.raket.stdout\":\"tty\"" {
			t.Errorf("got %q", got)
		}
	})
	t.Run("the flavour fly has none", func(t *testing.T) {
		r := p.run(t, []string{"--stage1-name=fly"}, app{script: "true", flags: streams("tty")})
		if r.Code != 254 || !strings.Contains(r.Stderr, "has no streams to attach to") {
			t.Errorf("got %+v", r)
		}
	})
}

// sumOfSeq is of the numbers 1 to 20000.
const sumOfSeq = "f6351f5ead9a700e34275480b3856ea738122a7c57bdeb744a631251c069587a  -\n"
