package nspawn

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/raket/raket/pkg/appspec"
)

// Dirs are the directories of a pod's root, parents first.
var Dirs = []string{
	"dev", "etc", "etc/systemd", "proc", "raket", "raket/apps", "raket/bin", "raket/fd", "raket/logs", "raket/mux", "raket/status", "raket/units",
	"run", "sys", "tmp", "usr", "var", "root",
}

// Files returns the files of a pod's root by their paths below it.
func Files(uuid string, specs []*appspec.Spec) map[string]string {
	passwd, group := users(specs)
	return map[string]string{
		// With an ID this is no first boot.
		"etc/machine-id": strings.ReplaceAll(uuid, "-", "") + "\n",
		"etc/passwd":     passwd,
		"etc/group":      group,
	}
}

// users returns a passwd and a group with every number that the apps run as:
// systemd refuses to execute as a user that it cannot look up.
func users(specs []*appspec.Spec) (passwd, group string) {
	uids, gids := map[uint32]uint32{}, map[uint32]bool{}
	for _, s := range specs {
		if s.Process == nil {
			continue
		}
		u := s.Process.User
		if u.UID != 0 {
			uids[u.UID] = u.GID
		}
		for _, g := range append([]uint32{u.GID}, u.AdditionalGids...) {
			if g != 0 {
				gids[g] = true
			}
		}
	}
	var p, g strings.Builder
	p.WriteString("root:x:0:0:root:/root:/bin/sh\n")
	for _, uid := range slices.Sorted(maps.Keys(uids)) {
		fmt.Fprintf(&p, "u%d:x:%d:%d::/:/bin/sh\n", uid, uid, uids[uid])
	}
	g.WriteString("root:x:0:\n")
	for _, gid := range slices.Sorted(maps.Keys(gids)) {
		fmt.Fprintf(&g, "g%d:x:%d:\n", gid, gid)
	}
	return p.String(), g.String()
}
