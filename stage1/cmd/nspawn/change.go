package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/raket/raket/pkg/approot"
	"github.com/raket/raket/pkg/appspec"
	"github.com/raket/raket/pkg/capset"
	"github.com/raket/raket/pkg/stageabi"
	"github.com/raket/raket/stage1/network"
	"github.com/raket/raket/stage1/nspawn"
	"github.com/raket/raket/stage1/unitgen"
)

// changeApp is one of the entrypoints app/add, app/start, app/stop and app/rm. What the
// change takes is made here, on the host; a child that joins the pod does it.
func changeApp(verb string, args []string) error {
	c := change{plan: plan{Verb: verb}}
	uuid, err := c.parse(args)
	if err != nil {
		return fmt.Errorf("app/%s: %w", verb, err)
	}
	if err := c.load(uuid); err != nil {
		return err
	}
	if err := c.units(); err != nil {
		return err
	}
	if verb == removeVerb {
		return c.remove()
	}
	if verb == addVerb && !c.plan.Restore {
		if err := c.bring(); err != nil {
			return err
		}
	}
	if err := c.do(); err != nil || !c.plan.Restore {
		return err
	}
	return removeGroups(c.plan.App, groupName(c.app))
}

// change is a change to one app of the running pod.
type change struct {
	plan plan
	pod  *pod // with the one app
	app  stageabi.App
	// old is the app that is replaced.
	old *pod
	// bundle is the directory of the app's bundle below AppsDir.
	bundle string
	all    []*appspec.Spec // of all apps of the pod, and the new one
	whole  unitgen.Pod     // as the pod's description has it
	files  []*os.File      // for the child, from descriptor 3 on
}

func (c *change) parse(args []string) (uuid string, err error) {
	for len(args) > 0 && strings.HasPrefix(args[0], "--") {
		name, value, _ := strings.Cut(args[0], "=")
		switch {
		case name == "--replace" && c.plan.Verb == addVerb:
			c.plan.Replace = true
		case name == "--restore" && c.plan.Verb == addVerb:
			c.plan.Restore = true
		case name == "--start" && c.plan.Restore:
			c.plan.Start = true
		case name == "--previous" && c.plan.Verb == removeVerb:
			c.plan.Previous = true
		case name == "--restart" && c.plan.Verb == startVerb:
			c.plan.Restart = true
		case name == "--force" && c.plan.Verb == stopVerb:
			c.plan.Force = true
		case name == "--settle" && c.plan.Replace:
			if c.plan.Settle, err = time.ParseDuration(value); err != nil {
				return "", err
			}
		case name == "--wait" && c.plan.Replace:
			if c.plan.Wait, err = time.ParseDuration(value); err != nil {
				return "", err
			}
		default:
			return "", fmt.Errorf("unknown option %q", args[0])
		}
		args = args[1:]
	}
	if len(args) != 2 || args[1] == "" || strings.ContainsAny(args[1], "/.\n") {
		return "", errors.New("want the pod's UUID and an app's name")
	}
	c.plan.App = args[1]
	return args[0], nil
}

// load reads what there is of the pod and the app.
func (c *change) load(uuid string) error {
	place, err := stageabi.ReadLogPlace(".")
	if err != nil {
		return fmt.Errorf("the pod is not running: %w", err)
	}
	p, err := load(uuid, place.Mode)
	if err != nil {
		return err
	}
	if p.sandbox.Interactive {
		return errors.New("the pod is interactive: its app is the one it was started with")
	}
	p.log.HostUnit = place.Unit
	if p.sandbox.Users != nil {
		c.plan.Owner = p.sandbox.Users.First()
	}
	if err := p.openUsers(); err != nil {
		return err
	}
	if err := p.loadForward(); err != nil {
		return err
	}
	if p.leader, err = leader(); err != nil {
		return err
	}
	if p.sandbox.Network.Mode == stageabi.NetCNI {
		status, err := stageabi.ReadNetworkStatus(".")
		if err != nil {
			return err
		}
		network.Complete(&p.sandbox, status)
	}
	c.all = p.specs
	box := p.sandbox
	c.bundle = c.plan.App
	pending := box.Change != nil && box.Change.App.Name == c.plan.App
	switch {
	case c.plan.Replace && (!pending || box.Change.Op != stageabi.ChangeReplace):
		return fmt.Errorf("nothing is to replace app %s", c.plan.App)
	case pending && (c.plan.Verb == removeVerb || c.plan.Replace || box.Change.Op == stageabi.ChangeAdd):
		c.app = box.Change.App
		c.bundle = filepath.Base(box.Change.BundlePath("."))
	default:
		var ok bool
		if c.app, ok = box.Find(c.plan.App); !ok {
			return fmt.Errorf("the pod has no app %s", c.plan.App)
		}
	}
	p.quiet = true
	if err := p.countGroups(); err != nil {
		return err
	}
	c.whole = p.forUnits()
	if c.plan.Verb == removeVerb {
		c.pod = p
		return nil
	}
	if c.plan.Replace {
		old, ok := box.Find(c.plan.App)
		if !ok {
			return fmt.Errorf("the pod has no app %s", c.plan.App)
		}
		if c.old, err = p.only(old, old.Name, box.Sockets); err != nil {
			return err
		}
	}
	sockets := box.Sockets
	if pending && (c.plan.Replace || box.Change.Op == stageabi.ChangeAdd) {
		sockets = box.Change.Sockets
	}
	if c.pod, err = p.only(c.app, c.bundle, sockets); err != nil {
		return err
	}
	c.all = append(c.all, c.pod.specs...)
	return nil
}

