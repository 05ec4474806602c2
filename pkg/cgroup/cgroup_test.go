package cgroup

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// envEnter makes the test binary a process that enters the group it names and
// leaves it by ending.
const envEnter = "RAKET_TEST_ENTER"

func TestMain(m *testing.M) {
	if name := os.Getenv(envEnter); name != "" {
		if err := enter(name); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

func enter(name string) error {
	g, err := Current()
	if err != nil {
		return err
	}
	made, err := g.Enter(name)
	if err != nil {
		return errors.Join(err, remove(made))
	}
	inside, err := Current()
	if err != nil {
		return err
	}
	fmt.Println(strings.Join(made, "\n"))
	fmt.Println("in", strings.Join(inside.dirs, " "))
	fmt.Println("alone", g.Alone(), inside.Alone())
	return nil
}

func remove(dirs []string) error {
	var errs []error
	for _, d := range dirs {
		errs = append(errs, Remove(d))
	}
	return errors.Join(errs...)
}

// hierarchies makes the files that stand for mounted hierarchies.
func hierarchies(t *testing.T, names ...string) string {
	t.Helper()
	mount := t.TempDir()
	for _, name := range names {
		dir := filepath.Join(mount, name)
		if err := errors.Join(os.MkdirAll(dir, 0o755), os.WriteFile(filepath.Join(dir, "cgroup.procs"), nil, 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	return mount
}

func TestTheGroupOfAProcess(t *testing.T) {
	for _, tc := range []struct {
		name, text string
		mounted    []string
		want       Group // below the mount point
	}{
		{name: "the unified hierarchy", text: "0::/system.slice/web.service\n", mounted: []string{""}, want: Group{dirs: []string{"system.slice/web.service"}}},
		{name: "legacy ones", text: "3:memory:/m\n2:cpu,cpuacct:/c\n1:name=systemd:/system.slice/web.service\n0::/\n", mounted: []string{"systemd"},
			want: Group{dirs: []string{"systemd/system.slice/web.service"}}},
		{name: "both", text: "1:name=systemd:/a\n0::/b\n", mounted: []string{"systemd", "unified"}, want: Group{dirs: []string{"systemd/a", "unified/b"}}},
		{name: "the root of one", text: "1:name=systemd:/\n0::/b\n", mounted: []string{"systemd", "unified"}, want: Group{dirs: []string{"systemd", "unified/b"}, root: true}},
		{name: "a path with a colon", text: "0::/a:b/c\n", mounted: []string{""}, want: Group{dirs: []string{"a:b/c"}}},
		{name: "nothing mounted", text: "1:name=systemd:/a\n0::/b\n"},
		{name: "no text"},
		{name: "lines of no sense", text: "x\n1:2\n", mounted: []string{""}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			mount := hierarchies(t, tc.mounted...)
			for i, d := range tc.want.dirs {
				tc.want.dirs[i] = filepath.Join(mount, d)
			}
			got, err := read(strings.NewReader(tc.text), mount)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, got, cmp.AllowUnexported(Group{})); diff != "" {
				t.Error("(-want +got):\n" + diff)
			}
		})
	}
}

func TestTheUnitOfAGroup(t *testing.T) {
	for path, want := range map[string]string{
		"/sys/fs/cgroup/system.slice/web.service":                        "web.service",
		"/sys/fs/cgroup/user.slice/user-0.slice/session-1.scope":         "session-1.scope",
		"/sys/fs/cgroup/user.slice/user@0.service/app.slice/x@1.service": "x@1.service",
		"/sys/fs/cgroup/machine.slice/rkt.scope/payload/deep":            "rkt.scope",
		"/sys/fs/cgroup/system.slice/_cgroup.service":                    "cgroup.service",
		"/sys/fs/cgroup/system.slice/__x.service":                        "_x.service",
		`/sys/fs/cgroup/system.slice/a\x2db.service`:                     `a\x2db.service`,
		"/sys/fs/cgroup/system.slice":                                    "",
		"/sys/fs/cgroup":                                                 "",
		"/sys/fs/cgroup/systemd/docker/0123":                             "",
	} {
		got, err := Group{dirs: []string{path}}.unit()
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%s: %q, %v, want %q", path, got, err, want)
		}
	}
	if _, err := (Group{}).unit(); err == nil {
		t.Error("a process in no group is in a unit")
	}
}

func TestAPodsGroupIsMadeEnteredAndRemoved(t *testing.T) {
	g, err := Current()
	if err != nil {
		t.Fatal(err)
	}
	if os.Getuid() != 0 || len(g.dirs) == 0 {
		t.Skipf("making control groups needs root and a hierarchy of systemd's; user %d, %v", os.Getuid(), g.dirs)
	}
	name := fmt.Sprintf("rkt-test-%d", os.Getpid())
	cmd := exec.CommandContext(t.Context(), "/proc/self/exe")
	cmd.Env = append(os.Environ(), envEnter+"="+name)
	var errs strings.Builder
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil && (strings.Contains(errs.String(), "read-only file system") || strings.Contains(errs.String(), "permission denied")) {
		t.Skipf("control groups cannot be made here: %s", errs.String())
	}
	if err != nil {
		t.Fatalf("%v: %s", err, errs.String())
	}
	var made []string
	for _, d := range g.dirs {
		made = append(made, filepath.Join(d, parent, name))
	}
	want := strings.Join(made, "\n") + "\nin " + strings.Join(made, " ") + "\nalone false true\n"
	if diff := cmp.Diff(want, string(out)); diff != "" {
		t.Error("(-want +got):\n" + diff)
	}
	// systemd in the pod made groups below.
	for _, d := range made {
		if err := os.MkdirAll(filepath.Join(d, "payload/system.slice/a.service"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := remove(made); err != nil {
		t.Error(err)
	}
	for _, d := range made {
		if _, err := os.Stat(d); err == nil {
			t.Errorf("%s is still there", d)
		}
	}
	if err := remove(made); err != nil {
		t.Errorf("a second time: %v", err)
	}
}
