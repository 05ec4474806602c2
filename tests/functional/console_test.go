package functional

import (
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/raket/raket/tests/testhost"
)

func TestOutputToAPipe(t *testing.T) {
	p := newPods(t)
	t.Run("output and errors stay apart", func(t *testing.T) {
		r := p.run(t, nil, app{script: "echo out; echo err >&2"})
		if r.Stdout != "out\n" || r.Stderr != "err\n" || r.Code != 0 {
			t.Errorf("got %+v", r)
		}
	})
	t.Run("every byte passes as it is", func(t *testing.T) {
		var want strings.Builder
		var octal strings.Builder
		for b := range 256 {
			want.WriteByte(byte(b))
			fmt.Fprintf(&octal, `\%03o`, b)
		}
		r := p.run(t, nil, app{script: "printf '" + octal.String() + "'"})
		if r.Stdout != want.String() {
			t.Errorf("got %q", r.Stdout)
		}
	})
	t.Run("last words without a newline arrive", func(t *testing.T) {
		for range 10 {
			if r := p.run(t, nil, app{script: "printf last"}); r.Stdout != "last" {
				t.Fatalf("got %+v", r)
			}
		}
	})
	t.Run("the app's streams can be opened again", func(t *testing.T) {
		r := p.run(t, nil, app{script: "echo one >/dev/stdout; echo two >/proc/self/fd/1; echo three >/dev/stderr"})
		if r.Stdout != "one\ntwo\n" || r.Stderr != "three\n" {
			t.Errorf("got %+v", r)
		}
	})
	t.Run("an app that is not root writes too", func(t *testing.T) {
		r := p.run(t, nil, app{script: "echo out; echo err >&2", flags: []string{"--user=app"}})
		if r.Stdout != "out\n" || r.Stderr != "err\n" {
			t.Errorf("got %+v", r)
		}
	})
	t.Run("20 MB arrive complete", func(t *testing.T) {
		const size = 20 << 20
		r := p.Run(t, p.cmd()+" "+quote(runLine(nil, app{script: fmt.Sprintf("yes 0123456789abcde | head -c %d", size)})...)+" | sha256sum")
		h := sha256.New()
		for range size / 16 {
			io.WriteString(h, "0123456789abcde\n")
		}
		if want := fmt.Sprintf("%x  -\n", h.Sum(nil)); r.Stdout != want {
			t.Errorf("sha256 is %s, want %s", r.Stdout, want)
		}
	})
	t.Run("a reader that leaves ends the writer", func(t *testing.T) {
		r := p.Run(t, p.cmd()+" "+quote(runLine(nil, app{script: "yes"})...)+" | head -n 2; echo ${PIPESTATUS[0]}")
		if r.Stdout != "y\ny\n141\n" {
			t.Errorf("got %q", r.Stdout)
		}
	})
	t.Run("the output of several apps comes together", func(t *testing.T) {
		r := p.Run(t, p.cmd()+" "+quote(runLine([]string{"--exit-policy=all-ended"}, app{name: "a", script: "echo a"}, app{name: "b", script: "echo b"})...)+" | sort")
		if r.Stdout != "a\nb\n" {
			t.Errorf("got %q", r.Stdout)
		}
	})
}

func TestOutputToAFileKeepsItsPlace(t *testing.T) {
	p := newPods(t)
	dir, _ := p.meeting(t)
	line := p.cmd() + " " + quote(runLine(nil, app{script: "echo pod 1; echo pod 2 >&2; echo pod 3"})...)
	for name, tt := range map[string]struct{ script, want string }{
		"between what others write": {"(echo before; %s; echo after) >%s/f 2>&1", "before\npod 1\npod 2\npod 3\nafter\n"},
		"appended":                  {"echo old >%[2]s/f; %[1]s >>%[2]s/f 2>&1", "old\npod 1\npod 2\npod 3\n"},
		"over a longer file":        {"seq 1000 >%[2]s/f; %[1]s >%[2]s/f 2>/dev/null", "pod 1\npod 3\n"},
	} {
		t.Run(name, func(t *testing.T) {
			p.MustRun(t, fmt.Sprintf(tt.script, line, dir))
			if got := p.ReadFile(t, dir+"/f"); got != tt.want {
				t.Errorf("the file holds %q, want %q", got, tt.want)
			}
		})
	}
}

