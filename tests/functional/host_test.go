package functional

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/raket/raket/tests/images"
	"github.com/raket/raket/tests/testhost"
)

func TestMain(m *testing.M) { os.Exit(testhost.Main(m)) }

// busybox is the image that apps run unless they say otherwise: busybox, the program notify,
// and the users of images.Busybox.
const busybox = "oci:/srv/functional/busybox:" + images.Tag

var furnished struct {
	once sync.Once
	err  error
}

// pods is a data directory on the shared host.
type pods struct {
	*testhost.Host
	dir string
}

// newPods makes a data directory for t. When t ends, its pods are killed and collected, and
// whatever is left of them is an error.
func newPods(t *testing.T) *pods {
	t.Helper()
	h := testhost.Shared(t)
	if _, err := os.Stat(h.Path(testhost.BinDir + "/raket")); err != nil {
		t.Fatal("bin/raket is not built: make build")
	}
	furnished.once.Do(func() {
		notify, err := images.Program(t.Context(), "notify")
		if furnished.err = err; err == nil {
			putImage(t, h, "busybox", images.Busybox().Layer(notify))
		}
	})
	if furnished.err != nil {
		t.Fatalf("make the busybox image: %v", furnished.err)
	}
	return podsOn(t, h)
}

// podsOn is newPods on a host that has the image of busybox.
func podsOn(t *testing.T, h *testhost.Host) *pods {
	t.Helper()
	p := &pods{h, "/var/lib/raket/" + plain(t.Name())}
	t.Cleanup(func() { p.remove(t) })
	return p
}

// remove takes the data directory away.
func (p *pods) remove(t *testing.T) {
	t.Helper()
	if !p.exists(t, p.dir) {
		return
	}
	p.Run(t, fmt.Sprintf(`for u in $(ls %s/pods/run 2>/dev/null); do %s stop --force $u; done`, p.dir, p.cmd()))
	p.collect(t)
	if left := p.leftovers(t); left != "" {
		t.Errorf("left behind:\n%s", left)
	}
	p.MustRun(t, "rm -rf "+p.dir)
}

// collect runs gc without any grace.
func (p *pods) collect(t *testing.T) {
	t.Helper()
	p.must(t, "gc", "--grace-period=0s", "--expire-prepared=0s")
}

// leftovers lists what pods of the directory left on the host, "" for nothing. A process that
// ends gives up its mounts and its name after the pod's lock, so it is looked at for a while.
func (p *pods) leftovers(t *testing.T) string {
	t.Helper()
	return p.Run(t, fmt.Sprintf(`d=%[1]s; end=$((SECONDS+5)); while
	left=$(find $d/pods -mindepth 2 -maxdepth 2 2>/dev/null
		grep -h " $d/" /proc/[0-9]*/mountinfo 2>/dev/null | sort -u
		grep -l -- "$d/pods" /proc/[0-9]*/cmdline 2>/dev/null; :)
	test -n "$left" && test $SECONDS -lt $end
do sleep 0.05; done; echo -n "$left"`, p.dir)).Stdout
}

func (p *pods) exists(t *testing.T, path string) bool {
	t.Helper()
	return p.Run(t, "test -e "+quote(path)).Code == 0
}

// cmd is the beginning of a shell command line.
func (p *pods) cmd() string { return testhost.BinDir + "/raket --dir=" + p.dir }

// raket runs a raket command from a shell on the host, which stays: a shell that becomes its
// last command would leave raket alone in the unit.
func (p *pods) raket(t *testing.T, args ...string) testhost.Result {
	t.Helper()
	return p.Run(t, p.cmd()+" "+quote(args...)+"; exit $?")
}

// must runs a raket command that has to succeed, and returns what it printed.
func (p *pods) must(t *testing.T, args ...string) string {
	t.Helper()
	return p.MustRun(t, p.cmd()+" "+quote(args...))
}

// run runs a pod to its end.
func (p *pods) run(t *testing.T, flags []string, apps ...app) testhost.Result {
	t.Helper()
	return p.raket(t, runLine(flags, apps...)...)
}

// output runs a pod with one app to its end and returns what the app printed. The app has to
// succeed.
func (p *pods) output(t *testing.T, script string, flags ...string) string {
	t.Helper()
	r := p.run(t, nil, app{script: script, flags: flags})
	if r.Code != 0 {
		t.Fatalf("the app ended with %d; stdout %q, stderr %q", r.Code, r.Stdout, r.Stderr)
	}
	return strings.TrimSuffix(r.Stdout, "\n")
}

