package apps

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/raket/raket/pkg/appcredential"
	"github.com/raket/raket/pkg/approot"
	"github.com/raket/raket/pkg/pod"
	"github.com/raket/raket/pkg/podsocket"
	"github.com/raket/raket/pkg/stageabi"
	"github.com/raket/raket/stage0/launch"
	"github.com/raket/raket/stage0/prepare"
)

// Options of Add and Replace.
type Options struct {
	// Request has the app and the volumes that come with it.
	Request prepare.Request
	// Settle is, of Replace, how long the new app has to run before it counts as started,
	// where nothing else shows that it is good. Wait bounds that it shows it; 0 leaves
	// it to the app's own limits.
	Settle, Wait time.Duration
	// Credentials are the app's, found before its image is fetched.
	Credentials []appcredential.Credential
	// Warn is told what is left out.
	Warn func(string)
}

// Add adds an app to a running pod, without starting it, and returns its name. After an error,
// or as ctx ends, the pod is as it was.
func Add(ctx context.Context, p *pod.Pod, o Options) (name string, err error) {
	// The image first: nobody has to wait for somebody else's download.
	a, err := o.Request.Addition(ctx)
	if err != nil {
		return "", err
	}
	s, err := begin(ctx, p, stageabi.AppAdd, o.Warn)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	if _, ok := s.box.Find(a.Name()); ok {
		return "", &hinted{fmt.Errorf("the pod has an app %s already", a.Name()), "name the new one with --name, or replace the other by raket app update"}
	}
	if err := s.add(ctx, a, o); err != nil {
		if s.box.Change != nil {
			err = errors.Join(err, s.recover(context.WithoutCancel(ctx)))
		}
		return "", err
	}
	return a.Name(), nil
}

func (s *session) add(ctx context.Context, a *prepare.Addition, o Options) error {
	if err := s.fill(ctx, a, o, stageabi.ChangeAdd); err != nil {
		return err
	}
	c := s.box.Change
	if err := s.bring(ctx, o, a.Name()); err != nil {
		return err
	}
	s.box.Apps = append(s.box.Apps, c.App)
	s.box.Sockets = append(s.box.Sockets, c.Sockets...)
	s.box.Change = nil
	if err := s.write(); err != nil {
		return err
	}
	return s.takeManifest()
}

// bring has the stage1 bring the app that is under way into the pod, with its credentials.
func (s *session) bring(ctx context.Context, o Options, args ...string) (err error) {
	c := s.box.Change
	if len(c.App.Credentials) == 0 {
		return s.call(ctx, stageabi.AppAdd, args...)
	}
	dir, err := approot.NewCredentials(map[string][]appcredential.Credential{filepath.Base(c.BundlePath(s.dir())): o.Credentials})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, dir.Close()) }()
	return s.callWith(ctx, stageabi.AppAdd, dir, args...)
}

// fill makes the app's directory, and writes what is about to happen. No image is removed between
// its being found and its being noted as used.
func (s *session) fill(ctx context.Context, a *prepare.Addition, o Options, op stageabi.ChangeOp) (err error) {
	m, err := prepare.ReadManifest(s.pod)
	if err != nil {
		return err
	}
	if m, err = a.Manifest(m); err != nil {
		return err
	}
	lock, err := o.Request.Images.RLock()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lock.Close()) }()
	c := &stageabi.Change{Op: op, App: a.Entry()}
	s.box.Change = c
	if err := s.write(); err != nil {
		return err
	}
	bundle := c.BundlePath(s.dir())
	// Of a change that was killed before it was noted.
	if err := os.RemoveAll(bundle); err != nil {
		return err
	}
	entry, err := a.Fill(ctx, s.pod, filepath.Base(bundle), m)
	if err != nil {
		return err
	}
	c.App = entry
	if c.Sockets, err = podsocket.Added(c.App); err != nil {
		return err
	}
	if err := prepare.WriteManifest(filepath.Join(s.dir(), nextManifest), m); err != nil {
		return err
	}
	if op == stageabi.ChangeReplace {
		live, err := launch.Live(ctx, s.pod)
		if err != nil {
			return err
		}
		app := live.Apps[a.Name()]
		c.Running = app.State != "inactive" && app.State != "failed"
		s.keepSockets(c)
	}
	c.Handed = true
	return s.write()
}

