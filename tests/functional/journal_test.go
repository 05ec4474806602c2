package functional

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// numbered are the lines that journal tests print.
func numbered(prefix string, n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "%s %04d\n", prefix, i)
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// shortLived prints count lines from as many processes that exit at once.
func shortLived(count int) string {
	return fmt.Sprintf(`i=0; while [ $i -lt %d ]; do /bin/busybox printf 'line %%04d\n' $i & i=$((i+1)); done; wait`, count)
}

// TestEveryLineOfShortLivedProcessesIsFound: journald asks /proc whose line it has, and a
// process that is gone by then cannot be asked.
func TestEveryLineOfShortLivedProcessesIsFound(t *testing.T) {
	p := newPods(t)
	const count = 1000
	want := numbered("line", count)

	t.Run("forked by an app in a unit", func(t *testing.T) {
		uuid, unit := p.start(t, []string{"--exit-policy=none"}, app{name: "forker", script: shortLived(count), flags: []string{"--type=oneshot"}})
		p.expectLines(t, unit, "forker", uuid, want)
	})
	t.Run("forked by an app of a shell's pod", func(t *testing.T) {
		file := "/run/" + plain(t.Name())
		r := p.run(t, []string{"--log=journal", "--uuid-file-save=" + file}, app{name: "forker", script: shortLived(count)})
		if r.Code != 0 || r.Stdout != "" {
			t.Errorf("status %d, stdout %q", r.Code, r.Stdout)
		}
		uuid := strings.TrimSpace(p.ReadFile(t, file))
		p.expectLines(t, "rkt-"+uuid+".scope", "forker", uuid, want)
	})
}

func TestEveryLineOfShortLivedAppsIsFound(t *testing.T) {
	p := newPods(t)
	t.Run("twenty apps of a pod, restarted ten times each", func(t *testing.T) {
		const apps, runs = 20, 10
		dir, flags := p.meeting(t)
		var list []app
		for i := range apps {
			name := fmt.Sprintf("app%02d", i)
			list = append(list, app{
				name:   name,
				script: fmt.Sprintf(`n=0; [ ! -e /v/%[1]s ] || read n </v/%[1]s; printf 'line %%04d\n' $n; echo $((n+1)) >/v/%[1]s; [ $n -ge %[2]d ]`, name, runs-1),
				flags:  []string{"--restart=on-failure", "--property=RestartSec=1ms", "--property=StartLimitIntervalSec=0"},
			})
		}
		uuid, unit := p.start(t, append(flags, "--exit-policy=none"), list...)
		for i := range apps {
			p.WaitFor(t, limit, fmt.Sprintf("[ $(cat %s/app%02d) = %d ]", dir, i, runs))
		}
		for i := range apps {
			p.expectLines(t, unit, fmt.Sprintf("app%02d", i), uuid, numbered("line", runs))
		}
	})
	t.Run("twenty pods of one app", func(t *testing.T) {
		for i := range 20 {
			file := "/run/" + plain(t.Name())
			p.run(t, []string{"--log=journal", "--uuid-file-save=" + file}, app{script: fmt.Sprintf("printf 'pod %d'", i)})
			uuid := strings.TrimSpace(p.ReadFile(t, file))
			p.expectLines(t, "rkt-"+uuid+".scope", "app", uuid, fmt.Sprintf("pod %d", i))
		}
	})
}

// expectLines checks that the journal has exactly the lines want of an app, in any order and
// not counting raket's own, whichever way it is asked.
func (p *pods) expectLines(t *testing.T, unit, app, uuid, want string) {
	t.Helper()
	p.MustRun(t, "journalctl --sync")
	for _, ask := range []string{
		"journalctl -q -o cat -u " + unit + " -t " + app,
		p.cmd() + " logs " + uuid + " " + app,
	} {
		got := p.MustRun(t, ask+" | grep -v '^raket: ' | sort")
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", ask, diff)
		}
	}
}

