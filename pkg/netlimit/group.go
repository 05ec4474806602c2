package netlimit

import (
	"errors"
	"os"
	"path"
	"strings"

	"golang.org/x/sys/unix"
)

// mountPoints are where the unified hierarchy is, on hosts that have others beside it and on
// those that have only it.
var mountPoints = [...]string{"/sys/fs/cgroup/unified", "/sys/fs/cgroup"}

// ErrNoHierarchy says that there is no unified hierarchy, by which groups could be told apart.
var ErrNoHierarchy = errors.New("there is no hierarchy of cgroup v2")

// Group is a control group of the unified hierarchy.
type Group struct {
	id    uint64
	depth int // below the root that the caller sees
	name  string
}

// Own returns the caller's group. Of a unit whose processes make groups themselves it is the
// unit's, not the one below it in which systemd starts what belongs to the unit.
func Own() (Group, error) {
	text, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return Group{}, err
	}
	dir, err := unifiedPath(string(text))
	if err != nil {
		return Group{}, err
	}
	for _, mount := range mountPoints {
		var fs unix.Statfs_t
		if unix.Statfs(mount, &fs) != nil || fs.Type != unix.CGROUP2_SUPER_MAGIC {
			continue
		}
		var st unix.Stat_t
		if err := unix.Stat(mount+dir, &st); err != nil {
			return Group{}, &os.PathError{Op: "stat", Path: mount + dir, Err: err}
		}
		return Group{id: st.Ino, depth: strings.Count(strings.TrimSuffix(dir, "/"), "/"), name: path.Base(dir)}, nil
	}
	return Group{}, ErrNoHierarchy
}

// OfUnit reports whether g is that of a unit (CONTROL_GROUP_INTERFACE of systemd: names of
// groups that would mean something to the kernel are escaped).
func (g Group) OfUnit(name string) bool {
	return strings.TrimPrefix(g.name, "_") == strings.TrimPrefix(name, "_")
}

// unifiedPath finds the group in what proc_pid_cgroup(5) describes.
func unifiedPath(text string) (string, error) {
	for line := range strings.Lines(text) {
		dir, ok := strings.CutPrefix(strings.TrimSuffix(line, "\n"), "0::")
		switch {
		case !ok:
			continue
		case !path.IsAbs(dir) || path.Clean(dir) != dir || strings.HasPrefix(dir, "/.."):
			return "", errors.New("the process is in no group that it can see: " + dir)
		}
		if path.Base(dir) == ".control" {
			dir = path.Dir(dir)
		}
		return dir, nil
	}
	return "", ErrNoHierarchy
}
