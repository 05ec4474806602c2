package launch

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/raket/raket/pkg/pod"
	"github.com/raket/raket/pkg/stageabi"
	"github.com/raket/raket/pkg/uidrange"
	"github.com/raket/raket/stage0/flavour"
)

// GCOptions say what is old enough to go.
type GCOptions struct {
	DataDir  string
	Grace    time.Duration // since a pod was marked
	Expire   time.Duration // since a pod was prepared
	MarkOnly bool
	Now      time.Time
}

// Collected is what a collection did.
type Collected struct{ Marked, Removed []pod.UUID }

// Collect marks exited pods, and removes those that were marked long enough ago
// and what was left half made. A pod that another command works on is left to
// the next collection. It goes on after an error.
func Collect(ctx context.Context, store *pod.Store, o GCOptions) (Collected, error) {
	var done Collected
	pods, err := store.List()
	if err != nil {
		return done, err
	}
	var errs []error
	for _, p := range pods {
		if err := collectOne(ctx, p, o, &done); err != nil {
			errs = append(errs, fmt.Errorf("pod %s: %w", p.UUID, err))
		}
	}
	if !o.MarkOnly {
		errs = append(errs, flavour.Collect(o.DataDir, func() (map[string]bool, error) { return flavours(store) }))
	}
	return done, errors.Join(errs...)
}

// flavours are the directories of the stage1 images of all pods. A pod that
// cannot be read needs none: it can only be collected.
func flavours(store *pod.Store) (map[string]bool, error) {
	pods, err := store.List()
	if err != nil {
		return nil, err
	}
	dirs := map[string]bool{}
	for _, p := range pods {
		s, err := p.Sandbox()
		if err != nil && p.Refresh() == nil {
			s, err = p.Sandbox() // it has moved on meanwhile
		}
		if err == nil {
			dirs[s.Stage1.Dir] = true
		}
	}
	return dirs, nil
}

// collectOne moves one pod along.
func collectOne(ctx context.Context, p *pod.Pod, o GCOptions, done *Collected) (err error) {
	switch p.State {
	case pod.Running, pod.Preparing, pod.Deleting:
		return nil
	case pod.Prepared:
		if o.MarkOnly || o.Expire > 0 && o.Now.Sub(p.Changed()) < o.Expire {
			return nil
		}
	}
	if err := p.Lock(); errors.Is(err, pod.ErrBusy) || errors.Is(err, pod.ErrNotFound) {
		return nil
	} else if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.Close()) }()
	if p.State == pod.Exited {
		if err := p.ToExitedGarbage(); err != nil {
			return err
		}
		done.Marked = append(done.Marked, p.UUID)
		p.State = pod.ExitedGarbage
		// Addresses and ports are not kept for the time of grace.
		if err := leaveNetworks(ctx, p); err != nil {
			return err
		}
	}
	if o.MarkOnly || p.State == pod.ExitedGarbage && o.Grace > 0 && o.Now.Sub(p.Marked()) < o.Grace {
		return nil
	}
	if err := remove(ctx, p); err != nil {
		return err
	}
	done.Removed = append(done.Removed, p.UUID)
	return nil
}

// Remove removes a pod that does not run.
func Remove(ctx context.Context, p *pod.Pod) error {
	switch p.State {
	case pod.Running:
		return errors.New("it is running: stop it first")
	case pod.Preparing:
		return errors.New("it is being prepared")
	}
	if err := p.Lock(); err != nil {
		return err
	}
	return errors.Join(remove(ctx, p), p.Close())
}

// remove deletes a locked pod, and what it left elsewhere.
func remove(ctx context.Context, p *pod.Pod) error {
	s, err := p.Sandbox()
	if err == nil && s.Users != nil {
		if err := (uidrange.Host{}).Forget(uidrange.Range{Base: s.Users.Base, Count: s.Users.Count}); err != nil {
			return err
		}
	}
	if err == nil && !p.Started().IsZero() && s.Stage1.Entrypoints[stageabi.GC] != "" {
		if _, err := capture(ctx, p, stageabi.GC, string(p.UUID)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	if err := p.ToGarbage(); err != nil {
		return err
	}
	return p.Remove()
}