// only is the pod with one app alone.
func (p *pod) only(a stageabi.App, bundle string, sockets []stageabi.Socket) (*pod, error) {
	one := *p
	one.quiet = true
	spec, err := approot.ReadSpec(".", bundle)
	if err != nil {
		return nil, fmt.Errorf("app %s: %w", a.Name, err)
	}
	if err := addMetadataURL(p.sandbox, spec); err != nil {
		return nil, err
	}
	one.sandbox.Apps, one.specs = []stageabi.App{a}, []*appspec.Spec{spec}
	one.sandbox.Sockets = slices.DeleteFunc(slices.Clone(sockets), func(s stageabi.Socket) bool { return s.App != a.Name })
	return &one, nil
}

// bring makes what the app needs in the pod beside its units.
func (c *change) bring() error {
	p := c.pod
	if err := p.checkProtections(); err != nil {
		return err
	}
	if err := p.checkCapabilities(); err != nil {
		return err
	}
	if err := approot.KeepCredentials(); err != nil {
		return err
	}
	// Only what raket makes itself has them: the pod's systemd would look for them in the pod's own root.
	if app := p.forUnits().Apps[0]; app.Credentials && unitgen.SystemdRoot(app) {
		return fmt.Errorf("app %s has credentials, and properties for which systemd makes its root: an app that is added to a running pod cannot have both", app.Name)
	}
	var err error
	if c.plan.Files, err = p.filters(); err != nil {
		return err
	}
	c.plan.Unfiltered = len(c.plan.Files) == 0
	for name, text := range nspawn.Files(p.sandbox.UUID, c.all) {
		if name == "etc/passwd" || name == "etc/group" {
			c.plan.Files["/"+name] = []byte(text)
		}
	}
	c.plan.Groups = map[string]int{}
	for controller, dir := range p.limits.groups {
		f, err := cloneMount(dir, 0)
		if err != nil {
			return fmt.Errorf("limit app %s: %w", c.app.Name, err)
		}
		c.plan.Groups[controller] = c.pass(f)
	}
	root, err := c.assemble()
	if err != nil {
		return fmt.Errorf("app %s: %w", c.app.Name, err)
	}
	c.plan.Root = c.pass(root)
	return nil
}

func (c *change) pass(f *os.File) int {
	c.files = append(c.files, f)
	return len(c.files) + 2
}

// checkCapabilities refuses an app that may have what the pod may not.
func (p *pod) checkCapabilities() error {
	have, err := p.bounding()
	if err != nil {
		return err
	}
	var missing []string
	for _, name := range (&pod{specs: p.specs}).capabilities() {
		if capset.Mask([]string{name})&^have != 0 {
			missing = append(missing, name)
		}
	}
	if len(missing) > 0 {
		return fmt.Errorf("app %s may have %s, and the pod was started without: start it with --capability=%s",
			p.sandbox.Apps[0].Name, strings.Join(missing, ", "), strings.Join(missing, ","))
	}
	return nil
}

