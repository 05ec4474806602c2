package main

import (
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

func TestWhatOfADatagramIsForTheHost(t *testing.T) {
	for _, tc := range []struct {
		name, text string
		want       said
	}{
		{"a start", "READY=1\nSTATUS=serving", said{phase: ready, status: "serving", spoke: true}},
		{"a reload", "RELOADING=1\nMONOTONIC_USEC=17\n", said{phase: reloading}},
		{"the last phase counts", "READY=1\nRELOADING=1", said{phase: reloading}},
		{"the first text counts", "STATUS=a\nSTATUS=b", said{status: "a", spoke: true}},
		{"a text that is taken back", "STATUS=", said{spoke: true}},
		{"a text that is not UTF-8", "STATUS=\xff", said{}},
		{"a ping", "WATCHDOG=1", said{watchdog: true}},
		{"a watchdog that is triggered", "WATCHDOG=trigger", said{}},
		{"a zero byte at the end", "READY=1\x00", said{phase: ready}},
		{"a zero byte in it", "READY=1\x00\nSTATUS=a", said{}},
		{"what looks like it", "XREADY=1\nREADY=1 \nREADY=0\nready=1\n STATUS=a", said{}},
		{"what stays in the pod", "MAINPID=1\nFDSTORE=1\nERRNO=2\nBARRIER=1\nEXTEND_TIMEOUT_USEC=1\nNOTIFYACCESS=all", said{}},
		{"more than systemd reads", "READY=1\n" + strings.Repeat("x", maxDatagram), said{}},
		{"other ends of lines", "READY=1\r\nSTATUS=a\r", said{phase: ready, status: "a", spoke: true}},
		{"nothing", "", said{}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, read([]byte(tc.text)), cmp.AllowUnexported(said{})); diff != "" {
				t.Error("(-want +got):\n" + diff)
			}
		})
	}
}

func TestTexts(t *testing.T) {
	for _, tc := range []struct {
		name, text string
		most       int
		want       string
	}{
		{"plain", "3 of 4 done", 20, "3 of 4 done"},
		{"escapes and controls", "\x1b[2Ja\tb\x00c\u0085d", 99, "[2Ja b c d"},
		{"letters that turn the order round", "a\u202eb\u2066c", 99, "a b c"},
		{"ends of lines that are no newline", "a\u2028b\u2029c", 99, "a b c"},
		{"just fits", "aäö", 5, "aäö"},
		{"is cut between letters", "aäöü", 6, "aä…"},
		{"spaces around it", "  a  ", 9, "a"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := clean(tc.text, tc.most); got != tc.want {
				t.Errorf("%q, want %q", got, tc.want)
			}
		})
	}
}

// host takes in what a host is told, as systemd does.
type host struct{ text, phase string }

func (h *host) hear(message string) {
	for line := range strings.SplitSeq(message, "\n") {
		switch name, value, _ := strings.Cut(line, "="); name {
		case "STATUS":
			h.text = value
		case "READY", "RELOADING":
			h.phase = name
		}
	}
}

func TestWhatTheHostIsTold(t *testing.T) {
	type step struct {
		app, says string
		mark      string // which end of the app is on record
		want      string // what the host shows, and in which phase it was told to be
	}
	for _, tc := range []struct {
		name    string
		apps    string
		waiting bool // the pod is not ready
		several bool
		steps   []step
	}{
		{name: "the only app has no name", apps: "web", steps: []step{{"web", "STATUS=a", "", "a "}, {"web", "STATUS=", "", " "}}},
		{name: "one of several has", apps: "web", several: true, steps: []step{{"web", "STATUS=a", "", "web: a "}}},
		{name: "texts in the order of the pod", apps: "web db", steps: []step{{"db", "STATUS=b", "", "db: b "}, {"web", "STATUS=a", "", "web: a; db: b "}}},
		{name: "READY=1 ends a reload, and is nothing else", apps: "web", steps: []step{
			{"web", "READY=1", "", " "}, {"web", "RELOADING=1", "", " RELOADING"}, {"web", "READY=1", "", " READY"},
		}},
		{name: "the last reload ends it", apps: "web db", steps: []step{
			{"web", "RELOADING=1", "", " RELOADING"}, {"db", "RELOADING=1", "", " RELOADING"}, {"web", "READY=1", "", " RELOADING"}, {"db", "READY=1", "", " READY"},
		}},
		{name: "no word of reloads before the pod is ready", apps: "web", waiting: true, steps: []step{{"web", "RELOADING=1", "", " "}, {"web", "READY=1\nSTATUS=a", "", "a "}}},
		{name: "an app that has ended says no more", apps: "web db", steps: []step{
			{"web", "STATUS=a\nRELOADING=1", "", "web: a RELOADING"}, {"db", "STATUS=b", "", "web: a; db: b RELOADING"}, {"web", "", "1", "db: b READY"}, {"web", "STATUS=new", "1", "web: new; db: b READY"},
		}},
		{name: "an app that stops reloads no more", apps: "web", steps: []step{{"web", "RELOADING=1", "", " RELOADING"}, {"web", "STOPPING=1", "", " READY"}}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := podOf(tc.apps)
			p.ready = !tc.waiting
			var h host
			for i, s := range tc.steps {
				a := p.find(s.app)
				if s.says == "" {
					a.renew(s.mark)
				} else {
					p.hear(a, read([]byte(s.says)), s.mark)
				}
				next := p.now(tc.several || len(p.apps) > 1)
				h.hear(p.message(next, false))
				p.told = next
				if again := p.message(next, false); again != "" {
					t.Errorf("step %d: the host is told twice: %q", i, again)
				}
				// A program that takes over knows the same.
				q := podOf(tc.apps)
				q.ready = p.ready
				q.decode(p.encode())
				if diff := cmp.Diff(p, q, cmp.AllowUnexported(pod{}, app{}, told{})); diff != "" {
					t.Errorf("step %d: what is kept (-want +got):\n%s", i, diff)
				}
				if got := h.text + " " + h.phase; got != s.want {
					t.Errorf("step %d: the host shows %q, want %q", i, got, s.want)
				}
			}
		})
	}
}