// keepSockets leaves the app that replaces another the host's sockets, which cannot be given
// again, and all of them where it asks for none.
func (s *session) keepSockets(c *stageabi.Change) {
	own := c.Sockets
	c.Sockets = slices.DeleteFunc(slices.Clone(s.box.Sockets), func(k stageabi.Socket) bool {
		return k.App != c.App.Name || len(own) > 0 && k.FD == 0
	})
	c.Sockets = append(c.Sockets, own...)
}

// Replace puts an app into the place of the pod's of the same name, and starts it. The one
// before it runs until all is there, and runs again if the new one does not start.
func Replace(ctx context.Context, p *pod.Pod, o Options) (err error) {
	a, err := o.Request.Addition(ctx)
	if err != nil {
		return err
	}
	s, err := begin(ctx, p, stageabi.AppAdd, o.Warn)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	if _, ok := s.box.Find(a.Name()); !ok {
		return fmt.Errorf("the pod has no app %s", a.Name())
	}
	if err := a.Keep(stageabi.AppPath(s.dir(), a.Name())); err != nil {
		return err
	}
	if err := s.replace(ctx, a, o); err != nil {
		if s.box.Change != nil {
			s.setback(a, err)
			err = errors.Join(err, s.recover(context.WithoutCancel(ctx)))
		}
		return err
	}
	return nil
}

// setback notes why an update is taken back, for whoever looks at the app: it is written with
// what says that nothing is under way.
func (s *session) setback(a *prepare.Addition, why error) {
	for i := range s.box.Apps {
		if s.box.Apps[i].Name == a.Name() && s.box.Change.Op == stageabi.ChangeReplace {
			s.box.Apps[i].Setback = &stageabi.Setback{Image: a.Entry().Image, At: time.Now(), Why: why.Error()}
		}
	}
}

func (s *session) replace(ctx context.Context, a *prepare.Addition, o Options) error {
	if err := s.fill(ctx, a, o, stageabi.ChangeReplace); err != nil {
		return err
	}
	c := s.box.Change
	if err := s.bring(ctx, o, "--replace", "--settle="+o.Settle.String(), "--wait="+o.Wait.String(), a.Name()); err != nil {
		return err
	}
	// From here on it is the pod's app.
	ctx = context.WithoutCancel(ctx)
	c.Op, c.App.Started = stageabi.ChangeReplaced, time.Now()
	for i := range s.box.Apps {
		if s.box.Apps[i].Name == a.Name() {
			s.box.Apps[i] = c.App
		}
	}
	s.box.Sockets = slices.DeleteFunc(s.box.Sockets, func(k stageabi.Socket) bool { return k.App == a.Name() })
	s.box.Sockets = append(s.box.Sockets, c.Sockets...)
	if err := s.write(); err != nil {
		return err
	}
	return s.finishReplace(ctx)
}

// newMark, in an app's directory, says that it is the one that replaces the other.
const newMark = "new"

// finishReplace puts the directory of an app that has replaced another in its place, and takes
// away what is left of the other.
func (s *session) finishReplace(ctx context.Context) error {
	if err := s.takeManifest(); err != nil {
		return err
	}
	name := s.box.Change.App.Name
	at, next := stageabi.AppPath(s.dir(), name), stageabi.NewAppPath(s.dir(), name)
	_, marked := os.Stat(filepath.Join(at, newMark))
	_, waits := os.Stat(next)
	if marked != nil && waits == nil {
		if err := os.WriteFile(filepath.Join(next, newMark), nil, 0o644); err != nil {
			return err
		}
		if err := unix.Renameat2(unix.AT_FDCWD, next, unix.AT_FDCWD, at, unix.RENAME_EXCHANGE); err != nil {
			return fmt.Errorf("put the app's directory in its place: %w", err)
		}
	}
	if err := s.call(ctx, stageabi.AppRemove, "--previous", name); err != nil {
		return err
	}
	if err := os.RemoveAll(next); err != nil {
		return err
	}
	// Without both it is in its place: a mark that stayed would say so of the next one, too.
	if err := remove(filepath.Join(at, newMark)); err != nil {
		return err
	}
	return s.settled()
}

// hinted is an error that knows what to try next.
type hinted struct {
	err  error
	hint string
}

func (e *hinted) Error() string { return e.err.Error() }
func (e *hinted) Unwrap() error { return e.err }
func (e *hinted) Hint() string  { return e.hint }
