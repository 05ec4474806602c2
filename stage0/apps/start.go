package apps

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/raket/raket/pkg/pod"
	"github.com/raket/raket/pkg/stageabi"
	"github.com/raket/raket/stage0/prepare"
)

// Start starts an app of a running pod that does not run, or stops and starts it again.
func Start(ctx context.Context, p *pod.Pod, app string, restart bool) (err error) {
	s, err := about(ctx, p, stageabi.AppStart, app)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	args := []string{app}
	if restart {
		args = []string{"--restart", app}
	}
	// Before it starts: from then on what is recorded of an end before that is of the past.
	for i := range s.box.Apps {
		if s.box.Apps[i].Name == app {
			s.box.Apps[i].Started = time.Now()
		}
	}
	if err := s.write(); err != nil {
		return err
	}
	return s.call(ctx, stageabi.AppStart, args...)
}

// Stop stops an app, or kills it with force, and returns when it has ended.
func Stop(ctx context.Context, p *pod.Pod, app string, force bool) (err error) {
	s, err := about(ctx, p, stageabi.AppStop, app)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	if err := s.noteStop(app, force); err != nil {
		return err
	}
	return s.finishStop(ctx)
}

// noteStop writes that an app is about to be stopped.
func (s *session) noteStop(app string, force bool) error {
	a, _ := s.box.Find(app)
	s.box.Change = &stageabi.Change{Op: stageabi.ChangeStop, App: a, Handed: true, Force: force}
	return s.write()
}

// finishStop stops the app that is to be stopped. The pod may end with that.
func (s *session) finishStop(ctx context.Context) error {
	c := s.box.Change
	if err := s.stop(ctx, c.App.Name, c.Force); err != nil {
		return err
	}
	if err := s.pod.Refresh(); err != nil || s.pod.State != pod.Running {
		return err
	}
	return s.settled()
}

func (s *session) stop(ctx context.Context, app string, force bool) error {
	args := []string{app}
	if force {
		args = []string{"--force", app}
	}
	return s.call(ctx, stageabi.AppStop, args...)
}

// Remove stops an app and takes it out of the pod, with all that is its own: files, volumes of its
// image's, status, and log where that is a file.
func Remove(ctx context.Context, p *pod.Pod, app string) (err error) {
	s, err := about(ctx, p, stageabi.AppRemove, app)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	for _, k := range s.box.Sockets {
		if k.App == app && k.FD != 0 {
			return fmt.Errorf("app %s has the host's socket %s, which stays open as long as the pod: it can be stopped, or replaced by raket app update", app, k.Address)
		}
	}
	who, err := prepare.NeededBy(s.pod, s.box, app)
	if err != nil {
		return err
	}
	if who != "" {
		return &hinted{fmt.Errorf("app %s needs app %s (--requires, --binds-to)", who, app), "remove " + who + " first, or replace " + app + " by raket app update"}
	}
	a, _ := s.box.Find(app)
	if err := s.noteStop(app, false); err != nil {
		return err
	}
	if err := s.stop(ctx, app, false); err != nil {
		return err
	}
	s.box.Change = &stageabi.Change{Op: stageabi.ChangeRemove, App: a, Handed: true}
	s.box.Apps = slices.DeleteFunc(s.box.Apps, func(a stageabi.App) bool { return a.Name == app })
	s.box.Sockets = slices.DeleteFunc(s.box.Sockets, func(k stageabi.Socket) bool { return k.App == app })
	if err := s.write(); err != nil {
		return err
	}
	return s.finishRemove(context.WithoutCancel(ctx))
}

// finishRemove takes away what is left of an app that is not the pod's any more.
func (s *session) finishRemove(ctx context.Context) error {
	name := s.box.Change.App.Name
	if err := s.call(ctx, stageabi.AppRemove, name); err != nil {
		return err
	}
	if err := s.removeFiles(name); err != nil {
		return err
	}
	if err := remove(stageabi.LogPath(s.dir(), name)); err != nil {
		return err
	}
	return s.settled()
}

// about begins a session about an app that the pod has.
func about(ctx context.Context, p *pod.Pod, e stageabi.Entrypoint, app string) (*session, error) {
	s, err := begin(ctx, p, e, func(string) {})
	if err != nil {
		return nil, err
	}
	if _, ok := s.box.Find(app); !ok {
		return nil, errors.Join(fmt.Errorf("the pod has no app %s", app), s.close())
	}
	return s, nil
}
