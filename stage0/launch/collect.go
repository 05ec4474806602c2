package launch

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/raket/raket/pkg/pod"
	"github.com/raket/raket/pkg/stageabi"
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
	inUse := map[string]bool{}
	for _, p := range pods {
		kept, err := collectOne(ctx, p, o, &done)
		if err != nil {
			errs = append(errs, fmt.Errorf("pod %s: %w", p.UUID, err))
		}
		if !kept {
			continue
		}
		if s, err := p.Sandbox(); err == nil {
			inUse[s.Stage1.Dir] = true
		}
	}
	if !o.MarkOnly {
		errs = append(errs, flavour.Collect(o.DataDir, inUse))
	}
	return done, errors.Join(errs...)
}

// collectOne moves one pod along; kept is false if it is gone.
func collectOne(ctx context.Context, p *pod.Pod, o GCOptions, done *Collected) (kept bool, err error) {
	switch p.State {
	case pod.Running, pod.Preparing, pod.Deleting:
		return true, nil
	case pod.Prepared:
		if o.MarkOnly || o.Expire > 0 && o.Now.Sub(p.Changed()) < o.Expire {
			return true, nil
		}
	}
	if err := p.Lock(); errors.Is(err, pod.ErrBusy) || errors.Is(err, pod.ErrNotFound) {
		return true, nil
	} else if err != nil {
		return true, err
	}
	defer func() { err = errors.Join(err, p.Close()) }()
	if p.State == pod.Exited {
		if err := p.ToExitedGarbage(); err != nil {
			return true, err
		}
		done.Marked = append(done.Marked, p.UUID)
		p.State = pod.ExitedGarbage
	}
	if o.MarkOnly || p.State == pod.ExitedGarbage && o.Grace > 0 && o.Now.Sub(p.Marked()) < o.Grace {
		return true, nil
	}
	if err := remove(ctx, p); err != nil {
		return true, err
	}
	done.Removed = append(done.Removed, p.UUID)
	return false, nil
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
