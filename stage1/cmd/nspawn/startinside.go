package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/raket/raket/pkg/sd"
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
	with, err := c.running(ctx, c.Dependents)
	if err != nil {
		return err
	}
	if err := c.stop(ctx); err != nil {
		return err
	}
	if err := c.sync(ctx, c.Units); err != nil {
		return err
	}
	if err := c.startUnits(ctx, c.Starts); err != nil {
		return err
	}
	return c.startOthers(ctx, with)
}

// running are those of the apps that run.
func (c *changer) running(ctx context.Context, apps []string) ([]string, error) {
	var run []string
	for _, name := range apps {
		s, err := c.systemd.Service(ctx, name+".service")
		if err != nil {
			return nil, err
		}
		if runs(s) {
			run = append(run, name)
		}
	}
	return run, nil
}

func runs(s sd.Service) bool {
	return s.Active == "active" || s.Active == "activating" || s.Active == "reloading" || s.Sub == "auto-restart"
}

// startOthers starts apps that were stopped with this one again.
func (c *changer) startOthers(ctx context.Context, apps []string) error {
	for _, name := range apps {
		if err := c.systemd.Start(ctx, name+".service"); err != nil {
			return fmt.Errorf("app %s, which needs app %s, does not start again: %w", name, c.App, err)
		}
	}
	return nil
}

// startUnits starts units of the app.
func (c *changer) startUnits(ctx context.Context, units []string) error {
	before, err := c.service(ctx)
	if err != nil {
		return err
	}
	for _, name := range units {
		c.systemd.Forget(ctx, name)
		if name != c.App+".service" {
			if err := c.systemd.Start(ctx, name); err != nil {
				return err
			}
			continue
		}
		job, err := c.startOwn(ctx, before)
		if ctx.Err() != nil {
			return fmt.Errorf("app %s: %w", c.App, ctx.Err())
		}
		if err == nil {
			err = c.executed(ctx, before, job)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// lookForFailure is how often an app is looked at whose start takes its time.
const lookForFailure = 50 * time.Millisecond

// startOwn starts the app's own unit, and returns how systemd's job to start it ended. From
// systemd 254 on the job of an app that is started again after a failure does not end with
// that (RestartMode=direct): err has the failure then.
func (c *changer) startOwn(ctx context.Context, before sd.Service) (job, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	jobs := make(chan error, 1)
	go func() { jobs <- c.systemd.Start(ctx, c.App+".service") }()
	tick := time.NewTicker(lookForFailure)
	defer tick.Stop()
	for seen := false; ; {
		select {
		case job := <-jobs:
			return job, nil
		case <-tick.C:
		}
		s, err := c.service(ctx)
		if err != nil {
			return nil, err
		}
		again := s.Restarts > before.Restarts || s.Restarts > 0 && s.Started.After(before.Started)
		// At the first look, word of the job's end may be on its way; while the app runs
		// again, systemd has forgotten how it ended.
		if again && seen && s.Code != 0 {
			return nil, c.failed(s)
		}
		seen = again
	}
}

func (c *changer) service(ctx context.Context) (sd.Service, error) {
	return c.systemd.Service(ctx, c.App+".service")
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
	with, err := c.running(ctx, c.Dependents)
	if err != nil {
		return errors.Join(err, c.dropPrevious())
	}
	wasRunning, err := c.swap(ctx)
	if err == nil {
		err = c.startInTime(ctx)
	}
	if err == nil {
		err = c.startOthers(ctx, with)
	}
	if err == nil {
		err = c.sync(ctx, c.Units) // from now on its end may end the pod
	}
	if err == nil {
		// It may have failed before that.
		var s sd.Service
		if s, err = c.service(ctx); err == nil && s.Active == "failed" {
			err = c.failed(s)
		}
	}
	if err != nil {
		if ctx.Err() != nil {
			err = fmt.Errorf("app %s: interrupted", c.App)
		}
		back := c.putBack(context.WithoutCancel(ctx), c.Old, c.OldCalm, c.OldStarts, wasRunning)
		if back == nil {
			back = c.startOthers(context.WithoutCancel(ctx), with)
		}
		if back != nil {
			return errors.Join(err, fmt.Errorf("and the one before it: %w", back))
		}
		return fmt.Errorf("%w; the one before it is back", err)
	}
	return nil // who asked for it has the previous one removed when that is noted
}

// startInTime starts the app, and waits no longer for it than Wait.
func (c *changer) startInTime(ctx context.Context) error {
	if c.Wait == 0 {
		return c.startUnits(ctx, c.Starts)
	}
	bounded, cancel := context.WithTimeout(ctx, c.Wait)
	defer cancel()
	err := c.startUnits(bounded, c.Starts)
	if err != nil && bounded.Err() != nil && ctx.Err() == nil {
		return c.late()
	}
	return err
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
	wasRunning = runs(s)
	if err := c.stopCalmly(ctx); err != nil {
		return wasRunning, err
	}
	for _, record := range c.records() {
		if err := os.Rename(record, aside(record)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return wasRunning, err
		}
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
	if err := c.sync(ctx, c.Calm); err != nil {
		return wasRunning, err
	}
	return wasRunning, c.release(ctx)
}

// release ends a start that waits: what the app's unit is now may start.
func (c *changer) release(ctx context.Context) error {
	if len(c.Given) == 0 {
		return nil
	}
	return c.stopUnit(ctx, c.App+".service")
}

// stopUnit stops a unit. A connection to a socket of the host's may have asked for the next
// start before that was done, which cancels what is left of it.
func (c *changer) stopUnit(ctx context.Context, name string) error {
	err := c.systemd.Stop(ctx, name)
	if !errors.Is(err, sd.ErrCanceled) || len(c.Given) == 0 {
		return err
	}
	tick := time.NewTicker(lookAgain)
	defer tick.Stop()
	for {
		s, err := c.systemd.Service(ctx, name)
		if err != nil || s.Active != "deactivating" {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// stopCalmly stops the app that is there, whatever its unit says of its failure.
func (c *changer) stopCalmly(ctx context.Context) error {
	if err := c.sync(ctx, c.OldWaiting); err != nil {
		return err
	}
	return c.stopUnits(ctx)
}

// putBack puts the app's previous root and units back.
func (c *changer) putBack(ctx context.Context, units, calm map[string][]byte, starts []string, start bool) error {
	if err := c.sync(ctx, c.Waiting); err != nil {
		return err
	}
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
	for _, record := range c.records() {
		if err := os.Rename(aside(record), record); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	// That a start which waits is stopped is no failure that ends the pod.
	if err := c.sync(ctx, calm); err != nil {
		return err
	}
	if err := c.release(ctx); err != nil {
		return err
	}
	if err := c.sync(ctx, units); err != nil {
		return err
	}
	if start {
		replace := c.Replace
		c.Replace = false // nothing is to be proven
		err := c.startUnits(ctx, starts)
		c.Replace = replace
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
	return c.putBack(ctx, c.Units, c.Calm, c.Starts, c.Start)
}

func (c *changer) dropPrevious() error {
	if err := unmountAll(c.previous()); err != nil {
		return err
	}
	err := errors.Join(removeFile(c.previous()), removeFile(unitgen.FilterPath(c.App)+".old"))
	for _, record := range c.records() {
		err = errors.Join(err, removeFile(aside(record)))
	}
	return err
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
