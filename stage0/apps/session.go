package apps

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/raket/raket/pkg/flock"
	"github.com/raket/raket/pkg/pod"
	"github.com/raket/raket/pkg/stageabi"
	"github.com/raket/raket/stage0/launch"
	"github.com/raket/raket/stage0/prepare"
)

// session is a process that may change the apps of a pod: the only one.
type session struct {
	pod  *pod.Pod
	box  stageabi.Sandbox
	lock *flock.Lock
	warn func(string)
}

// begin waits for its turn, and finishes what others have left. Nothing is changed of a pod whose
// stage1 cannot do it.
func begin(ctx context.Context, p *pod.Pod, e stageabi.Entrypoint, warn func(string)) (*session, error) {
	if p.State != pod.Running {
		return nil, fmt.Errorf("%w: it is %s", launch.ErrNotRunning, p.State)
	}
	s := &session{pod: p, warn: warn}
	var err error
	if s.box, err = p.Sandbox(); err != nil {
		return nil, err
	}
	if _, err := s.box.Stage1.Path(e); err != nil {
		return nil, fmt.Errorf("%w: apps of such a pod are those it was started with", err)
	}
	dir := filepath.Join(p.Dir(), stageabi.AppsDir)
	if s.lock, err = flock.Open(dir); err != nil {
		return nil, err
	}
	if err := s.take(ctx, dir); err != nil {
		return nil, errors.Join(err, s.lock.Close())
	}
	return s, nil
}

func (s *session) take(ctx context.Context, dir string) error {
	if err := s.lock.ExclusiveContext(ctx); err != nil {
		return err
	}
	if here, err := s.lock.Is(dir); err != nil || !here {
		return errors.Join(err, launch.ErrNotRunning)
	}
	var err error
	if s.box, err = s.pod.Sandbox(); err != nil {
		return err
	}
	if err := s.recover(ctx); err != nil {
		return fmt.Errorf("finish what a command before has left: %w", err)
	}
	return nil
}

func (s *session) close() error { return s.lock.Close() }

func (s *session) dir() string { return s.pod.Dir() }

// write replaces the pod's description.
func (s *session) write() error { return prepare.WriteSandbox(s.dir(), s.box) }

// call has the stage1 do something.
func (s *session) call(ctx context.Context, e stageabi.Entrypoint, args ...string) error {
	return s.callWith(ctx, e, nil, args...)
}

// callWith hands it an app's credentials too.
func (s *session) callWith(ctx context.Context, e stageabi.Entrypoint, credentials *os.File, args ...string) error {
	options, app := args[:len(args)-1], args[len(args)-1]
	out, err := launch.Change(ctx, s.pod, e, s.lock, credentials, append(append([]string{}, options...), string(s.pod.UUID), app)...)
	if out != "" && err == nil {
		s.warn(out)
	}
	if err == nil || ctx.Err() != nil {
		return errors.Join(err, ctx.Err())
	}
	if rerr := s.pod.Refresh(); rerr == nil && s.pod.State != pod.Running {
		return fmt.Errorf("the pod has ended: %w", err)
	}
	return err
}

// recover brings a change that was left half done to an end: one that adds or replaces is
// undone unless all was there, one that removes is done.
func (s *session) recover(ctx context.Context) error {
	c := s.box.Change
	if c == nil {
		return s.takeManifest()
	}
	if c.App.Name == "" {
		return errors.New("the change that is under way is of no app")
	}
	switch c.Op {
	case stageabi.ChangeAdd:
		return s.undoAdd(ctx)
	case stageabi.ChangeReplace:
		return s.undoReplace(ctx)
	case stageabi.ChangeReplaced:
		return s.finishReplace(ctx)
	case stageabi.ChangeStop:
		return s.finishStop(ctx)
	case stageabi.ChangeRemove:
		return s.finishRemove(ctx)
	}
	return fmt.Errorf("a change %q is under way, which this raket does not know", c.Op)
}

func (s *session) undoAdd(ctx context.Context) error {
	c := s.box.Change
	if c.Handed {
		if err := s.call(ctx, stageabi.AppRemove, c.App.Name); err != nil {
			return err
		}
	}
	if err := errors.Join(s.removeFiles(c.App.Name), s.dropManifest()); err != nil {
		return err
	}
	return s.settled()
}

func (s *session) undoReplace(ctx context.Context) error {
	c := s.box.Change
	if c.Handed {
		args := []string{"--restore"}
		if c.Running {
			args = append(args, "--start")
		}
		if err := s.call(ctx, stageabi.AppAdd, append(args, c.App.Name)...); err != nil {
			return err
		}
	}
	if err := errors.Join(os.RemoveAll(stageabi.NewAppPath(s.dir(), c.App.Name)), s.dropManifest()); err != nil {
		return err
	}
	return s.settled()
}

// settled writes that nothing is under way.
func (s *session) settled() error {
	s.box.Change = nil
	if err := s.pruneManifest(); err != nil {
		return err
	}
	return s.write()
}

// removeFiles removes an app's directory, and what is known of it elsewhere.
func (s *session) removeFiles(app string) error {
	return errors.Join(os.RemoveAll(stageabi.AppPath(s.dir(), app)), prepare.RemoveMetadata(s.dir(), app))
}

// remove removes a file that need not be there.
func remove(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
