package cgroup

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Legacy is the caller's place in the hierarchies of cgroup v1 that have
// controllers.
type Legacy struct {
	mount string
	// paths has a controller's group, as proc_pid_cgroup(5) has it.
	paths map[string]string
	// unit is the group in systemd's own hierarchy, where it is not the root.
	unit string
}

// CurrentLegacy returns the caller's place.
func CurrentLegacy() (Legacy, error) { return legacyOf("self") }

// LegacyOf returns the place of what a process is in, so many groups above its own in
// systemd's hierarchy.
func LegacyOf(pid, above int) (Legacy, error) {
	l, err := legacyOf(strconv.Itoa(pid))
	for range above {
		l.unit = filepath.Dir(l.unit)
	}
	return l, err
}

func legacyOf(process string) (Legacy, error) {
	f, err := os.Open("/proc/" + process + "/cgroup")
	if err != nil {
		return Legacy{}, err
	}
	defer f.Close()
	return readLegacy(f, mountPoint)
}

func readLegacy(r io.Reader, mount string) (Legacy, error) {
	l := Legacy{mount: mount, paths: map[string]string{}}
	sc := bufio.NewScanner(r)
	for sc.Scan() {
		fields := strings.SplitN(sc.Text(), ":", 3)
		if len(fields) != 3 || fields[1] == "" {
			continue
		}
		if fields[1] == "name=systemd" {
			l.unit = filepath.Clean(fields[2])
			continue
		}
		for c := range strings.SplitSeq(fields[1], ",") {
			if !strings.Contains(c, "=") {
				l.paths[c] = filepath.Clean(fields[2])
			}
		}
	}
	return l, sc.Err()
}

// ErrNoController says that this kernel, or this host, has no such controller.
var ErrNoController = errors.New("the host has no such control group controller")

// Dir is where the group of that name belongs in a controller's hierarchy, as an
// absolute path; it need not exist. On a host of systemd's it is below the group of
// the caller's unit, made or not: systemd removes that with all below when the unit
// ends. Elsewhere it is beside those of other pods.
func (l Legacy) Dir(controller, name string, systemd bool) (string, error) {
	path, ok := l.paths[controller]
	root := filepath.Join(l.mount, controller)
	if st, err := os.Stat(filepath.Join(root, "cgroup.procs")); !ok || err != nil || !st.Mode().IsRegular() {
		return "", fmt.Errorf("%s: %w", controller, ErrNoController)
	}
	// "cpu" is a link where it shares a hierarchy with "cpuacct".
	root, err := filepath.EvalSymlinks(root)
	if err != nil {
		return "", err
	}
	if !systemd {
		return filepath.Join(root, path, parent, name), nil
	}
	if within(l.unit, path) {
		path = l.unit
	}
	return filepath.Join(root, path, name), nil
}

// within reports whether path is dir or below it.
func within(path, dir string) bool {
	return dir == "/" || path == dir || strings.HasPrefix(path, dir+"/")
}

// Make makes the group dir and those above it that are not there. What a group has
// to be told before it takes processes, it is told.
func Make(dir string) error {
	if _, err := os.Stat(filepath.Join(dir, "cgroup.procs")); err == nil {
		return nil
	}
	above := filepath.Dir(dir)
	if above == dir || above == mountPoint {
		return fmt.Errorf("make control group %s: %w", dir, fs.ErrNotExist)
	}
	if err := Make(above); err != nil {
		return err
	}
	if err := os.Mkdir(dir, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("make control group: %w", err)
	}
	for _, name := range [...]string{"cpuset.cpus", "cpuset.mems"} {
		own, err := os.ReadFile(filepath.Join(dir, name))
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil || strings.TrimSpace(string(own)) != "" {
			continue
		}
		text, err := os.ReadFile(filepath.Join(above, name))
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, name), text, 0)
		}
		if err != nil {
			return fmt.Errorf("make control group: %w", err)
		}
	}
	return nil
}

// Unified reports whether the unified hierarchy has the controllers of this host.
func Unified() bool {
	_, err := os.Stat(filepath.Join(mountPoint, "cgroup.controllers"))
	return err == nil
}

// Controllers are those that groups below g can have, of the unified hierarchy.
func (g Group) Controllers() ([]string, error) {
	for _, d := range g.dirs {
		b, err := os.ReadFile(filepath.Join(d, "cgroup.controllers"))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		return strings.Fields(string(b)), err
	}
	return nil, nil
}
