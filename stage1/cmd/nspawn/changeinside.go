package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/raket/raket/pkg/sd"
	"github.com/raket/raket/pkg/stageabi"
	"github.com/raket/raket/stage1/nspawn"
	"github.com/raket/raket/stage1/unitgen"
)

// changer carries out a plan, in the pod.
type changer struct {
	plan
	systemd *sd.Manager
	hold    *os.File
}

// changeInside carries out the plan on standard input.
func changeInside(ctx context.Context, stdin io.Reader) (err error) {
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGTERM)
	defer stop()
	c := changer{}
	if err := json.NewDecoder(stdin).Decode(&c.plan); err != nil {
		return fmt.Errorf("read the plan: %w", err)
	}
	if err := join(); err != nil {
		return err
	}
	syscall.Umask(0o022)
	if c.systemd, err = c.connect(ctx); err != nil {
		return err
	}
	defer c.systemd.Close()
	switch {
	case c.Replace:
		return c.replace(ctx)
	case c.Previous:
		return c.dropPrevious()
	case c.Restore:
		return c.restore(ctx)
	case c.Verb == addVerb:
		return c.add(ctx)
	case c.Verb == startVerb:
		return c.start(ctx)
	case c.Verb == stopVerb:
		return c.stop(ctx)
	}
	return c.remove(ctx)
}

// dir is where the app is in the pod's root; root and previous are mount points in it.
func (c *changer) dir() string      { return filepath.Join(unitgen.AppsPath, c.App) }
func (c *changer) root() string     { return filepath.Join(c.dir(), stageabi.RootfsDir) }
func (c *changer) previous() string { return filepath.Join(c.dir(), "previous") }

// add brings the app in. What was killed at that before is undone first.
func (c *changer) add(ctx context.Context) error {
	if err := c.clear(ctx); err != nil {
		return err
	}
	if err := c.attach(c.Root, c.root()); err != nil {
		return err
	}
	if err := c.writeFiles(); err != nil {
		return err
	}
	return c.sync(ctx, c.Units)
}

// attach mounts a detached mount.
func (c *changer) attach(tree int, target string) error {
	if err := os.MkdirAll(target, 0o755); err != nil {
		return err
	}
	if err := unix.MoveMount(tree, "", unix.AT_FDCWD, target, unix.MOVE_MOUNT_F_EMPTY_PATH); err != nil {
		return fmt.Errorf("mount the app's root in the pod: %w", err)
	}
	return makePrivate(target)
}

// makePrivate parts what is mounted at path from its copies: what is unmounted in one of several
// that are shared goes in all.
func makePrivate(path string) error {
	if err := unix.Mount("", path, "", unix.MS_PRIVATE|unix.MS_REC, ""); err != nil {
		return fmt.Errorf("make the mounts at %s private: %w", path, err)
	}
	return nil
}

// writeFiles writes what the app needs beside its root and units.
func (c *changer) writeFiles() error {
	for path, content := range c.Files {
		if err := replaceFile(path, content); err != nil {
			return err
		}
	}
	if c.Unfiltered {
		if err := removeFile(unitgen.FilterPath(c.App)); err != nil {
			return err
		}
	}
	for controller, tree := range c.Groups {
		target := filepath.Join(unitgen.GroupsPath, controller)
		if _, err := os.Stat(filepath.Join(target, "cgroup.procs")); err == nil {
			continue // mounted for another app
		}
		if err := c.attach(tree, target); err != nil {
			return err
		}
	}
	return nil
}

// halfMade begins the name of a file that is to be another.
const halfMade = ".new-"

// replaceFile replaces a file in one step, unless it has the content already.
func replaceFile(path string, content []byte) error {
	if have, err := os.ReadFile(path); err == nil && bytes.Equal(have, content) {
		return nil
	}
	tmp := filepath.Join(filepath.Dir(path), halfMade+filepath.Base(path))
	if err := os.WriteFile(tmp, content, 0o644); err != nil {
		return err
	}
	return os.Rename(tmp, path)
}

