package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/raket/raket/pkg/approot"
	"github.com/raket/raket/pkg/appspec"
	"github.com/raket/raket/pkg/cgroup"
	"github.com/raket/raket/pkg/journalstream"
	"github.com/raket/raket/pkg/stageabi"
	"github.com/raket/raket/stage1/nspawn"
	"github.com/raket/raket/stage1/podfilter"
	"github.com/raket/raket/stage1/unitgen"
)

// rootDir is the pod's root in the pod's directory.
const rootDir = "root"

// runPod turns this process into the pod. It returns only with an error.
func runPod(args []string) error {
	mode, args := stageabi.LogMode(""), slices.Clone(args)
	if len(args) > 0 {
		if v, ok := strings.CutPrefix(args[0], "--log="); ok {
			mode, args = stageabi.LogMode(v), args[1:]
		}
	}
	if len(args) != 1 || mode == "" {
		return errors.New("run: want --log=MODE and the pod's UUID")
	}
	// Namespaces belong to threads; the one that executes nspawn is this one.
	runtime.LockOSThread()
	// Users of apps reach their roots through what is made here.
	syscall.Umask(0o022)
	p, err := load(args[0], mode)
	if err != nil {
		return err
	}
	path, err := exec.LookPath("systemd-nspawn")
	if err != nil {
		return fmt.Errorf("systemd-nspawn is not installed (Debian: apt install systemd-container; --stage1-name=fly runs one app without it): %w", err)
	}
	if err := p.enterGroup(); err != nil {
		return err
	}
	if p.log.Mode == stageabi.LogJournal {
		if p.log.HostUnit, err = cgroup.Unit(); err != nil {
			return err
		}
	}
	if err := stageabi.WriteLogPlace(".", stageabi.LogPlace{Mode: p.log.Mode, Unit: p.log.HostUnit}); err != nil {
		return err
	}
	if err := p.writeRoot(); err != nil {
		return fmt.Errorf("make the pod's root: %w", err)
	}
	if err := p.mount(); err != nil {
		return err
	}
	if err := os.WriteFile(stageabi.PIDFile, []byte(strconv.Itoa(os.Getpid())+"\n"), 0o644); err != nil {
		return err
	}
	if err := shareStreams(p.log); err != nil {
		return err
	}
	c := p.config()
	if podfilter.Available(c.Capabilities) {
		c.Seccomp = false
		if err := podfilter.Install(); err != nil {
			return err
		}
	}
	argv, env := nspawn.Argv(c), nspawn.Env(c, os.Environ())
	return fmt.Errorf("execute %s: %w", path, syscall.Exec(path, argv, env))
}

// pod is a pod about to run.
type pod struct {
	dir     string // absolute
	sandbox stageabi.Sandbox
	specs   []*appspec.Spec // in the order of sandbox.Apps
	log     unitgen.Log
	stage1  string
}

func load(uuid string, mode stageabi.LogMode) (*pod, error) {
	dir, err := os.Getwd()
	if err != nil {
		return nil, err
	}
	p := &pod{dir: dir}
	if p.sandbox, err = stageabi.ReadSandbox("."); err != nil {
		return nil, err
	}
	if p.sandbox.UUID != uuid {
		return nil, fmt.Errorf("the working directory is of pod %s, not of %s", p.sandbox.UUID, uuid)
	}
	p.stage1 = p.sandbox.Stage1.Dir
	for _, a := range p.sandbox.Apps {
		b, err := os.ReadFile(filepath.Join(stageabi.AppPath(".", a.Name), stageabi.SpecFile))
		if err != nil {
			return nil, err
		}
		spec, err := appspec.Parse(b)
		if err != nil {
			return nil, fmt.Errorf("app %s: %w", a.Name, err)
		}
		p.specs = append(p.specs, spec)
	}
	p.log = unitgen.Log{Mode: mode}
	return p, nil
}

// writeRoot makes the directories and files of the pod's root, its units among
// them.
func (p *pod) writeRoot() error {
	for _, d := range append([]string{""}, nspawn.Dirs...) {
		if err := os.Mkdir(filepath.Join(rootDir, d), 0o755); err != nil && !os.IsExist(err) {
			return err
		}
	}
	for _, link := range [...][2]string{
		{rootDir + unitgen.LogsPath, stageabi.LogsDir}, {rootDir + statusPath, stageabi.StatusDir},
	} {
		if err := os.Symlink(link[0], link[1]); err != nil && !os.IsExist(err) {
			return err
		}
	}
	if err := p.linkUsr(); err != nil {
		return err
	}
	for name, content := range nspawn.Files(p.sandbox.UUID, p.specs) {
		if err := os.WriteFile(filepath.Join(rootDir, name), []byte(content), 0o644); err != nil {
			return err
		}
	}
	return p.writeUnits()
}

// statusPath is where exec records the ends of apps, in the pod's root.
const statusPath = "/raket/status"

func (p *pod) writeUnits() error {
	in := unitgen.Pod{ExitPolicy: p.sandbox.ExitPolicy, Log: p.log}
	for i, a := range p.sandbox.Apps {
		in.Apps = append(in.Apps, unitgen.App{Name: a.Name, Image: a.Image, Spec: p.specs[i]})
	}
	units, err := unitgen.Generate(in)
	if err != nil {
		return err
	}
	dir := filepath.Join(rootDir, nspawn.UnitsPath)
	for name, text := range units {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o644); err != nil {
			return err
		}
	}
	for alias, name := range unitgen.Aliases() {
		if err := os.Symlink(name, filepath.Join(dir, alias)); err != nil && !os.IsExist(err) {
			return err
		}
	}
	return nil
}

