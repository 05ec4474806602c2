package tests

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/raket/raket/tests/images"
	"github.com/raket/raket/tests/registry"
	"github.com/raket/raket/tests/testhost"
)

func TestMain(m *testing.M) { os.Exit(testhost.Main(m)) }

// registryAddr is the registry on the host's loopback.
const registryAddr = "127.0.0.1:5000"

// reloaderACI is where the reloader's ACI is on the host.
const reloaderACI = "/srv/reloader.aci"

// env is what a functional test works with.
type env struct {
	*testhost.Host
	// Registry answers at registryAddr; tests push images of their own names to it.
	Registry *registry.Server
}

// furnish makes the shared host ready once.
type furnish struct {
	once     sync.Once
	registry *registry.Server
	err      error
}

var furnished furnish

// newEnv returns the shared host, with the named images in its registry, or skips t with the
// reason why there is none.
func newEnv(t *testing.T) *env {
	t.Helper()
	h := testhost.Shared(t)
	if _, err := os.Stat(h.Path(testhost.BinDir + "/raket")); err != nil {
		t.Fatal("bin/raket is not built: make build")
	}
	furnished.once.Do(func() {
		l, err := h.Listen(registryAddr)
		if err != nil {
			furnished.err = err
			return
		}
		furnished.registry = registry.Serve(l)
		cache, err := images.CacheDir()
		for _, name := range images.Names() {
			if err != nil {
				break
			}
			err = push(t, h, cache, name)
		}
		furnished.err = err
	})
	if furnished.err != nil {
		t.Fatalf("furnish the test host: %v", furnished.err)
	}
	return &env{h, furnished.registry}
}

func push(t *testing.T, h *testhost.Host, cache, name string) error {
	n, err := images.Ensure(t.Context(), cache, name)
	if err != nil {
		return err
	}
	if n.ACI != "" {
		for _, file := range []string{n.ACI, n.ACI + ".asc", n.PublicKey} {
			h.Put(t, file, "/srv/"+filepath.Base(file))
		}
	}
	return n.Image.Push(t.Context(), registryAddr+"/"+name+":"+images.Tag, images.PushOptions{Transport: registry.Client(h.Dial)})
}

// image is the name of a named image for raket.
func image(name string) string { return "docker://" + registryAddr + "/" + name }

// push puts an image of the test's own into the registry and returns its name for raket.
func (e *env) push(t *testing.T, name string, b images.Builder) string {
	t.Helper()
	img, err := b.Image()
	if err == nil {
		err = img.Push(t.Context(), registryAddr+"/"+name+":"+images.Tag, images.PushOptions{Transport: registry.Client(e.Dial)})
	}
	if err != nil {
		t.Fatal(err)
	}
	return image(name)
}

// raket runs a raket command; args is shell text.
func (e *env) raket(t *testing.T, args string) testhost.Result {
	t.Helper()
	return e.Run(t, "raket --insecure-options=image "+args)
}

// runPod runs a pod in the foreground until it ends and removes it afterwards. Its UUID is in
// the second result, or "" when no pod came to be.
func (e *env) runPod(t *testing.T, args string) (testhost.Result, string) {
	t.Helper()
	file := "/run/uuid-" + strings.ReplaceAll(t.Name(), "/", "-")
	r := e.raket(t, fmt.Sprintf("run --quiet --uuid-file-save=%q %s", file, args))
	b, err := os.ReadFile(e.Path(file))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	uuid := strings.TrimSpace(string(b))
	t.Cleanup(func() {
		e.Run(t, "rm -f '"+file+"'")
		if uuid != "" {
			e.Run(t, "raket stop --force "+uuid+"; raket rm "+uuid)
		}
	})
	return r, uuid
}

// startUnit writes NAME.service with raket run and the given arguments as its program, starts
// it, and has it stopped and its pod removed when t ends. Further lines go into [Service].
func (e *env) startUnit(t *testing.T, name, args string, lines ...string) {
	t.Helper()
	unit := fmt.Sprintf(`[Service]
Type=notify
NotifyAccess=main
KillMode=mixed
Delegate=yes
Slice=machine.slice
SuccessExitStatus=133
RestartForceExitStatus=133
TimeoutStartSec=2min
%s
ExecStart=%s/raket --insecure-options=image run --uuid-file-save=/run/%s.uuid %s
`, strings.Join(lines, "\n"), testhost.BinDir, name, args)
	e.WriteFile(t, "/etc/systemd/system/"+name+".service", unit, 0o644)
	t.Cleanup(func() {
		e.Run(t, fmt.Sprintf("systemctl stop %[1]s; raket rm --uuid-file=/run/%[1]s.uuid; rm -f /run/%[1]s.uuid /etc/systemd/system/%[1]s.service; systemctl daemon-reload; systemctl reset-failed %[1]s", name))
	})
	e.MustRun(t, "systemctl daemon-reload; systemctl start "+name)
}

// unitUUID is the UUID of the pod of a unit that startUnit started.
func (e *env) unitUUID(t *testing.T, name string) string {
	t.Helper()
	return strings.TrimSpace(e.ReadFile(t, "/run/"+name+".uuid"))
}

// podState is what "raket list --format=json" says of a pod, as far as tests read it.
type podState struct {
	Name     string   `json:"name"`
	State    string   `json:"state"`
	AppNames []string `json:"app_names"`
}

// pod returns the listed pod, or nil.
func (e *env) pod(t *testing.T, uuid string) *podState {
	t.Helper()
	var pods []podState
	out := e.MustRun(t, "raket list --format=json")
	if err := json.Unmarshal([]byte(out), &pods); err != nil {
		t.Fatalf("raket list --format=json: %v: %s", err, out)
	}
	for _, p := range pods {
		if p.Name == uuid {
			return &p
		}
	}
	return nil
}

// mainPID is the host's PID of an app's first process in a unit's pod: the one in the app's
// control group that is no other's child. A child may have a lower number.
func (e *env) mainPID(t *testing.T, unit, app string) string {
	t.Helper()
	return e.MustRun(t, fmt.Sprintf(`cg=$(systemctl show -P ControlGroup %s); d=/sys/fs/cgroup/systemd; [ -d $d ] || d=/sys/fs/cgroup; find $d$cg -path '*/%s.service/cgroup.procs' -exec cat {} + | sed 's,.*,/proc/&/status,' | xargs sed -n 's/^Pid:.//p; s/^PPid:.//p' 2>/dev/null | paste - - | awk '{parent[$1]=$2} END {for (p in parent) if (!(parent[p] in parent)) print p}' | sort -n | head -1`, unit, app))
}
