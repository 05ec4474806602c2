package functional

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// bundle makes an OCI bundle of busybox's root and a config.json on the host.
func (p *pods) bundle(t *testing.T, name string, change func(*specs.Spec)) string {
	t.Helper()
	dir := "/srv/functional/bundles/" + name
	p.MustRun(t, "rm -rf "+dir+"; mkdir -p /srv/functional/bundles/"+name)
	p.must(t, "fetch", "--quiet", busybox)
	p.must(t, "image", "extract", "--rootfs-only", busybox, dir+"/rootfs")
	spec := specs.Spec{
		Version: "1.0.2",
		Process: &specs.Process{
			Args: []string{"sh", "-c", "id -u; pwd; echo $A; echo written >/home/app/f && cat /home/app/f"}, Cwd: "/home/app",
			Env: []string{"PATH=/bin", "A=from the bundle"}, User: specs.User{UID: 1000, GID: 1000},
			Capabilities: &specs.LinuxCapabilities{Bounding: []string{"CAP_KILL"}},
			Rlimits:      []specs.POSIXRlimit{{Type: "RLIMIT_NOFILE", Hard: 99, Soft: 99}},
		},
		Root:     &specs.Root{Path: "rootfs"},
		Hostname: "passed-over",
		Mounts:   []specs.Mount{{Destination: "/proc", Type: "proc", Source: "proc"}},
		Linux:    &specs.Linux{Namespaces: []specs.LinuxNamespace{{Type: specs.PIDNamespace}, {Type: specs.MountNamespace}}},
	}
	if change != nil {
		change(&spec)
	}
	text, err := json.Marshal(spec)
	if err != nil {
		t.Fatal(err)
	}
	p.WriteFile(t, dir+"/config.json", string(text), 0o644)
	return dir
}

func TestBundlesRun(t *testing.T) {
	p := newPods(t)
	dir := p.bundle(t, "good", nil)
	const want = "1000\n/home/app\nfrom the bundle\nwritten\n"
	for _, flags := range [][]string{nil, {"--no-overlay"}} {
		r := p.raket(t, append(append([]string{"run", "--quiet"}, flags...), "bundle:"+dir)...)
		if r.Code != 0 || r.Stdout != want {
			t.Errorf("%v: got %+v, want %q", flags, r, want)
		}
	}
	if p.exists(t, dir+"/rootfs/home/app/f") {
		t.Error("the app wrote to the bundle")
	}
	r := p.raket(t, "run", "--quiet", "bundle:"+dir, "--user=0", "--environment=A=said", "--exec=/bin/sh", "--", "-c", "id -u; ulimit -n; echo $A; grep -c . /proc/self/status >/dev/null; grep Seccomp: /proc/self/status")
	if r.Code != 0 || r.Stdout != "0\n99\nsaid\nSeccomp:\t2\n" {
		t.Errorf("with flags: %+v", r)
	}
	uuid, _ := p.sandbox(t, "--net=none", "--log=file")
	p.must(t, "app", "add", "--quiet", uuid, "bundle:"+dir, "--name=b")
	p.must(t, "app", "start", uuid, "b")
	p.WaitFor(t, limit, p.cmd()+" app list "+uuid+" | grep -w exited")
	if got := p.must(t, "logs", uuid, "b"); got+"\n" != want {
		t.Errorf("added to a pod: %q", got)
	}
}