func TestTheJournalKnowsWhoWrote(t *testing.T) {
	p := newPods(t)
	_, unit := p.start(t, nil, app{name: "writer", script: "echo plain; echo '<3>grave'; echo to stderr >&2; logger -t mine by syslog; exec sleep 1000"})
	pid := p.pidOf(t, unit, "writer")
	p.WaitFor(t, limit, "journalctl --sync; journalctl -u "+unit+" -t writer -o cat | grep 'to stderr'")
	type entry struct {
		Message    string `json:"MESSAGE"`
		Priority   string `json:"PRIORITY"`
		Identifier string `json:"SYSLOG_IDENTIFIER"`
		Unit       string `json:"_SYSTEMD_UNIT"`
		Slice      string `json:"_SYSTEMD_SLICE"`
		PID        string `json:"_PID"`
		UID        string `json:"_UID"`
		Transport  string `json:"_TRANSPORT"`
	}
	var got []entry
	for line := range strings.Lines(p.MustRun(t, "journalctl -o json -u "+unit+" _TRANSPORT=stdout SYSLOG_IDENTIFIER=writer")) {
		got = append(got, decode[entry](t, line))
	}
	from := func(message, priority string) entry {
		return entry{message, priority, "writer", unit, "machine.slice", pid, "0", "stdout"}
	}
	want := []entry{from("plain", "6"), from("grave", "3"), from("to stderr", "6")}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the journal (-want +got):\n%s", diff)
	}
	// Not by unit: a datagram has no header, so journald may have nothing to go by
	// but the process that sent it, which is gone.
	p.WaitFor(t, limit, "journalctl --sync; journalctl -o cat -t mine | grep -x 'by syslog'")
}

func TestFollowingEndsWithThePodAndLosesNothing(t *testing.T) {
	p := newPods(t)
	dir, flags := p.meeting(t, "go")
	const count = 300
	uuid, _ := p.start(t, append(flags, "--exit-policy=all-ended"),
		app{name: "first", script: "read _ </v/go; " + shortLived(count)},
		app{name: "second", script: "exec 2>/dev/null; trap 'echo last; exit 0' TERM; echo still; sleep 1000 & wait"})
	p.MustRun(t, fmt.Sprintf("systemd-run -q --collect --unit=f-follow -p StandardOutput=file:%[1]s/all sh -c '%[2]s logs -f %[3]s'; systemd-run -q --collect --unit=f-follow-one -p StandardOutput=file:%[1]s/one sh -c '%[2]s logs -f %[3]s first'", dir, p.cmd(), uuid))
	p.WaitFor(t, limit, "grep still "+dir+"/all")
	p.MustRun(t, fmt.Sprintf("echo >%s/go", dir))
	p.WaitFor(t, limit, fmt.Sprintf("[ $(grep -c line %s/one) = %d ]", dir, count))
	p.must(t, "stop", uuid)
	p.WaitFor(t, limit, "! systemctl is-active -q f-follow && ! systemctl is-active -q f-follow-one")
	if diff := cmp.Diff(numbered("line", count), p.MustRun(t, "sort "+dir+"/one")); diff != "" {
		t.Errorf("following one app (-want +got):\n%s", diff)
	}
	want := numbered("first: line", count) + "\nsecond: last\nsecond: still"
	if diff := cmp.Diff(want, p.MustRun(t, "sort "+dir+"/all")); diff != "" {
		t.Errorf("following the pod (-want +got):\n%s", diff)
	}
}

func TestFollowingSeesAppsThatJoin(t *testing.T) {
	p := newPods(t)
	dir, _ := p.meeting(t)
	uuid, _ := p.sandbox(t, "--net=none")
	p.MustRun(t, fmt.Sprintf("systemd-run -q --collect --unit=f-joined -p StandardOutput=file:%s/all sh -c '%s logs -f %s'", dir, p.cmd(), uuid))
	for _, name := range []string{"one", "two"} {
		p.add(t, uuid, app{name: name, script: "echo up; exec sleep 1000"})
		p.must(t, "app", "start", uuid, name)
		p.WaitFor(t, limit, fmt.Sprintf("grep -c up %s/all | grep -x %d", dir, map[string]int{"one": 1, "two": 2}[name]))
	}
	p.must(t, "stop", uuid)
	p.WaitFor(t, limit, "! systemctl is-active -q f-joined")
	// What the pod's launcher and its init say in the same unit is not the apps'.
	if got, want := p.MustRun(t, "cat "+dir+"/all"), "up\ntwo: up"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestLastWordsOfAStopAreKept(t *testing.T) {
	p := newPods(t)
	const words = `exec 2>/dev/null; trap 'i=0; while [ $i -lt 100 ]; do printf "bye %04d\n" $i; i=$((i+1)); done; exit 0' TERM; echo up; sleep 1000 & wait`
	uuid, unit := p.start(t, nil, app{script: words})
	p.WaitFor(t, limit, "journalctl --sync; journalctl -o cat -t app -u "+unit+" | grep -x up")
	p.MustRun(t, "systemctl stop "+unit)
	p.expectLines(t, unit, "app", uuid, numbered("bye", 100)+"\nup")
	if got := p.must(t, "logs", "--lines=1", uuid); got != "bye 0099" {
		t.Errorf("the last line is %q", got)
	}
}
