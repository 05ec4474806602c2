package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const cgroupMount = "/sys/fs/cgroup"

// cgroup2Magic is CGROUP2_SUPER_MAGIC of linux/magic.h.
const cgroup2Magic = 0x63677270

// hierarchies says where this process stands in the two cgroup hierarchies that matter here: the unified one, which counts
// CPU time without any controller, and systemd's named v1 one, which nspawn uses on hybrid layouts.
type hierarchies struct {
	unified string // directory of this process's cgroup in the v2 hierarchy
	systemd string // the same in name=systemd; empty where the layout is purely v2
}

// findHierarchies reads /proc/self/cgroup (cgroups(7)) and finds the mounts of a purely unified or a hybrid layout.
func findHierarchies() (hierarchies, error) {
	data, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return hierarchies{}, err
	}
	var h hierarchies
	for line := range strings.Lines(string(data)) {
		parts := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(parts) != 3 {
			continue
		}
		switch {
		case parts[0] == "0":
			for _, mount := range []string{cgroupMount + "/unified", cgroupMount} {
				if isCgroup2(mount) {
					h.unified = filepath.Join(mount, parts[2])
					break
				}
			}
		case parts[1] == "name=systemd":
			h.systemd = filepath.Join(cgroupMount, "systemd", parts[2])
		}
	}
	if h.unified == "" {
		return h, errors.New("find a cgroup v2 hierarchy: neither /sys/fs/cgroup nor /sys/fs/cgroup/unified is one")
	}
	return h, nil
}

func isCgroup2(path string) bool {
	var st syscall.Statfs_t
	return syscall.Statfs(path, &st) == nil && st.Type == cgroup2Magic
}

// hybrid tells whether v1 controllers are mounted beside the unified hierarchy.
func (h hierarchies) hybrid() bool { return h.systemd != "" }

// group is the cgroup of one run, in each of the hierarchies.
type group struct {
	dir    string   // in the unified hierarchy
	v1     string   // in name=systemd; may be empty
	escape []string // further v2 cgroups a contender is known to put processes in
	base   time.Duration
	fd     *os.File
}

// newGroup makes the cgroup NAME below this process's own.
func (h hierarchies) newGroup(name string, escape []string) (_ *group, err error) {
	g := &group{dir: filepath.Join(h.unified, name), escape: escape}
	if h.systemd != "" {
		g.v1 = filepath.Join(h.systemd, name)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, g.remove(context.Background()))
		}
	}()
	for _, dir := range []string{g.dir, g.v1} {
		if dir != "" {
			if err := os.Mkdir(dir, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
				return g, fmt.Errorf("make run cgroup: %w", err)
			}
		}
	}
	if g.fd, err = os.Open(g.dir); err != nil {
		return g, fmt.Errorf("open run cgroup: %w", err)
	}
	return g, nil
}

// adopt moves a process into the v1 side, and counts CPU time from now on. It must be in the unified side already.
func (g *group) adopt(pid int) (err error) {
	if g.v1 != "" {
		if err := os.WriteFile(filepath.Join(g.v1, "cgroup.procs"), []byte(strconv.Itoa(pid)), 0); err != nil {
			return fmt.Errorf("enter run cgroup: %w", err)
		}
	}
	g.base, err = g.total()
	return err
}

// cpu is the user and system time of every process that has been in the cgroup or below it.
func (g *group) cpu() (time.Duration, error) {
	t, err := g.total()
	return t - g.base, err
}

func (g *group) total() (time.Duration, error) {
	sum, err := cpuUsage(g.dir)
	for _, dir := range g.escape {
		if t, err := cpuUsage(dir); err == nil { // made by the contender at its first start
			sum += t
		}
	}
	return sum, err
}

// cpuUsage reads usage_usec of cpu.stat (kernel: Documentation/admin-guide/cgroup-v2.rst, CPU).
func cpuUsage(dir string) (time.Duration, error) {
	data, err := os.ReadFile(filepath.Join(dir, "cpu.stat"))
	if err != nil {
		return 0, err
	}
	for line := range bytes.Lines(data) {
		if v, ok := bytes.CutPrefix(line, []byte("usage_usec ")); ok {
			us, err := strconv.ParseInt(string(bytes.TrimSpace(v)), 10, 64)
			return time.Duration(us) * time.Microsecond, err
		}
	}
	return 0, fmt.Errorf("read %s/cpu.stat: no usage_usec", dir)
}

// pids lists the processes in the cgroup and below it, in the order of their numbers.
func (g *group) pids() ([]int, error) {
	return pidsBelow(append([]string{g.dir}, g.escape...)...)
}

func pidsBelow(roots ...string) ([]int, error) {
	var all []int
	for _, root := range roots {
		err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			if err != nil || !d.IsDir() {
				return nil // a cgroup that went away meanwhile
			}
			data, err := os.ReadFile(filepath.Join(path, "cgroup.procs"))
			if err != nil {
				return nil
			}
			sc := bufio.NewScanner(bytes.NewReader(data))
			for sc.Scan() {
				if pid, err := strconv.Atoi(sc.Text()); err == nil && pid > 0 {
					all = append(all, pid)
				}
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	slices.Sort(all)
	return slices.Compact(all), nil
}

// waitEmpty returns when no process is left, or with an error after the limit.
func (g *group) waitEmpty(ctx context.Context, limit time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for {
		pids, err := g.pids()
		if err != nil || len(pids) == 0 {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%d processes of the run are left, the first is %d", len(pids), pids[0])
		case <-tick.C:
		}
	}
}

// kill ends whatever is left of the run; only its own cgroups are touched.
func (g *group) kill() {
	for _, dir := range append([]string{g.dir}, g.escape...) {
		if os.WriteFile(filepath.Join(dir, "cgroup.kill"), []byte("1"), 0) == nil {
			continue
		}
		// Kernels before 5.14 have no cgroup.kill.
		pids, err := pidsBelow(dir)
		for _, pid := range pids {
			if err == nil {
				_ = syscall.Kill(pid, syscall.SIGKILL)
			}
		}
	}
}

// remove kills what is left and takes the cgroups away.
func (g *group) remove(ctx context.Context) error {
	if g.fd != nil {
		_ = g.fd.Close()
	}
	g.kill()
	err := g.waitEmpty(ctx, 10*time.Second)
	for _, dir := range []string{g.dir, g.v1} {
		if dir != "" {
			err = errors.Join(err, removeCgroups(dir))
		}
	}
	return err
}

// removeCgroups removes a tree of empty cgroups, the deepest first. The kernel lets go of a cgroup a moment after its last
// process, hence the patience.
func removeCgroups(root string) error {
	var dirs []string
	_ = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			dirs = append(dirs, path)
		}
		return nil
	})
	slices.Reverse(dirs)
	for _, dir := range dirs {
		err := syscall.Rmdir(dir)
		for try := 0; errors.Is(err, syscall.EBUSY) && try < 500; try++ {
			time.Sleep(2 * time.Millisecond)
			err = syscall.Rmdir(dir)
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("remove cgroup %s: %w", dir, err)
		}
	}
	return nil
}
