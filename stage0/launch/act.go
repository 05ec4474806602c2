package launch

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/raket/raket/pkg/flock"
	"github.com/raket/raket/pkg/pod"
	"github.com/raket/raket/pkg/stageabi"
)

func checkRunning(p *pod.Pod) error {
	if p.State != pod.Running {
		return fmt.Errorf("%w: it is %s", ErrNotRunning, p.State)
	}
	return nil
}

// Stop asks a running pod to end, or kills it with force, and returns when it has
// ended. As ctx ends it returns ctx's error and leaves the pod to its ending.
func Stop(ctx context.Context, p *pod.Pod, force bool) error {
	if err := checkRunning(p); err != nil {
		return err
	}
	args := []string{string(p.UUID)}
	if force {
		args = append([]string{"--force"}, args...)
	}
	for {
		if _, err := capture(ctx, p, stageabi.Stop, args...); err != nil {
			if ctx.Err() != nil {
				return ctx.Err() // it was interrupted, and that says nothing of the pod
			}
			if rerr := p.Refresh(); rerr == nil && p.State != pod.Running {
				return leaveNetworks(ctx, p) // it ended by itself meanwhile
			}
			return err
		}
		// A pod that is just booting misses the request: its init has no ears yet.
		// Asking again does no harm.
		patience, cancel := context.WithTimeout(ctx, askAgain)
		err := wait(patience, p)
		cancel()
		if err == nil {
			return leaveNetworks(ctx, p)
		}
		if ctx.Err() != nil || !errors.Is(err, context.DeadlineExceeded) {
			return err
		}
	}
}

// askAgain is how long a pod may take to stop before it is asked once more.
const askAgain = 2 * time.Second

// wait returns when no process holds the pod's lock.
func wait(ctx context.Context, p *pod.Pod) error {
	l, err := flock.Open(p.Dir())
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return errors.Join(l.SharedContext(ctx), l.Close())
}

// Wait returns when the pod has ended.
func Wait(ctx context.Context, p *pod.Pod) error { return wait(ctx, p) }

// Live asks the stage1 of a running pod for the state of its apps.
func Live(ctx context.Context, p *pod.Pod) (stageabi.Live, error) {
	var live stageabi.Live
	out, err := capture(ctx, p, stageabi.Status, string(p.UUID))
	if err != nil {
		return live, err
	}
	if err := json.Unmarshal(out, &live); err != nil {
		return live, fmt.Errorf("stage1 status: %w", err)
	}
	return live, nil
}

// Enter turns this process into a command in an app of a running pod. It
// returns only with an error. Without a name it takes the pod's only app.
func Enter(p *pod.Pod, c stageabi.Command) error {
	if err := checkRunning(p); err != nil {
		return err
	}
	s, err := p.Sandbox()
	if err != nil {
		return err
	}
	if c.App, err = oneApp(s, c.App); err != nil {
		return err
	}
	c.UUID = string(p.UUID)
	return become(p, s, stageabi.Enter, c.Args())
}

// Attach turns this process into a client of a running app's streams; options are the
// entrypoint's. It returns only with an error.
func Attach(p *pod.Pod, app string, options []string) error {
	if err := checkRunning(p); err != nil {
		return err
	}
	s, err := p.Sandbox()
	if err != nil {
		return err
	}
	if app, err = oneApp(s, app); err != nil {
		return err
	}
	return become(p, s, stageabi.Attach, append(options, string(p.UUID), app))
}

// Kill sends the main process of an app of a running pod a signal.
func Kill(ctx context.Context, p *pod.Pod, app string, s syscall.Signal) error {
	if err := checkRunning(p); err != nil {
		return err
	}
	_, err := capture(ctx, p, stageabi.AppKill, stageabi.Kill{Signal: s, UUID: string(p.UUID), App: app}.Args()...)
	return err
}

// become executes an entrypoint in place of this process.
func become(p *pod.Pod, s stageabi.Sandbox, e stageabi.Entrypoint, args []string) error {
	path, err := s.Stage1.Path(e)
	if err != nil {
		return err
	}
	if err := os.Chdir(p.Dir()); err != nil {
		return err
	}
	return fmt.Errorf("execute stage1: %w", syscall.Exec(path, append([]string{path}, args...), environ(s.Stage1, false)))
}

func appNames(s stageabi.Sandbox) []string {
	var names []string
	for _, a := range s.Apps {
		names = append(names, a.Name)
	}
	return names
}

// oneApp is the app of that name, or the pod's only one.
func oneApp(s stageabi.Sandbox, name string) (string, error) {
	names := appNames(s)
	switch {
	case name == "" && len(names) == 1:
		return names[0], nil
	case name == "":
		return "", fmt.Errorf("the pod has several apps (%s): say which with --app", strings.Join(names, ", "))
	case !slices.Contains(names, name):
		return "", fmt.Errorf("the pod has no app %q; it has %s", name, strings.Join(names, ", "))
	}
	return name, nil
}
