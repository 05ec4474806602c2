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

// mountPoint is where every distribution mounts the hierarchies.
const mountPoint = "/sys/fs/cgroup"

// parent is the directory, below the caller's own group, that holds the groups
// of pods.
const parent = "raket"

// Group is the place of a process in the hierarchies that systemd uses: the
// unified one and, on legacy hosts, "name=systemd".
type Group struct {
	dirs []string // absolute
	root bool     // one of them is the root of its hierarchy
}

// Current returns the caller's group.
func Current() (Group, error) { return of("self") }

// Of returns the group of a process.
func Of(pid int) (Group, error) { return of(strconv.Itoa(pid)) }

// Above is the group that g is in.
func (g Group) Above() Group {
	var above Group
	for _, d := range g.dirs {
		above.dirs = append(above.dirs, filepath.Dir(d))
	}
	return above
}

func of(process string) (Group, error) {
	f, err := os.Open("/proc/" + process + "/cgroup")
	if err != nil {
		return Group{}, err
	}
	defer f.Close()
	return read(f, mountPoint)
}

// read reads what proc_pid_cgroup(5) describes, of hierarchies mounted below
// mount.
func read(r io.Reader, mount string) (Group, error) {
	var g Group
	sc := bufio.NewScanner(r)
	for sc.Scan() {
		fields := strings.SplitN(sc.Text(), ":", 3)
		if len(fields) != 3 {
			continue
		}
		root := ""
		switch fields[1] {
		case "name=systemd":
			root = filepath.Join(mount, "systemd")
		case "":
			root = mount
			if _, err := os.Stat(filepath.Join(mount, "unified")); err == nil {
				root = filepath.Join(mount, "unified")
			}
		default:
			continue
		}
		if _, err := os.Stat(filepath.Join(root, "cgroup.procs")); err == nil {
			g.dirs = append(g.dirs, filepath.Join(root, fields[2]))
			g.root = g.root || fields[2] == "/"
		}
	}
	return g, sc.Err()
}

// Alone reports whether the caller is the only process of its group, and the
// group is not the root: somebody made it for the caller.
func (g Group) Alone() bool {
	for _, d := range g.dirs {
		procs, err := os.ReadFile(filepath.Join(d, "cgroup.procs"))
		if err != nil || strings.TrimSpace(string(procs)) != strconv.Itoa(os.Getpid()) {
			return false
		}
	}
	return len(g.dirs) > 0 && !g.root
}

// Enter makes the group of that name below g and moves the caller into it. It
// returns the directories made, for Remove.
func (g Group) Enter(name string) ([]string, error) {
	var made []string
	for _, d := range g.dirs {
		dir := filepath.Join(d, parent, name)
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return made, fmt.Errorf("make control group: %w", err)
		}
		made = append(made, dir)
		if err := os.WriteFile(filepath.Join(dir, "cgroup.procs"), []byte(strconv.Itoa(os.Getpid())), 0); err != nil {
			return made, fmt.Errorf("enter control group: %w", err)
		}
	}
	return made, nil
}

// Remove removes the empty group dir and the empty groups below it, and the
// directory that holds the groups of pods if it was the last. A group that has
// processes stays, with an error.
func Remove(dir string) error {
	var dirs []string
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err == nil && e.IsDir() {
			dirs = append(dirs, path)
		}
		return err
	})
	errs := []error{err}
	for i := len(dirs) - 1; i >= 0; i-- {
		if err := os.Remove(dirs[i]); err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	if p := filepath.Dir(dir); filepath.Base(p) == parent {
		_ = os.Remove(p) // not empty while other pods are there
	}
	return errors.Join(errs...)
}

// Unit is the unit of the host's systemd that the caller runs in: the innermost
// service or scope of its group. The error says so if it is in none.
func Unit() (string, error) {
	g, err := Current()
	if err != nil {
		return "", err
	}
	return g.unit()
}

func (g Group) unit() (string, error) {
	for _, d := range g.dirs {
		for ; d != "/" && d != mountPoint; d = filepath.Dir(d) {
			if b := filepath.Base(d); strings.HasSuffix(b, ".service") || strings.HasSuffix(b, ".scope") {
				return unescape(b), nil
			}
		}
	}
	return "", errors.New("this process is in no unit of systemd's")
}

// unescape undoes cg_escape (systemd, src/basic/cgroup-util.c): a name that
// could be the kernel's own carries an underscore.
func unescape(name string) string { return strings.TrimPrefix(name, "_") }
