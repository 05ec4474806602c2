package testhost_test

import (
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/raket/raket/tests/testhost"
)

func TestMain(m *testing.M) { os.Exit(testhost.Main(m)) }

func TestHost(t *testing.T) {
	h := testhost.Shared(t)

	t.Run("a command's output and status come back", func(t *testing.T) {
		got := h.Run(t, "echo out; echo err >&2; exit 9")
		want := testhost.Result{Stdout: "out\n", Stderr: "err\n", Code: 9}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("result (-want +got):\n%s", diff)
		}
	})
	t.Run("a command reads its standard input", func(t *testing.T) {
		got := h.Do(t, testhost.Cmd{Script: "tr a-z A-Z", Stdin: strings.NewReader("hello\n")})
		if got.Stdout != "HELLO\n" {
			t.Errorf("stdout = %q, want %q", got.Stdout, "HELLO\n")
		}
	})
	t.Run("a command past its time limit is killed with its children", func(t *testing.T) {
		got := h.Do(t, testhost.Cmd{Script: "sleep 7777 & wait", Timeout: time.Second})
		if got.Code == 0 {
			t.Error("a command that was to be killed succeeded")
		}
		if r := h.Run(t, "pgrep -fx 'sleep 7777'"); r.Code == 0 {
			t.Error("its child still runs")
		}
	})
	t.Run("a command is bash's alone to expand", func(t *testing.T) {
		if got := h.MustRun(t, `x=1; echo ${x} "$x" $((x+1)) '${x}' %n %% '\'`); got != `1 1 2 ${x} %n %% \` {
			t.Errorf("got %q", got)
		}
	})
	t.Run("systemd is PID 1 and the boot was clean", func(t *testing.T) {
		if got := h.MustRun(t, "cat /proc/1/comm; systemctl is-system-running"); got != "systemd\nrunning" {
			t.Errorf("got %q", got)
		}
	})
	t.Run("the state directory can be an overlay's upper directory", func(t *testing.T) {
		h.MustRun(t, "cd $(mktemp -d -p /var/lib/raket) && mkdir l u w m && mount -t overlay -o lowerdir=l,upperdir=u,workdir=w o m && touch m/x && umount m")
	})
	t.Run("files go in and come out", func(t *testing.T) {
		h.WriteFile(t, "/srv/a/b", "text", 0o640)
		if got := h.MustRun(t, "stat -c %a /srv/a/b; cat /srv/a/b"); got != "640\ntext" {
			t.Errorf("got %q", got)
		}
		dst := t.TempDir() + "/b"
		h.Get(t, "/srv/a/b", dst)
		if b, err := os.ReadFile(dst); err != nil || string(b) != "text" {
			t.Errorf("got %q, %v", b, err)
		}
	})
	t.Run("a server of the test listens on the host's loopback", func(t *testing.T) {
		l, err := h.Listen("127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "here") })}
		go srv.Serve(l)
		t.Cleanup(func() { srv.Close() })
		if got := h.MustRun(t, "curl -sS http://"+l.Addr().String()); got != "here" {
			t.Errorf("curl in the host got %q", got)
		}
		client := http.Client{Transport: &http.Transport{DialContext: h.Dial}}
		resp, err := client.Get("http://" + l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
	})
	t.Run("waiting for a condition ends when it holds", func(t *testing.T) {
		h.MustRun(t, "systemd-run -q --on-active=300ms --timer-property=AccuracySec=1ms touch /run/there")
		h.WaitFor(t, time.Minute, "test -e /run/there")
	})
}

func TestAHostLeavesNothing(t *testing.T) {
	testhost.Require(t)
	var name string
	t.Run("use", func(t *testing.T) {
		h := testhost.Start(t, testhost.Options{})
		name = h.Name()
		h.MustRun(t, "touch /usr/dirty; systemd-run -q --unit=x sleep 9999")
	})
	if name == "" {
		return
	}
	cgroups, err := os.ReadDir("/sys/fs/cgroup")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range cgroups {
		if _, err := os.Stat("/sys/fs/cgroup/" + c.Name() + "/" + name); err == nil {
			t.Errorf("cgroup %s/%s is left", c.Name(), name)
		}
	}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(mounts), name) {
		t.Error("a mount is left")
	}
	t.Run("the next host is clean", func(t *testing.T) {
		h := testhost.Start(t, testhost.Options{})
		if r := h.Run(t, "test -e /usr/dirty"); r.Code == 0 {
			t.Error("a file of another host is there")
		}
	})
}