// start runs a pod in a transient unit of the host and returns its UUID when every app is
// ready. The unit's name is t's.
func (p *pods) start(t *testing.T, flags []string, apps ...app) (uuid, unit string) {
	t.Helper()
	u := p.unit(t, flags, apps...)
	p.MustRun(t, "systemctl start "+u)
	return p.uuid(t, u), u
}

// app is an app of a pod.
type app struct {
	name   string   // default: app
	image  string   // default: busybox
	script string   // run by the image's shell
	args   []string // in place of script: the app's arguments; nil for the image's own
	own    bool     // run what the image says
	flags  []string
}

func (a app) line() []string {
	name, image := a.name, a.image
	if name == "" {
		name = "app"
	}
	if image == "" {
		image = busybox
	}
	line := append([]string{image, "--name=" + name}, a.flags...)
	switch {
	case a.own:
		return append(line, "--")
	case a.args != nil:
		return append(append(line, "--exec="+a.args[0], "--"), a.args[1:]...)
	}
	return append(line, "--exec=/bin/sh", "--", "-c", a.script)
}

// podLine is the command line of a pod after its verb.
func podLine(flags []string, apps ...app) []string {
	line := append([]string{}, flags...)
	for i, a := range apps {
		if i > 0 {
			line = append(line, "---")
		}
		line = append(line, a.line()...)
	}
	return line
}

func runLine(flags []string, apps ...app) []string {
	return append([]string{"run", "--quiet"}, podLine(offline(flags, apps), apps...)...)
}

// offline says --net=none where the test doesn't care about networks: it is quicker.
func offline(flags []string, apps []app) []string {
	said := slices.Clone(flags)
	for _, a := range apps {
		said = append(said, a.flags...)
	}
	cares := func(f string) bool {
		return strings.HasPrefix(f, "--net") || strings.HasPrefix(f, "--port") || strings.HasPrefix(f, "--stage1")
	}
	if slices.ContainsFunc(said, cares) {
		return flags
	}
	return append([]string{"--net=none"}, flags...)
}

// putImage puts an image on the host and returns its name for raket.
func putImage(t *testing.T, h *testhost.Host, name string, b images.Builder) string {
	t.Helper()
	img, err := b.Image()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir() + "/" + name
	if err := img.Layout(dir, images.Tag); err != nil {
		t.Fatal(err)
	}
	h.MustRun(t, "mkdir -p /srv/functional; rm -rf /srv/functional/"+name)
	h.Put(t, dir, "/srv/functional/"+name)
	return "oci:/srv/functional/" + name + ":" + images.Tag
}

// plain makes a file or unit name of a test's.
func plain(name string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return '-'
	}, strings.ToLower(name))
}

// quote writes words for a shell.
func quote(words ...string) string {
	quoted := make([]string, len(words))
	for i, w := range words {
		quoted[i] = "'" + strings.ReplaceAll(w, "'", `'\''`) + "'"
	}
	return strings.Join(quoted, " ")
}

// podStatus is what "raket status --format=json" says, as far as tests read it.
type podStatus struct {
	UUID  string `json:"name"`
	State string `json:"state"`
	PID   int    `json:"pid"`
	Ready bool   `json:"ready"`
	Apps  []struct {
		Name     string `json:"name"`
		State    string `json:"state"`
		ExitCode *int   `json:"exit_code"`
	} `json:"apps"`
}

// app is the state and exit code of an app, as "running" or "exited 7".
func (s podStatus) app(name string) string {
	for _, a := range s.Apps {
		if a.Name == name {
			if a.ExitCode != nil {
				return fmt.Sprintf("%s %d", a.State, *a.ExitCode)
			}
			return a.State
		}
	}
	return "missing"
}

func (p *pods) status(t *testing.T, uuid string) podStatus {
	t.Helper()
	return decode[podStatus](t, p.must(t, "status", "--format=json", uuid))
}

func (p *pods) list(t *testing.T) []podStatus {
	t.Helper()
	return decode[[]podStatus](t, p.must(t, "list", "--format=json"))
}

func decode[T any](t *testing.T, text string) T {
	t.Helper()
	var v T
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatalf("%v in %q", err, text)
	}
	return v
}
