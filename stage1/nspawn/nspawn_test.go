package nspawn_test

import (
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/raket/raket/pkg/appspec"
	"github.com/raket/raket/pkg/stageabi"
	"github.com/raket/raket/stage1/nspawn"
)

var update = flag.Bool("update", false, "rewrite the golden files")

const uuid = "0c5ab1b6-7d0f-4f1e-9a43-1f1f3c8e2a55"

func config(change func(*nspawn.Config)) nspawn.Config {
	c := nspawn.Config{
		Root: "/var/lib/raket/pods/run/" + uuid + "/root", Machine: "rkt-" + uuid, UUID: uuid, Hostname: "rkt-" + uuid,
		Network: stageabi.Network{Mode: stageabi.NetNone}, Log: stageabi.LogConsole,
	}
	change(&c)
	return c
}

func TestArguments(t *testing.T) {
	for name, change := range map[string]func(*nspawn.Config){
		"console-no-network": func(*nspawn.Config) {},
		"journal-host-network": func(c *nspawn.Config) {
			c.Network.Mode, c.Log, c.JournalDir = stageabi.NetHost, stageabi.LogJournal, "/run/systemd/journal"
		},
		"debug-capabilities": func(c *nspawn.Config) {
			c.Debug, c.Capabilities, c.Hostname = true, []string{"CAP_SYS_TIME", "CAP_NET_ADMIN"}, "web.example"
		},
	} {
		t.Run(name, func(t *testing.T) {
			got := strings.Join(nspawn.Argv(config(change)), "\n") + "\n"
			golden := filepath.Join("testdata", name)
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Error("arguments, one a line (-want +got), -update rewrites them:\n" + diff)
			}
		})
	}
}

// What comes from outside is never an argument of its own.
func TestNoValueBecomesAnOption(t *testing.T) {
	c := config(func(c *nspawn.Config) {
		c.Root, c.Hostname, c.Machine, c.Capabilities = "--bind=/", "--private-users=no", "-b", []string{"--x"}
	})
	before, _, _ := strings.Cut(strings.Join(nspawn.Argv(c), "\n"), "\n--\n")
	for _, bad := range []string{"--bind=/", "--private-users=no", "-b", "--x"} {
		if slices.Contains(strings.Split(before, "\n"), bad) {
			t.Errorf("%s is an argument", bad)
		}
	}
}

func TestEnvironment(t *testing.T) {
	env := []string{"PATH=/bin", "SYSTEMD_SECCOMP=1", "RAKET_LOCK_FD=3", "RAKET_STAGE1=/x", "RAKET_DEBUG=1", "NOTIFY_SOCKET=/run/n", "LISTEN_FDS=1", "SYSTEMD_SECCOMPX=1"}
	kept := []string{"PATH=/bin", "NOTIFY_SOCKET=/run/n", "LISTEN_FDS=1", "SYSTEMD_SECCOMPX=1"}
	given := slices.Clone(env)
	if diff := cmp.Diff(append(slices.Clone(kept), "SYSTEMD_SECCOMP=0"), nspawn.Env(config(func(*nspawn.Config) {}), env)); diff != "" {
		t.Error("with a filter of ours (-want +got):\n" + diff)
	}
	if diff := cmp.Diff(kept, nspawn.Env(config(func(c *nspawn.Config) { c.Seccomp = true }), env)); diff != "" {
		t.Error("with nspawn's filter (-want +got):\n" + diff)
	}
	if diff := cmp.Diff(given, env); diff != "" {
		t.Error("the caller's was changed (-want +got):\n" + diff)
	}
}

func TestThePodKnowsTheNumbersOfItsApps(t *testing.T) {
	user := func(uid, gid uint32, more ...uint32) *appspec.Spec {
		return &appspec.Spec{Process: &appspec.Process{User: appspec.User{UID: uid, GID: gid, AdditionalGids: more}}}
	}
	for _, tc := range []struct {
		name          string
		specs         []*appspec.Spec
		passwd, group string
	}{
		{name: "root alone", specs: []*appspec.Spec{user(0, 0)}},
		{name: "no app"},
		{name: "a spec without a process", specs: []*appspec.Spec{{}}},
		{name: "a user", specs: []*appspec.Spec{user(1000, 100)}, passwd: "u1000:x:1000:100::/:/bin/sh\n", group: "g100:x:100:\n"},
		{name: "root with another group", specs: []*appspec.Spec{user(0, 12, 4)}, group: "g4:x:4:\ng12:x:12:\n"},
		{name: "each number once, in order", specs: []*appspec.Spec{user(1000, 100, 33), user(33, 33), user(1000, 100, 0)},
			passwd: "u33:x:33:33::/:/bin/sh\nu1000:x:1000:100::/:/bin/sh\n", group: "g33:x:33:\ng100:x:100:\n"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			want := map[string]string{
				"etc/machine-id": "0c5ab1b67d0f4f1e9a431f1f3c8e2a55\n",
				"etc/passwd":     "root:x:0:0:root:/root:/bin/sh\n" + tc.passwd,
				"etc/group":      "root:x:0:\n" + tc.group,
			}
			if diff := cmp.Diff(want, nspawn.Files(uuid, tc.specs)); diff != "" {
				t.Error("(-want +got):\n" + diff)
			}
		})
	}
}

func TestDirectoriesComeAfterTheirParents(t *testing.T) {
	seen := map[string]bool{".": true}
	for _, d := range nspawn.Dirs {
		if !seen[filepath.Dir(d)] {
			t.Errorf("%s before its parent", d)
		}
		seen[d] = true
	}
	if !seen[strings.TrimPrefix(nspawn.UnitsPath, "/")] {
		t.Error("no directory for the units")
	}
}
