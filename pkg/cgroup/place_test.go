package cgroup

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestThePlaceOfAnotherProcess(t *testing.T) {
	for _, tc := range []struct {
		name, text string
		groups     []string // with the files of legacy and unified ones
		tasks      []string
		procs      string
		err        string
	}{
		{name: "the unified hierarchy", text: "0::/a/b\n", groups: []string{"", "a/b"}, procs: "a/b"},
		{name: "legacy ones and both kinds of names", text: "3:cpu,cpuacct:/c\n2:memory,x:/m\n1:name=systemd:/s\n0::/u\n",
			groups: []string{"cpu,cpuacct", "cpu,cpuacct/c", "memory", "memory/m", "systemd", "systemd/s", "unified", "unified/u"},
			tasks:  []string{"cpu,cpuacct/c", "memory/m", "systemd/s"}, procs: "unified/u"},
		{name: "hierarchies that are not mounted", text: "3:pids:/p\n0::/u\n"},
		{name: "a group out of sight", text: "1:name=systemd:/../x\n", err: "out of reach"},
		{name: "a group that is gone", text: "0::/x (deleted)\n", err: "out of reach"},
		{name: "a group that is not there", text: "0::/x\n", groups: []string{""}, err: "no such file"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			mount := t.TempDir()
			for _, g := range tc.groups {
				dir := filepath.Join(mount, g)
				if err := os.MkdirAll(dir, 0o755); err != nil {
					t.Fatal(err)
				}
				for _, name := range []string{"tasks", "cgroup.procs"} {
					if err := os.WriteFile(filepath.Join(dir, name), nil, 0o644); err != nil {
						t.Fatal(err)
					}
				}
			}
			p, err := openPlace(strings.NewReader(tc.text), mount)
			if tc.err != "" {
				if err == nil || !strings.Contains(err.Error(), tc.err) {
					t.Errorf("error %v, want %q", err, tc.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			var tasks []string
			for _, f := range p.Tasks {
				tasks = append(tasks, strings.TrimPrefix(filepath.Dir(f.Name()), mount+"/"))
			}
			procs := ""
			if p.Procs != nil {
				procs = strings.TrimPrefix(filepath.Dir(p.Procs.Name()), mount+"/")
			}
			if diff := cmp.Diff(tc.tasks, tasks); diff != "" || procs != tc.procs {
				t.Errorf("%q, want %q (-want +got):\n%s", procs, tc.procs, diff)
			}
			if err := p.MoveThread(); err != nil {
				t.Error(err)
			}
			if err := p.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}