func podOf(names string) *pod {
	f, err := parse(append([]string{"-d", "/host", "/dir", "/status"}, strings.Fields(names)...))
	if err != nil {
		panic(err)
	}
	return &f.pod
}

func (p *pod) find(name string) *app {
	for _, a := range p.apps {
		if a.name == name {
			return a
		}
	}
	return nil
}

func TestTheHostsWatchdogIsFed(t *testing.T) {
	const watchdog = 8 * time.Second
	p := podOf("+web +db other")
	expect := func(what string, since time.Duration, want bool) {
		t.Helper()
		if got := p.fed(since, watchdog); got != want {
			t.Errorf("%s, %v after the last time: %t, want %t", what, since, got, want)
		}
	}
	say := func(name, text, mark string) { p.hear(p.find(name), read([]byte(text)), mark) }
	expect("while no app with a watchdog is up", time.Second, false)
	expect("while no app with a watchdog is up", 4*time.Second, true)
	say("other", "READY=1", "")
	expect("while one without is up", 4*time.Second, true)
	say("web", "READY=1", "")
	expect("when one is up and has not pinged", time.Hour, false)
	say("web", "WATCHDOG=1", "")
	expect("when the one that is up has pinged", time.Second, true)
	expect("when the one that is up has pinged", time.Millisecond, false)
	say("db", "READY=1", "")
	expect("when one of two has pinged", time.Hour, false)
	say("db", "WATCHDOG=1", "")
	expect("when both have", time.Second, true)
	p.feed()
	expect("in the next round", time.Hour, false)
	say("web", "WATCHDOG=1", "")
	expect("when one of two hangs", time.Hour, false)
	p.find("db").renew("1")
	expect("when the other has ended", time.Second, true)
	say("web", "STOPPING=1", "")
	p.feed()
	expect("when none is left", time.Second, false)
	expect("when none is left", 4*time.Second, true)
}

func TestCommandLines(t *testing.T) {
	for args, want := range map[string]string{
		"":                              "want -d or -i, DIR STATUS APP...",
		"-d /host /dir /status":         "want -d or -i, DIR STATUS APP...",
		"/dir /status web":              "want -d or -i, DIR STATUS APP...",
		"-w x -d /host /dir /status a":  "-w: want microseconds",
		"-w 0 -d /host /dir /status a":  "-w: want microseconds",
		"-x y -d /host /dir /status a":  "unknown option -x",
		"-i /h -s -w 2000000 /d /s a +": "",
	} {
		_, err := parse(strings.Fields(args))
		got := ""
		if err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%q: %q, want %q", args, got, want)
		}
	}
}

// FuzzHostileApps has two apps say anything: what the host is told is a few known words, and
// texts that can be shown.
func FuzzHostileApps(f *testing.F) {
	for _, s := range []string{"READY=1\nSTATUS=serving", "RELOADING=1", "STATUS=\x1b[2J\u202e", "STATUS=\nMAINPID=1", "WATCHDOG=1\x00", "STATUS=" + strings.Repeat("ä", 700)} {
		f.Add([]byte(s), []byte("READY=1"), "1")
	}
	f.Fuzz(func(t *testing.T, one, two []byte, mark string) {
		p := podOf("web db")
		p.ready = true
		p.hear(p.apps[0], read(one), "")
		p.hear(p.apps[1], read(two), "")
		for _, texts := range []bool{false, true} {
			message := p.message(p.now(true), texts)
			if len(message) > maxDatagram {
				t.Fatalf("%d bytes", len(message))
			}
			for line := range strings.SplitSeq(strings.TrimSuffix(message, "\n"), "\n") {
				name, value, _ := strings.Cut(line, "=")
				switch {
				case name == "" && value == "", name == "RELOADING" && value == "1" && !texts, name == "MONOTONIC_USEC" && strings.Trim(value, "0123456789") == "" && !texts:
				case name == "STATUS" && utf8.ValidString(value) && strings.IndexFunc(value, func(r rune) bool { return !unicode.IsPrint(r) }) < 0:
				default:
					t.Fatalf("the host is told %q", line)
				}
			}
		}
		q := podOf("web db")
		q.ready = true
		q.decode(p.encode())
		p.feed() // of pings nothing is kept
		if diff := cmp.Diff(p, q, cmp.AllowUnexported(pod{}, app{}, told{})); diff != "" {
			t.Errorf("what is kept (-want +got):\n%s", diff)
		}
		q.decode(mark + string(one))
	})
}
