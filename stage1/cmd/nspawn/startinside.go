package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"github.com/raket/raket/pkg/sd"
	"github.com/raket/raket/pkg/stageabi"
	"github.com/raket/raket/stage1/unitgen"
)

// start starts the app, and returns when its program is executed and, where it says when it is
// ready, has said so.
func (c *changer) start(ctx context.Context) error {
	if !c.Restart {
		if err := c.sync(ctx, c.Units); err != nil {
			return err
		}
		return c.startUnits(ctx, c.Starts)
	}
	letGo, err := c.keepPod(ctx)
	if err != nil {
		return err
	}
	defer letGo()
	if err := c.stop(ctx); err != nil {
		return err
	}
	if err := c.sync(ctx, c.Units); err != nil {
		return err
	}
	return c.startUnits(ctx, c.Starts)
}

// startUnits starts units of the app.
func (c *changer) startUnits(ctx context.Context, units []string) error {
	before, err := c.service(ctx)
	if err != nil {
		return err
	}
	for _, name := range units {
		c.systemd.Forget(ctx, name)
		err := c.systemd.Start(ctx, name)
		if ctx.Err() != nil {
			return fmt.Errorf("app %s: %w", c.App, err)
		}
		if name != c.App+".service" {
			if err != nil {
				return err
			}
			continue
		}
		if err := c.executed(ctx, before, err); err != nil {
			return err
		}
	}
	return nil
}

func (c *changer) service(ctx context.Context) (sd.Service, error) {
	return c.systemd.Service(ctx, c.App+".service")
}

// lookAgain is how often an app that starts is looked at: systemd does not tell when a program
// executes another.
const lookAgain = 2 * time.Millisecond

