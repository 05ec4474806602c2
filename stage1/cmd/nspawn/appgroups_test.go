package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/raket/raket/pkg/stageabi"
)

func TestGroupsOfAnAppAreRemoved(t *testing.T) {
	t.Chdir(t.TempDir())
	must(t, removeGroups("a", "")) // none are noted
	memory, devices := t.TempDir(), t.TempDir()
	gone := filepath.Join(memory, "gone")
	must(t, os.WriteFile(groupsFile, []byte(memory+"\n"+devices+"\n"+gone+"\n"), 0o644))
	now := groupName(stageabi.App{Name: "a", Added: time.Unix(1700000000, 1)})
	if strings.Trim(now, "abcdefghijklmnopqrstuvwxyz0123456789.") != "" || groupName(stageabi.App{Name: "a"}) != "a" {
		t.Fatalf("the group of an added app is %s", now)
	}
	for _, g := range []string{memory + "/a", memory + "/a.old", memory + "/" + now, memory + "/ab", memory + "/ab.1", devices + "/a.old", devices + "/b"} {
		must(t, os.Mkdir(g, 0o755))
	}
	left := func() string {
		var names []string
		for _, dir := range []string{memory, devices} {
			entries, err := os.ReadDir(dir)
			must(t, err)
			for _, e := range entries {
				names = append(names, e.Name())
			}
		}
		return strings.Join(names, " ")
	}
	must(t, removeGroups("a", now), removeGroups("a", now))
	if diff := cmp.Diff(now+" ab ab.1 b", left()); diff != "" {
		t.Errorf("left (-want +got):\n%s", diff)
	}
	must(t, removeGroups("a", ""))
	if diff := cmp.Diff("ab ab.1 b", left()); diff != "" {
		t.Errorf("left (-want +got):\n%s", diff)
	}
}
