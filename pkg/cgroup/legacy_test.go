package cgroup

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestWhereLegacyGroupsAre(t *testing.T) {
	mount := hierarchies(t, "memory", "cpu,cpuacct", "systemd")
	if err := os.Symlink("cpu,cpuacct", filepath.Join(mount, "cpu")); err != nil {
		t.Fatal(err)
	}
	const web = "3:memory:/\n2:cpu,cpuacct:/system.slice\n1:name=systemd:/system.slice/web.service\n"
	for _, tc := range []struct {
		name, text, controller string
		systemd                bool
		want                   string
	}{
		{"below the unit, which the hierarchy has not", web, "memory", true, "memory/system.slice/web.service/x"},
		{"in a hierarchy that controllers share", web, "cpu", true, "cpu,cpuacct/system.slice/web.service/x"},
		{"below the process's own group where that is deeper", "3:memory:/system.slice/web.service/deep\n1:name=systemd:/system.slice/web.service\n", "memory", true, "memory/system.slice/web.service/deep/x"},
		{"or elsewhere", "3:memory:/other\n1:name=systemd:/system.slice/web.service\n", "memory", true, "memory/other/x"},
		{"a name that only begins like the unit's", "3:memory:/system.slice/we\n1:name=systemd:/system.slice/web.service\n", "memory", true, "memory/system.slice/we/x"},
		{"beside other pods where there is no systemd", "3:memory:/a\n1:name=systemd:/b\n", "memory", false, "memory/a/raket/x"},
		{"no such controller", web, "pids", true, ""},
		{"one that is not mounted", "3:pids:/\n", "pids", true, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			l, err := readLegacy(strings.NewReader(tc.text), mount)
			if err != nil {
				t.Fatal(err)
			}
			got, err := l.Dir(tc.controller, "x", tc.systemd)
			if tc.want == "" {
				if !errors.Is(err, ErrNoController) {
					t.Errorf("got %q, %v", got, err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			root, err := filepath.EvalSymlinks(mount)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(filepath.Join(root, tc.want), got); diff != "" {
				t.Error("(-want +got):\n" + diff)
			}
		})
	}
}

func TestLegacyGroupsAreMadeAndTakeProcesses(t *testing.T) {
	if os.Getuid() != 0 || Unified() {
		t.Skip("making groups of the legacy hierarchies needs root and such a hierarchy")
	}
	l, err := CurrentLegacy()
	if err != nil {
		t.Fatal(err)
	}
	for _, controller := range []string{"memory", "pids", "cpuset"} {
		t.Run(controller, func(t *testing.T) {
			dir, err := l.Dir(controller, "rkt-test-"+controller, false)
			if errors.Is(err, ErrNoController) {
				t.Skip(err)
			}
			if err != nil {
				t.Fatal(err)
			}
			inner := filepath.Join(dir, "app")
			if err := Make(inner); err != nil {
				if errors.Is(err, os.ErrPermission) || strings.Contains(err.Error(), "read-only") {
					t.Skipf("groups cannot be made here: %v", err)
				}
				t.Fatal(err)
			}
			if err := Make(inner); err != nil {
				t.Errorf("a second time: %v", err)
			}
			// An empty list would refuse every process.
			if b, err := os.ReadFile(filepath.Join(inner, "cpuset.cpus")); err == nil && strings.TrimSpace(string(b)) == "" {
				t.Error("the group has no CPUs")
			}
			if err := Remove(dir); err != nil {
				t.Error(err)
			}
			if _, err := os.Stat(dir); err == nil {
				t.Error("the group is still there")
			}
		})
	}
}