func TestBundlesAreNotTrusted(t *testing.T) {
	p := newPods(t)
	for name, tt := range map[string]struct {
		change func(*specs.Spec)
		before string // on the host, in the bundle
		want   string
	}{
		"a root above it":            {func(s *specs.Spec) { s.Root.Path = "../.." }, "", "leads out of the bundle"},
		"a root elsewhere":           {func(s *specs.Spec) { s.Root.Path = "/etc" }, "", "leads out of the bundle"},
		"the bundle itself":          {func(s *specs.Spec) { s.Root.Path = "." }, "", "leads out of the bundle"},
		"a root that is a link":      {nil, "rm -rf rootfs; ln -s / rootfs", "leads out of the bundle"},
		"a root that is a file":      {nil, "rm -rf rootfs; touch rootfs", "is not a directory"},
		"no root":                    {nil, "rm -rf rootfs", "no such file"},
		"a description that is FIFO": {nil, "rm config.json; mkfifo config.json", "is not a file"},
		"a description that is none": {nil, "echo '{' >config.json", "app spec"},
		"files of the host's": {func(s *specs.Spec) {
			s.Mounts = append(s.Mounts, specs.Mount{Destination: "/h", Type: "bind", Source: "/etc", Options: []string{"rbind"}})
		}, "", "leads out of the bundle"},
		"files of the host's by link": {func(s *specs.Spec) {
			s.Mounts = append(s.Mounts, specs.Mount{Destination: "/h", Source: "link", Options: []string{"bind"}})
		}, "ln -s /etc link", "leads out of the bundle"},
		"capabilities": {func(s *specs.Spec) { s.Process.Capabilities.Bounding = []string{"CAP_SYS_ADMIN"} }, "", "CAP_SYS_ADMIN is beyond"},
		"a directive":  {func(s *specs.Spec) { s.Annotations = map[string]string{"org.systemd.property.BindPaths": "/raket:/r"} }, "", "a bundle cannot set it"},
		"a hook":       {func(s *specs.Spec) { s.Hooks = &specs.Hooks{CreateRuntime: []specs.Hook{{Path: "/bin/true"}}} }, "", "hooks.createRuntime"},
		"a namespace": {func(s *specs.Spec) {
			s.Linux.Namespaces = []specs.LinuxNamespace{{Type: specs.NetworkNamespace, Path: "/proc/1/ns/net"}}
		}, "", "linux.namespaces[0].path"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := p.bundle(t, plain(name), tt.change)
			if tt.before != "" {
				p.MustRun(t, "cd "+dir+"; "+tt.before)
			}
			r := p.raket(t, "run", "--quiet", "bundle:"+dir)
			if r.Code != 254 || !strings.Contains(r.Stderr, tt.want) || strings.Count(r.Stderr, "raket:") != 1 {
				t.Errorf("got %+v, want %q", r, tt.want)
			}
			if left := p.leftovers(t); left != "" {
				t.Errorf("left behind:\n%s", left)
			}
		})
	}
}

// TestRuncRunsWhatAppSpecPrints hands an app's printed description, beside its image's root, to
// runc of the machine that the tests run on.
func TestRuncRunsWhatAppSpecPrints(t *testing.T) {
	runc, err := exec.LookPath("runc")
	if err != nil {
		t.Skip("runc is not installed: make deps")
	}
	p := newPods(t)
	uuid := p.must(t, "prepare", "--quiet", busybox, "--name=web", "--exec=/bin/sh", "--user=app", "--environment=A=b c", "--working-dir=/home/app", "--rlimit=nofile=77",
		"--caps-retain=CAP_KILL", "--no-new-privileges", "--", "-c", "id -u; pwd; echo $A; ulimit -n; grep -E 'CapBnd|NoNewPrivs|Seccomp:' /proc/self/status | tr -d '\\t' | paste -sd' '; exit 7")
	config := p.must(t, "app", "spec", uuid, "web")
	p.must(t, "image", "extract", "--rootfs-only", busybox, "/srv/functional/runc-rootfs")
	dir := t.TempDir()
	p.Get(t, "/srv/functional/runc-rootfs", filepath.Join(dir, "rootfs"))
	p.MustRun(t, "rm -rf /srv/functional/runc-rootfs")
	if err := os.WriteFile(filepath.Join(dir, "config.json"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	id := "raket-test-" + uuid
	cmd := exec.CommandContext(t.Context(), runc, "--root", t.TempDir(), "run", "--bundle", dir, id)
	out, err := cmd.CombinedOutput()
	if code := cmd.ProcessState.ExitCode(); code != 7 {
		t.Errorf("runc ended with %d (%v): %s", code, err, out)
	}
	want := "1000\n/home/app\nb c\n77\nCapBnd:0000000000000020 NoNewPrivs:1 Seccomp:2\n"
	if string(out) != want {
		t.Errorf("the app wrote %q, want %q", out, want)
	}
}
