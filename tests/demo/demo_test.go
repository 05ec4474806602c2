package demo

import (
	"bufio"
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/raket/raket/tests/images"
	"github.com/raket/raket/tests/registry"
	"github.com/raket/raket/tests/testhost"
)

// limit ends a demo that hangs.
const limit = 5 * time.Minute

// last is what a demo ends with when every step of it was so.
const last = "commands did what they should"

func require(t *testing.T) {
	t.Helper()
	testhost.Require(t)
	if why := registry.Missing(); why != "" {
		testhost.SkipOrFail(t, why)
	}
	if _, err := os.Stat(filepath.Join(testhost.Checkout(), "bin", "raket")); err != nil {
		t.Fatal("bin/raket is not built: make build")
	}
}

// command is the demo on a test host, in a process group of its own so that a signal reaches
// its children, as a terminal's does. Its temporary files are in the directory it returns.
func command(t *testing.T) (*exec.Cmd, string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	t.Cleanup(cancel)
	tmp := t.TempDir()
	cmd := exec.CommandContext(ctx, "./demo", "-on", "test")
	cmd.Env = append(os.Environ(), "TMPDIR="+tmp)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	// The script cleans up on a signal that it can catch.
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
	cmd.WaitDelay = time.Minute
	return cmd, tmp
}

// leftNothing fails t if the demo whose process was pid has left a host or a file.
func leftNothing(t *testing.T, pid int, tmp string) {
	t.Helper()
	hosts, err := exec.Command("../testhost/host", "list").Output()
	if err != nil {
		t.Fatal(err)
	}
	name := "raket-demo-" + strconv.Itoa(pid)
	if strings.Contains(string(hosts), name+"\n") {
		t.Errorf("host %s still runs", name)
	}
	files, err := os.ReadDir(tmp)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		t.Errorf("%s is left", f.Name())
	}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(mounts), name) {
		t.Errorf("a mount of %s is left", name)
	}
}

func TestTheDemoOnATestHost(t *testing.T) {
	require(t)
	cmd, tmp := command(t)
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), last) {
		t.Errorf("the demo: %v\n%s", err, out)
	}
	leftNothing(t, cmd.Process.Pid, tmp)
}

func TestAnInterruptedDemoCleansUp(t *testing.T) {
	require(t)
	cmd, tmp := command(t)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var complaint strings.Builder
	cmd.Stderr = &complaint
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		// The pod runs by now.
		if lines.Text() == "hello from the pod" {
			if err := syscall.Kill(-cmd.Process.Pid, syscall.SIGINT); err != nil {
				t.Error(err)
			}
		}
	}
	if _, err := io.Copy(io.Discard, out); err != nil {
		t.Error(err)
	}
	_ = cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != 128+int(syscall.SIGINT) {
		t.Errorf("exit status %d, want 130; it said:\n%s", code, complaint.String())
	}
	leftNothing(t, cmd.Process.Pid, tmp)
}

// TestTheDemoOnAMachineWithSystemd runs the demo as a user of such a machine does: in a test
// host it is on "this" machine.
func TestTheDemoOnAMachineWithSystemd(t *testing.T) {
	require(t)
	checkout, shared := testhost.Checkout(), t.TempDir()
	tools, cache := filepath.Join(shared, "tools"), filepath.Join(shared, "cache")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", tools+"/", "./tests/images/cmd/mkimages", "./tests/registry/cmd/registry")
	build.Dir, build.Env = checkout, append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	copyImages(t, cache)
	binds := []string{"ro:" + checkout + ":/srv/checkout", shared + ":/srv/shared"}
	// Its recipe, and so whether the images have to be made again, depends on busybox.
	for _, program := range []string{"docker-registry", "busybox"} {
		path, err := exec.LookPath(program)
		if err == nil {
			path, err = filepath.EvalSymlinks(path)
		}
		if err != nil {
			t.Fatal(err)
		}
		binds = append(binds, "ro:"+path+":/usr/bin/"+program)
	}
	h := testhost.Start(t, testhost.Options{Binds: binds})
	// Another unit of that name is there already, and a server on the usual port.
	h.MustRun(t, "systemd-run -q --unit=web sleep infinity; systemd-run -q busybox nc -ll -p 8080 -e true")
	r := h.Do(t, testhost.Cmd{
		Script:  "TMPDIR=/var/lib/raket RAKET_TEST_CACHE=/srv/shared/cache DEMO_TOOLS=/srv/shared/tools /srv/checkout/tests/demo/demo 2>&1",
		Timeout: limit,
	})
	if r.Code != 0 || !strings.Contains(r.Stdout, last) || !strings.Contains(r.Stdout, "systemctl start raket-demo-web\n") {
		t.Errorf("the demo: status %d\n%s%s", r.Code, r.Stdout, r.Stderr)
	}
	if left := h.MustRun(t, "systemctl is-active web >&2; ls -A /var/lib/raket /run/systemd/system; systemctl --failed --no-legend; ls /run/*.uuid 2>/dev/null; pgrep -l registry; true"); left != "/run/systemd/system:\n\n/var/lib/raket:" {
		t.Errorf("left behind:\n%s", left)
	}
}

// copyImages puts the images of the demo into a cache that is to be seen by the test host.
func copyImages(t *testing.T, cache string) {
	t.Helper()
	from, err := images.CacheDir()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"nginx", "shipper", "reloader"} {
		n, err := images.Ensure(t.Context(), from, name)
		if err != nil {
			t.Fatal(err)
		}
		dir := filepath.Dir(n.Layout)
		if err := os.CopyFS(filepath.Join(cache, "images", filepath.Base(dir)), os.DirFS(dir)); err != nil {
			t.Fatal(err)
		}
	}
}