// usrLinks are the directories that a merged /usr has instead of its own; where
// a host has them unmerged they are mounted.
var usrLinks = [...]string{"bin", "sbin", "lib", "lib64", "lib32", "libx32"}

func (p *pod) linkUsr() error {
	for _, name := range usrLinks {
		target, err := os.Readlink("/" + name)
		switch {
		case err == nil:
			err = os.Symlink(target, filepath.Join(rootDir, name))
		case os.IsNotExist(err):
			continue
		default: // a directory
			err = os.Mkdir(filepath.Join(rootDir, name), 0o755)
		}
		if err != nil && !os.IsExist(err) {
			return err
		}
	}
	return nil
}

// mount assembles the pod's root in a mount namespace that ends with the pod.
func (p *pod) mount() error {
	if err := approot.Isolate(); err != nil {
		return err
	}
	if err := hideHostRun(); err != nil {
		return err
	}
	root := filepath.Join(p.dir, rootDir)
	binds := []bind{
		{"/usr", "usr", true},
		{filepath.Join(p.stage1, "rootfs", "bin"), "raket/bin", true},
		{filepath.Join(p.dir, stageabi.AppsDir), unitgen.AppsPath, false},
	}
	for _, name := range usrLinks {
		if st, err := os.Lstat("/" + name); err == nil && st.IsDir() {
			binds = append(binds, bind{"/" + name, name, true})
		}
	}
	if shutdown := findShutdown(); shutdown != "" {
		binds = append(binds, bind{filepath.Join(p.stage1, "rootfs", "bin", "exit"), shutdown, false})
	}
	if p.log.Mode == stageabi.LogConsole {
		binds = append(binds, bind{"/proc/" + strconv.Itoa(os.Getpid()) + "/fd", "raket/fd", false})
	}
	for _, b := range binds {
		if err := b.mount(root); err != nil {
			return err
		}
	}
	return p.mountApps()
}

// commonDir, in the pod's directory, is a layer of all its apps.
const commonDir = "common"

// mountApps assembles the roots of the apps where the pod's root has them: the
// directory of the apps is a mount there.
func (p *pod) mountApps() error {
	common := filepath.Join(p.dir, commonDir)
	if err := approot.WriteCommon(common, approot.Files(p.sandbox)); err != nil {
		return fmt.Errorf("make the layer of all apps: %w", err)
	}
	for i, a := range p.sandbox.Apps {
		r := approot.ForApp(p.dir, p.sandbox, a, p.specs[i])
		r.Target = filepath.Join(p.dir, rootDir, unitgen.AppsPath, a.Name, stageabi.RootfsDir)
		err := r.UseCommon(common)
		if err == nil {
			err = r.Mount()
		}
		if err != nil {
			return fmt.Errorf("app %s: %w", a.Name, err)
		}
	}
	return nil
}

// bind mounts something of the host's in the pod's root, without what is
// mounted below it.
type bind struct {
	source, target string
	readOnly       bool
}

func (b bind) mount(root string) error {
	target := filepath.Join(root, b.target)
	if err := unix.Mount(b.source, target, "", unix.MS_BIND, ""); err != nil {
		return fmt.Errorf("mount %s in the pod's root: %w", b.source, err)
	}
	if !b.readOnly {
		return nil
	}
	if err := unix.Mount("", target, "", unix.MS_REMOUNT|unix.MS_BIND|unix.MS_RDONLY, ""); err != nil {
		return fmt.Errorf("make %s read-only in the pod's root: %w", b.source, err)
	}
	return nil
}

// findShutdown is the program that the pod's systemd executes when it has
// stopped everything, below /.
func findShutdown() string {
	for _, p := range [...]string{"usr/lib/systemd/systemd-shutdown", "lib/systemd/systemd-shutdown"} {
		if _, err := os.Stat("/" + p); err == nil {
			return p
		}
	}
	return ""
}

// hideHostRun gives nspawn a directory of its own for its marks and locks where
// /run is on a disk: it would complain about removing things there.
func hideHostRun() error {
	var st unix.Statfs_t
	if err := unix.Statfs("/run", &st); err != nil || st.Type == unix.TMPFS_MAGIC {
		return err
	}
	const dir = "/run/systemd/nspawn"
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	return unix.Mount("tmpfs", dir, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=755,size=1m")
}

func (p *pod) config() nspawn.Config {
	c := nspawn.Config{
		Root:         filepath.Join(p.dir, rootDir),
		Machine:      "rkt-" + p.sandbox.UUID,
		UUID:         p.sandbox.UUID,
		Hostname:     p.sandbox.Hostname,
		Network:      p.sandbox.Network,
		Capabilities: p.capabilities(),
		Log:          p.log.Mode,
		Seccomp:      true,
		Debug:        os.Getenv(stageabi.EnvDebug) == "1",
	}
	if p.log.Mode == stageabi.LogJournal {
		c.JournalDir = filepath.Dir(journalstream.SocketPath)
	}
	return c
}

// capabilities are all that any app of the pod may have.
func (p *pod) capabilities() []string {
	var caps []string
	for _, s := range p.specs {
		if s.Process.Capabilities != nil {
			caps = append(caps, s.Process.Capabilities.Bounding...)
		}
	}
	slices.Sort(caps)
	return slices.Compact(caps)
}