// assemble makes the app's root in a mount namespace of one thread's, and returns a copy of it
// that is mounted nowhere. Thread and namespace end with it.
func (c *change) assemble() (root *os.File, err error) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // to the end
		root, err = c.assembleHere()
	}()
	<-done
	return root, err
}

func (c *change) assembleHere() (*os.File, error) {
	if err := approot.Isolate(); err != nil {
		return nil, err
	}
	if err := unix.Mount("raket", rootDir, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=755,size=1m"); err != nil {
		return nil, err
	}
	p := c.pod
	common := filepath.Join(p.dir, rootDir, "common")
	if err := approot.WriteCommon(common, approot.Files(p.sandbox), p.ids); err != nil {
		return nil, err
	}
	a := c.app
	a.Name = c.bundle
	owner := func(string) (uid, gid int) { return p.owner(c.app.Name) }
	if err := approot.AttachCredentials(p.dir, owner); err != nil {
		return nil, err
	}
	const target = "app"
	if err := p.mountApp(approot.ForApp(p.dir, p.sandbox, a, p.specs[0]), target, common); err != nil {
		return nil, err
	}
	return cloneMount(filepath.Join(rootDir, target), unix.AT_RECURSIVE)
}

// cloneMount returns a copy of what is mounted at path.
func cloneMount(path string, flags uint) (*os.File, error) {
	fd, err := unix.OpenTree(unix.AT_FDCWD, path, flags|unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("copy the mount at %s: %w", path, err)
	}
	return os.NewFile(uintptr(fd), path), nil
}

// do has the plan carried out.
func (c *change) do() error {
	text, err := json.Marshal(c.plan)
	if err != nil {
		return err
	}
	// Whoever holds the lock of the apps is at work: this process and its child.
	if fd, err := strconv.Atoi(os.Getenv(stageabi.EnvLockFD)); err == nil {
		c.pass(os.NewFile(uintptr(fd), "lock"))
	}
	cmd := exec.Command("/proc/self/exe")
	cmd.Args = []string{changeName}
	cmd.Stdin, cmd.ExtraFiles = bytes.NewReader(text), c.files
	asked := make(chan os.Signal, 1)
	signal.Notify(asked, syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP)
	// Away from the terminal: a signal comes by way of this process, once.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := startInPod(cmd, c.pod.leader); err != nil {
		return err
	}
	go func() {
		for range asked {
			_ = cmd.Process.Signal(syscall.SIGTERM)
		}
	}()
	code, err := exitCode(cmd.Wait())
	if err == nil && code != 0 && code != stageabi.ExitCommand {
		err = fmt.Errorf("the pod has ended, or what changed it was killed (status %d)", code)
	}
	if err == nil && code != 0 {
		err = errSaid
	}
	return err
}

// errSaid is an error that a child has printed.
var errSaid = errors.New("")

// remove takes the app out of the pod, and what the host has of it.
func (c *change) remove() error {
	if err := c.do(); err != nil {
		return err
	}
	if err := c.detachOriginal(); err != nil {
		return err
	}
	keep := ""
	if c.plan.Previous {
		keep = groupName(c.app)
	}
	return removeGroups(c.plan.App, keep)
}

// detachOriginal undoes the mounts of an app that was there at the pod's start: those from which
// the pod's are copies, in the namespace of the process that is the pod.
func (c *change) detachOriginal() (err error) {
	pid, err := os.ReadFile(stageabi.PIDFile)
	if err != nil {
		return err
	}
	path := filepath.Join(c.pod.dir, rootDir, unitgen.AppsPath, c.plan.App, stageabi.RootfsDir)
	ns, err := os.Open("/proc/" + strings.TrimSpace(string(pid)) + "/ns/mnt")
	if err != nil {
		return err
	}
	defer ns.Close()
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // to the end
		if err = unix.Unshare(unix.CLONE_FS); err == nil {
			err = unix.Setns(int(ns.Fd()), unix.CLONE_NEWNS)
		}
		if err == nil {
			err = unmountAll(path)
		}
	}()
	<-done
	return err
}

// unmountAll detaches everything that is mounted at path.
func unmountAll(path string) error {
	for {
		err := unix.Unmount(path, unix.MNT_DETACH|unix.UMOUNT_NOFOLLOW)
		if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOENT) {
			return nil // nothing is
		}
		if err != nil {
			return fmt.Errorf("unmount %s: %w", path, err)
		}
	}
}