func TestOutputToASocket(t *testing.T) {
	p := newPods(t)
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	ours, theirs := os.NewFile(uintptr(fds[0]), "ours"), os.NewFile(uintptr(fds[1]), "theirs")
	defer ours.Close()
	p.raket(t, "fetch", busybox)
	const size = 2 << 20
	cmd := exec.CommandContext(t.Context(), "nsenter", "-t", strconv.Itoa(p.Leader()), "-a", "systemd-run", "-q", "--wait", "--pipe", "--collect", "bash", "-c",
		p.cmd()+" "+quote(runLine(nil, app{script: fmt.Sprintf("head -c %d /dev/zero; printf end; echo err >&2", size)})...))
	var stderr strings.Builder
	cmd.Stdout, cmd.Stderr = theirs, &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	theirs.Close()
	got, err := io.ReadAll(ours)
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("%v: %s", err, stderr.String())
	}
	if len(got) != size+3 || string(got[size:]) != "end" || stderr.String() != "err\n" {
		t.Errorf("%d bytes arrived, want %d; stderr %q", len(got), size+3, stderr.String())
	}
}

func TestOutputToATerminal(t *testing.T) {
	p := newPods(t)
	p.raket(t, "fetch", busybox)
	line := p.cmd() + " " + quote(runLine(nil, app{script: "echo out; echo err >&2; exit 7"})...)
	r := p.Run(t, "script -qec "+quote(line)+" /dev/null </dev/null")
	if r.Stdout != "out\r\nerr\r\n" && !strings.HasPrefix(r.Stdout, "out\r\nerr\r\nraket: ") || r.Code != 7 {
		t.Errorf("got %+v", r)
	}
}

func TestWhereThereIsNoJournal(t *testing.T) {
	p := newPods(t)
	run := func(t *testing.T, flags []string, redirect string, apps ...app) (testhost.Result, string) {
		t.Helper()
		file := "/run/" + plain(t.Name())
		line := p.cmd() + " " + quote(runLine(append(flags, "--uuid-file-save="+file), apps...)...)
		r := p.Run(t, "unshare -m sh -c "+quote("mount -t tmpfs tmpfs /run/systemd/journal; exec "+line+redirect))
		return r, strings.TrimSpace(p.ReadFile(t, file))
	}
	t.Run("a pod without an output writes files", func(t *testing.T) {
		_, uuid := run(t, nil, " >/dev/null 2>&1", app{name: "a", script: "echo 1; echo 2 >&2"}, app{name: "b", script: shortLived(50)})
		if got := p.must(t, "logs", uuid, "a"); got != "1\n2" {
			t.Errorf("logs of a: %q", got)
		}
		if got := p.MustRun(t, p.cmd()+" logs "+uuid+" b | sort"); got != numbered("line", 50) {
			t.Errorf("logs of b: %q", got)
		}
	})
	t.Run("a pod with an output writes there", func(t *testing.T) {
		if r, _ := run(t, nil, "", app{script: "echo 1"}); r.Stdout != "1\n" {
			t.Errorf("got %+v", r)
		}
	})
	t.Run("a pod that wants the journal says that there is none", func(t *testing.T) {
		file := "/run/" + plain(t.Name())
		line := p.cmd() + " " + quote(runLine([]string{"--log=journal", "--uuid-file-save=" + file}, app{script: "echo 1"})...)
		r := p.Run(t, "unshare -m sh -c "+quote("mount -t tmpfs tmpfs /run/systemd/journal; exec "+line))
		if r.Code != 254 || strings.Count(r.Stderr, "raket: ") != 1 || !strings.Contains(r.Stderr, "journal") {
			t.Errorf("got %+v", r)
		}
	})
}

func TestLogModes(t *testing.T) {
	p := newPods(t)
	for name, tt := range map[string]struct {
		mode, stdout, logs, complaint string
	}{
		"none keeps nothing":          {mode: "none", complaint: "--log=none"},
		"file keeps a file":           {mode: "file", logs: "hello\n"},
		"console writes to run's own": {mode: "console", stdout: "hello\n", complaint: "--log=journal"},
		"journal keeps an entry":      {mode: "journal", logs: "hello\n"},
	} {
		t.Run(name, func(t *testing.T) {
			file := "/run/" + plain(t.Name())
			r := p.run(t, []string{"--log=" + tt.mode, "--uuid-file-save=" + file}, app{script: "echo hello"})
			if r.Code != 0 || r.Stdout != tt.stdout {
				t.Errorf("run: %+v", r)
			}
			p.MustRun(t, "journalctl --sync")
			r = p.raket(t, "logs", strings.TrimSpace(p.ReadFile(t, file)))
			if r.Stdout != tt.logs || (r.Code == 0) != (tt.complaint == "") || !strings.Contains(r.Stderr, tt.complaint) {
				t.Errorf("logs: %+v", r)
			}
		})
	}
}