// executed returns when the app's program has been executed, and has run for the time it has
// to prove itself. job is how systemd's job to start it ended.
func (c *changer) executed(ctx context.Context, before sd.Service, job error) error {
	var helper unix.Stat_t
	if err := unix.Stat(unitgen.ExecPath, &helper); err != nil {
		return err
	}
	tick := time.NewTicker(lookAgain)
	defer tick.Stop()
	var settled time.Time
	for {
		s, err := c.service(ctx)
		if err != nil {
			return err
		}
		switch {
		case job == nil && !c.Replace && ranBriefly(s):
			return nil
		case s.Active == "failed", s.Sub == "auto-restart", s.Restarts > 0 && s.Started.After(before.Started):
			return fmt.Errorf("app %s does not start: it %s", c.App, fate(s))
		case s.Active == "inactive" && job != nil:
			return fmt.Errorf("app %s: %w", c.App, job)
		case s.Active == "inactive", s.Active == "active" && s.MainPID == 0:
			return nil // it has done its work
		case s.Active == "active" && c.isApp(s.MainPID, helper):
			now := time.Now()
			if settled.IsZero() {
				settled = now.Add(c.Settle)
			}
			if !now.Before(settled) {
				return nil
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// ranBriefly reports whether the app's program was executed, and has failed by itself since: no
// matter of its start.
func ranBriefly(s sd.Service) bool {
	return (s.Active == "failed" || s.Sub == "auto-restart") && s.Code != 0 && (s.Result == "signal" || s.Result == "core-dump" ||
		s.Result == "exit-code" && s.Status < helperFails)
}

// helperFails is the lowest exit status of the program that starts apps, for want of what it takes.
const helperFails = stageabi.ExitExec

// isApp reports whether a process executes something else than the helper that starts apps.
func (c *changer) isApp(pid int, helper unix.Stat_t) bool {
	var st unix.Stat_t
	err := unix.Stat("/proc/"+strconv.Itoa(pid)+"/exe", &st)
	return err == nil && (st.Dev != helper.Dev || st.Ino != helper.Ino)
}

// fate says how the app's last run ended.
func fate(s sd.Service) string {
	const killed, dumped = 2, 3
	switch {
	case s.Code == 0 || s.Result == "resources" || s.Result == "start-limit-hit":
		return "was not executed (" + s.Result + ")"
	case s.Code == killed, s.Code == dumped:
		name := unix.SignalName(unix.Signal(s.Status))
		if s.Result == "timeout" || s.Result == "watchdog" || s.Result == "oom-kill" {
			return "was killed by " + name + " (" + s.Result + ")"
		}
		return "was killed by " + name
	case s.Status == stageabi.ExitExec:
		return "cannot be executed (status 203)"
	case s.Status == stageabi.ExitNamespace:
		return "has no root (status 226)"
	case s.Result == "protocol":
		return "ended before it was ready"
	case s.Result == "timeout":
		return "was not ready in time"
	}
	return "exited with status " + strconv.Itoa(s.Status)
}

// replace puts the app in the place of the one of its name: that is stopped only when all is
// there, and starts again if the new one does not start.
func (c *changer) replace(ctx context.Context) (err error) {
	letGo, err := c.keepPod(ctx)
	if err != nil {
		return err
	}
	defer letGo()
	if err := c.keepFilter(); err != nil {
		return err
	}
	// From here on whoever finds previous puts that back.
	if err := c.copyMountAt(c.root(), c.previous()); err != nil {
		return err
	}
	wasRunning, err := c.swap(ctx)
	if err == nil {
		err = c.startUnits(ctx, c.Starts)
	}
	if err == nil {
		err = c.sync(ctx, c.Units) // from now on its end may end the pod
	}
	if err == nil {
		// It may have failed before that.
		var s sd.Service
		if s, err = c.service(ctx); err == nil && s.Active == "failed" {
			err = fmt.Errorf("app %s does not start: it %s", c.App, fate(s))
		}
	}
	if err != nil {
		if ctx.Err() != nil {
			err = fmt.Errorf("app %s: interrupted", c.App)
		}
		back := c.putBack(context.WithoutCancel(ctx), c.Old, c.OldStarts, wasRunning)
		if back != nil {
			return errors.Join(err, fmt.Errorf("and the one before it: %w", back))
		}
		return fmt.Errorf("%w; the one before it is back", err)
	}
	return nil // who asked for it has the previous one removed when that is noted
}

// keepFilter keeps the system call filter of the app that is there.
func (c *changer) keepFilter() error {
	filter := unitgen.FilterPath(c.App)
	content, err := os.ReadFile(filter)
	if errors.Is(err, fs.ErrNotExist) {
		return removeFile(filter + ".old")
	}
	if err != nil {
		return err
	}
	return replaceFile(filter+".old", content)
}

// swap stops the app that is there and puts the new one in its place.
func (c *changer) swap(ctx context.Context) (wasRunning bool, err error) {
	s, err := c.service(ctx)
	if err != nil {
		return false, err
	}
	wasRunning = s.Active == "active" || s.Active == "activating" || s.Active == "reloading" || s.Sub == "auto-restart"
	if err := c.stopCalmly(ctx); err != nil {
		return wasRunning, err
	}
	if err := os.Rename(filepath.Join(statusPath, c.App), filepath.Join(statusPath, ".old-"+c.App)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return wasRunning, err
	}
	if err := unmountAll(c.root()); err != nil {
		return wasRunning, err
	}
	if err := c.attach(c.Root, c.root()); err != nil {
		return wasRunning, err
	}
	if err := c.writeFiles(); err != nil {
		return wasRunning, err
	}
	return wasRunning, c.sync(ctx, c.calm())
}

// stopCalmly stops the app that is there, whatever its unit says of its failure.
func (c *changer) stopCalmly(ctx context.Context) error {
	if c.OldCalm != nil {
		if err := c.sync(ctx, c.OldCalm); err != nil {
			return err
		}
	}
	return c.stopUnits(ctx)
}

// putBack puts the app's previous root and units back.
func (c *changer) putBack(ctx context.Context, units map[string][]byte, starts []string, start bool) error {
	if err := c.stopUnits(ctx); err != nil {
		return err
	}
	if err := unmountAll(c.root()); err != nil {
		return err
	}
	if err := c.copyMountAt(c.previous(), c.root()); err != nil {
		return err
	}
	filter := unitgen.FilterPath(c.App)
	if err := os.Rename(filter+".old", filter); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.Rename(filepath.Join(statusPath, ".old-"+c.App), filepath.Join(statusPath, c.App)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := c.sync(ctx, units); err != nil {
		return err
	}
	if start {
		settle := c.Settle
		c.Settle = 0
		err := c.startUnits(ctx, starts)
		c.Settle = settle
		if err != nil {
			return err
		}
	}
	return c.dropPrevious()
}

// restore undoes a replace whose maker was killed, where it had begun.
func (c *changer) restore(ctx context.Context) error {
	if !mounted(c.previous()) {
		return nil
	}
	letGo, err := c.keepPod(ctx)
	if err != nil {
		return err
	}
	defer letGo()
	if !mounted(c.previous()) {
		return nil
	}
	return c.putBack(ctx, c.Units, c.Starts, c.Start)
}

func (c *changer) dropPrevious() error {
	if err := unmountAll(c.previous()); err != nil {
		return err
	}
	return errors.Join(removeFile(c.previous()), removeFile(unitgen.FilterPath(c.App)+".old"), removeFile(filepath.Join(statusPath, ".old-"+c.App)))
}

// copyMountAt mounts at target what is mounted at source.
func (c *changer) copyMountAt(source, target string) error {
	if err := makePrivate(source); err != nil {
		return err
	}
	tree, err := cloneMount(source, unix.AT_RECURSIVE)
	if err != nil {
		return err
	}
	defer tree.Close()
	return c.attach(int(tree.Fd()), target)
}

// mounted reports whether something is mounted at path.
func mounted(path string) bool {
	var st unix.Statx_t
	err := unix.Statx(unix.AT_FDCWD, path, unix.AT_SYMLINK_NOFOLLOW, 0, &st)
	return err == nil && st.Attributes&unix.STATX_ATTR_MOUNT_ROOT != 0
}