func removeFile(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// sync has the app's unit files be these, and what others have to do with it, and systemd know
// them. A systemd that has seen no unit of a name finds it without reading all others again.
func (c *changer) sync(ctx context.Context, units map[string][]byte) error {
	had, err := unitsOf(c.App)
	if err != nil {
		return err
	}
	reload := false
	// Of a change that was killed.
	half, err := filepath.Glob(filepath.Join(nspawn.UnitsPath, halfMade+"*"))
	for _, path := range half {
		err = errors.Join(err, removeFile(path))
	}
	if err != nil {
		return err
	}
	for _, name := range had {
		if units[name] == nil {
			reload = true
			if err := removeFile(filepath.Join(nspawn.UnitsPath, name)); err != nil {
				return err
			}
		}
	}
	var concerned []string
	for name, text := range units {
		path := filepath.Join(nspawn.UnitsPath, name)
		have, err := os.ReadFile(path)
		same := err == nil && bytes.Equal(have, text)
		if !same || unitgen.Besides(c.App, name) {
			concerned = append(concerned, name)
		}
		if same {
			continue
		}
		reload = reload || err == nil
		if err := replaceFile(path, text); err != nil {
			return err
		}
	}
	if reload {
		if err := c.systemd.Reload(ctx); err != nil {
			return err
		}
	}
	slices.Sort(concerned)
	return c.loaded(ctx, concerned, reload)
}

// loaded sees to it that systemd has the units as their files are.
func (c *changer) loaded(ctx context.Context, units []string, reloaded bool) error {
	for _, name := range units {
		stale, err := c.systemd.Stale(ctx, name)
		if err != nil {
			return err
		}
		if !stale {
			continue
		}
		if reloaded {
			return fmt.Errorf("the pod's systemd does not take the unit %s of app %s", name, c.App)
		}
		if err := c.systemd.Reload(ctx); err != nil {
			return err
		}
		return c.loaded(ctx, units, true)
	}
	return nil
}

// unitsOf are the names of an app's unit files.
func unitsOf(app string) ([]string, error) {
	entries, err := os.ReadDir(nspawn.UnitsPath)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		if unitgen.Besides(app, e.Name()) {
			names = append(names, e.Name())
		}
	}
	return names, nil
}

// stop stops the app. That it stops badly is no failure that ends the pod.
func (c *changer) stop(ctx context.Context) error {
	if err := c.sync(ctx, c.Calm); err != nil {
		return err
	}
	return c.stopUnits(ctx)
}

func (c *changer) stopUnits(ctx context.Context) error {
	names, err := unitsOf(c.App)
	if err != nil {
		return err
	}
	// Timer and sockets first: none is to start the app again. Who holds its streams last: what
	// records its end has them too.
	last := func(name string) int {
		if name == unitgen.MuxUnit(c.App) {
			return 1
		}
		return 0
	}
	slices.SortFunc(names, func(a, b string) int {
		return cmp.Or(cmp.Compare(last(a), last(b)), cmp.Compare(filepath.Ext(b), filepath.Ext(a)))
	})
	for _, name := range names {
		if slices.Contains(c.Given, name) {
			continue
		}
		if c.Force && name == c.App+".service" {
			c.systemd.Kill(ctx, name)
		}
		if err := c.stopUnit(ctx, name); err != nil {
			return err
		}
	}
	return c.forgetUp()
}

// remove takes out what there is of the app, which somebody has stopped.
func (c *changer) remove(ctx context.Context) error {
	if err := c.clear(ctx); err != nil {
		return err
	}
	for _, record := range c.records() {
		if err := errors.Join(removeFile(record), removeFile(aside(record))); err != nil {
			return err
		}
	}
	return c.sync(ctx, c.Units) // of others, which had to do with it
}

// records are the files in which it is recorded how the app ended, and how its health is.
func (c *changer) records() []string {
	return []string{filepath.Join(statusPath, c.App), filepath.Join(statusPath, ".health-"+c.App)}
}

// aside is where a record is while its app is replaced.
func aside(record string) string {
	return filepath.Join(filepath.Dir(record), ".old-"+strings.TrimPrefix(filepath.Base(record), "."))
}

// forgetUp forgets whether an app has been up, which others may wait for.
func (c *changer) forgetUp() error {
	return errors.Join(removeFile("/run/raket/"+c.App+".up"), removeFile("/run/raket/"+c.App+".lost"))
}

func (c *changer) clear(ctx context.Context) error {
	names, err := unitsOf(c.App)
	if err != nil {
		return err
	}
	if err := c.stopUnits(ctx); err != nil {
		return err
	}
	for _, name := range names {
		c.systemd.Forget(ctx, name)
		if err := removeFile(filepath.Join(nspawn.UnitsPath, name)); err != nil {
			return err
		}
	}
	for _, path := range []string{c.root(), c.previous()} {
		if err := unmountAll(path); err != nil {
			return err
		}
		if c.covered(path) {
			return removeFile(unitgen.FilterPath(c.App))
		}
		if err := removeFile(path); err != nil {
			return err
		}
	}
	return errors.Join(removeFile(c.dir()), removeFile(unitgen.FilterPath(c.App)))
}

// keepPod keeps a pod that ends with its apps, and starts that wait, until this process ends or
// lets it go.
func (c *changer) keepPod(ctx context.Context) (letGo func(), err error) {
	if c.hold, err = os.OpenFile(unitgen.HoldPath, os.O_RDWR|os.O_CREATE|unix.O_CLOEXEC, 0o600); err != nil {
		return nil, err
	}
	if err := unix.Flock(int(c.hold.Fd()), unix.LOCK_EX); err != nil {
		return nil, err
	}
	letGo = func() { _ = c.hold.Close() }
	if c.Hold == nil {
		return letGo, nil
	}
	if err := replaceFile(filepath.Join(nspawn.UnitsPath, unitgen.HoldUnit), c.Hold); err != nil {
		return nil, err
	}
	if err := c.loaded(ctx, []string{unitgen.HoldUnit}, false); err != nil {
		return nil, err
	}
	return letGo, c.systemd.Start(ctx, unitgen.HoldUnit)
}
