package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/raket/raket/pkg/approot"
	"github.com/raket/raket/pkg/stageabi"
	"github.com/raket/raket/stage1/nspawn"
	"github.com/raket/raket/stage1/unitgen"
)

// rootDir is the pod's root in the pod's directory: a mount point, empty to
// everybody outside the pod.
const rootDir = "root"

// Paths in the pod's root, of stage2's programs and of what apps share.
const (
	statusPath = "/raket/status" // where exec records the ends of apps
	commonPath = "/raket/common" // a layer of all apps
)

// makeRoot assembles the pod's root in a mount namespace that ends with the pod.
// It is in memory: nobody needs it after the pod, and a pod's start should not
// wait for a disk.
func (p *pod) makeRoot() error {
	for _, d := range [...]string{rootDir, stageabi.StatusDir, stageabi.LogsDir} {
		if err := os.Mkdir(d, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	if err := approot.Isolate(); err != nil {
		return err
	}
	if err := approot.AttachCredentials(p.dir, p.owner); err != nil {
		return err
	}
	if err := hideHostRun(); err != nil {
		return err
	}
	if err := p.openUsers(); err != nil {
		return err
	}
	if err := unix.Mount("raket", rootDir, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=755,size=64m"); err != nil {
		return fmt.Errorf("mount the pod's root: %w", err)
	}
	if err := p.writeRoot(); err != nil {
		return err
	}
	if err := p.ownRoot(); err != nil {
		return err
	}
	if err := p.writeEnvironment(); err != nil {
		return err
	}
	if err := p.mountHost(); err != nil {
		return err
	}
	if err := p.mountMetadata(); err != nil {
		return err
	}
	if err := p.mountForward(); err != nil {
		return err
	}
	if err := p.mountGroups(); err != nil {
		return err
	}
	return p.mountApps()
}

// owner is the user that an app runs as, by the host's numbers.
func (p *pod) owner(app string) (uid, gid int) {
	for i, a := range p.sandbox.Apps {
		if a.Name == app {
			first := p.sandbox.Users.First()
			return first + int(p.specs[i].Process.User.UID), first + int(p.specs[i].Process.User.GID)
		}
	}
	return 0, 0
}

// writeRoot makes the directories and files of the pod's root, its units among
// them.
func (p *pod) writeRoot() error {
	for _, d := range nspawn.Dirs {
		if err := os.Mkdir(filepath.Join(rootDir, d), 0o755); err != nil {
			return err
		}
	}
	if err := linkUsr(); err != nil {
		return err
	}
	for name, content := range nspawn.Files(p.sandbox.UUID, p.specs) {
		if err := os.WriteFile(filepath.Join(rootDir, name), []byte(content), 0o644); err != nil {
			return err
		}
	}
	filters, err := p.filters()
	if err != nil {
		return err
	}
	if err := p.writeSysctls(); err != nil {
		return err
	}
	if err := os.Mkdir(filepath.Join(rootDir, unitgen.FiltersPath), 0o755); err != nil {
		return err
	}
	for path, compiled := range filters {
		if err := os.WriteFile(filepath.Join(rootDir, path), compiled, 0o644); err != nil {
			return err
		}
	}
	return p.writeUnits()
}

// forUnits is what the pod's units are made of.
func (p *pod) forUnits() unitgen.Pod {
	in := unitgen.Pod{OwnUsers: p.sandbox.Users != nil, ExitPolicy: p.sandbox.ExitPolicy, Log: p.log, OpenPaths: p.sandbox.Insecure.Paths, Sockets: p.sandbox.Sockets, Resources: p.limits.pod, Metadata: p.metadata(), Forward: p.forward, TellsOfRestarts: tellsOfRestarts()}
	for i, a := range p.sandbox.Apps {
		app := unitgen.App{Name: a.Name, Image: a.Image, Spec: p.specs[i], Interactive: p.stdin, Credentials: len(a.Credentials) > 0}
		if p.limits.apps != nil {
			app.Groups, app.GroupName = p.limits.apps[i], groupName(a)
		}
		if p.limits.bandwidth != nil {
			app.NetworkBandwidth = p.limits.bandwidth[i]
		}
		in.Apps = append(in.Apps, app)
		if why := unitgen.HealthGap(app); why != "" && !p.quiet {
			fmt.Fprintf(os.Stderr, "raket: app %s: its health is not checked: %s\n", a.Name, why)
		}
	}
	return in
}

func (p *pod) writeUnits() error {
	units, err := unitgen.Generate(p.forUnits())
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
		if err := os.Symlink(name, filepath.Join(dir, alias)); err != nil {
			return err
		}
	}
	return nil
}

// usrLinks are the directories that a merged /usr has instead of its own; where
// a host has them unmerged they are mounted.
var usrLinks = [...]string{"bin", "sbin", "lib", "lib64", "lib32", "libx32"}

func linkUsr() error {
	for _, name := range usrLinks {
		target, err := os.Readlink("/" + name)
		switch {
		case err == nil:
			err = os.Symlink(target, filepath.Join(rootDir, name))
		case errors.Is(err, fs.ErrNotExist):
			continue
		default: // a directory
			err = os.Mkdir(filepath.Join(rootDir, name), 0o755)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// mountHost brings what the pod has of the host's into its root.
func (p *pod) mountHost() error {
	bin := filepath.Join(p.sandbox.Stage1.Dir, "rootfs", "bin")
	binds := []bind{
		{"/usr", "usr", true},
		{bin, "raket/bin", true},
		{filepath.Join(p.dir, stageabi.StatusDir), statusPath, false},
	}
	for _, name := range usrLinks {
		if st, err := os.Lstat("/" + name); err == nil && st.IsDir() {
			binds = append(binds, bind{"/" + name, name, true})
		}
	}
	if shutdown := findShutdown(); shutdown != "" {
		binds = append(binds, bind{filepath.Join(bin, "exit"), shutdown, false})
	}
	if p.opensStreams() {
		binds = append(binds, bind{"/proc/" + strconv.Itoa(os.Getpid()) + "/fd", unitgen.StreamsPath, false})
	}
	if p.stdin == unitgen.InteractiveTerminal {
		if err := os.WriteFile(filepath.Join(rootDir, unitgen.OwnerPath), nil, 0o600); err != nil {
			return err
		}
		owner := filepath.Join(p.dir, ownerSocket)
		if err := p.chown(owner, 0, 0); err != nil {
			return err
		}
		binds = append(binds, bind{owner, unitgen.OwnerPath, false})
	}
	switch p.log.Mode {
	case stageabi.LogFile:
		binds = append(binds, bind{filepath.Join(p.dir, stageabi.LogsDir), unitgen.LogsPath, false})
	}
	if slices.ContainsFunc(p.sandbox.Apps, func(a stageabi.App) bool { return len(a.Credentials) > 0 }) {
		if err := os.Mkdir(filepath.Join(rootDir, unitgen.CredentialsPath), 0o711); err != nil {
			return err
		}
		// Read-only as it is.
		binds = append(binds, bind{filepath.Join(p.dir, approot.CredentialsDir), unitgen.CredentialsPath, false})
	}
	for _, b := range binds {
		if err := b.mount(); err != nil {
			return err
		}
	}
	return nil
}

// mountApps assembles the roots of the apps.
func (p *pod) mountApps() error {
	common := filepath.Join(p.dir, rootDir, commonPath)
	if err := approot.WriteCommon(common, approot.Files(p.sandbox), p.ids); err != nil {
		return fmt.Errorf("make the layer of all apps: %w", err)
	}
	for i, a := range p.sandbox.Apps {
		target := filepath.Join(unitgen.AppsPath, a.Name, stageabi.RootfsDir)
		if err := p.mountApp(approot.ForApp(p.dir, p.sandbox, a, p.specs[i]), target, common); err != nil {
			return fmt.Errorf("app %s: %w", a.Name, err)
		}
	}
	return nil
}

// mountApp assembles an app's root at target in the pod's root, with the layer of all apps
// in common.
func (p *pod) mountApp(r approot.Root, target, common string) error {
	r.IDs = p.ids
	err := os.MkdirAll(filepath.Join(rootDir, target), 0o755)
	if err == nil {
		// Who changes the app later is the pod's root.
		err = errors.Join(p.chown(filepath.Join(rootDir, target), 0, 0), p.chown(filepath.Dir(filepath.Join(rootDir, target)), 0, 0))
	}
	if err == nil && len(r.Lowers) == 0 {
		err = bind{r.Target, target, false}.mount()
	}
	if err == nil {
		err = r.UseCommon(common)
	}
	if err != nil {
		return err
	}
	r.Target = filepath.Join(p.dir, rootDir, target)
	return r.Mount()
}

// bind mounts something of the host's in the pod's root, without what is
// mounted below it.
type bind struct {
	source, target string
	readOnly       bool
}

func (b bind) mount() error {
	target := filepath.Join(rootDir, b.target)
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

// findInit is the host's systemd, which hosts without a merged /usr have elsewhere.
func findInit() string {
	const split = "/lib/systemd/systemd"
	if _, err := os.Stat("/usr" + split); os.IsNotExist(err) {
		return split
	}
	return "/usr" + split
}

// tellsOfRestarts reports whether systemd is one of unitgen.Pod's TellsOfRestarts. Those from
// 255 on have a program that executes services, which costs less to look for than their
// version does to ask for.
func tellsOfRestarts() bool {
	_, err := os.Stat(filepath.Join(filepath.Dir(findInit()), "systemd-executor"))
	return err == nil
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
