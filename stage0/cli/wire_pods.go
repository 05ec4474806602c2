package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	podpkg "github.com/raket/raket/pkg/pod"
	"github.com/raket/raket/pkg/stageabi"
	"github.com/raket/raket/stage0/launch"
)

// realPods are the pods of the host.
type realPods struct {
	settings
	store *podpkg.Store
}

func openPods(s settings) (*realPods, error) {
	dir, err := absDataDir(s)
	if err != nil {
		return nil, err
	}
	s.DataDir = dir
	store, err := podpkg.Open(dir)
	if err != nil {
		return nil, err
	}
	return &realPods{s, store}, nil
}

// List reads the pods' directories, several at a time: it is mostly waiting for
// the kernel.
func (r *realPods) List(context.Context) ([]pod, error) {
	list, err := r.store.List()
	if err != nil {
		return nil, err
	}
	pods, errs := make([]pod, len(list)), make([]error, len(list))
	var next atomic.Int64
	var workers sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			for i := int(next.Add(1)) - 1; i < len(list); i = int(next.Add(1)) - 1 {
				pods[i], errs[i] = show(list[i])
				if errs[i] != nil {
					errs[i] = fmt.Errorf("pod %s: %w", list[i].UUID, errs[i])
				}
			}
		})
	}
	workers.Wait()
	var kept []pod
	for i, p := range list {
		if errs[i] != nil && p.Refresh() != nil {
			errs[i] = nil // it was collected meanwhile
			continue
		}
		kept = append(kept, pods[i])
	}
	return kept, errors.Join(errs...)
}

func (r *realPods) Find(ctx context.Context, uuid string) (pod, error) {
	p, err := r.find(uuid)
	if err != nil {
		return pod{}, err
	}
	shown, err := show(p)
	if err != nil || p.State != podpkg.Running {
		return shown, err
	}
	// Of a running pod its own init knows best; while it boots or ends there is
	// none to ask.
	if live, err := launch.Live(ctx, p); err == nil {
		shown.Ready = live.Ready
		for i := range shown.Apps {
			addLive(&shown.Apps[i], live.Apps[shown.Apps[i].Name])
		}
	}
	return shown, nil
}

func (r *realPods) Look(_ context.Context, uuid string) (pod, error) {
	p, err := r.find(uuid)
	if err != nil {
		return pod{}, err
	}
	return show(p)
}

// find is the store's, with what to try next.
func (r *realPods) find(uuid string) (*podpkg.Pod, error) {
	p, err := r.store.Find(uuid)
	if errors.Is(err, podpkg.ErrNotFound) || errors.Is(err, podpkg.ErrAmbiguous) {
		return nil, &fault{err: err, hint: "raket list --full"}
	}
	return p, err
}

// show reads what a pod's directory tells.
func show(p *podpkg.Pod) (pod, error) {
	shown := pod{UUID: string(p.UUID), State: string(p.State)}
	if p.State == podpkg.Embryo || p.State == podpkg.Deleting {
		return shown, nil
	}
	s, err := p.Sandbox()
	if err != nil {
		if p.State == podpkg.Preparing || p.State == podpkg.AbortedPrepare || p.State == podpkg.Garbage {
			err = nil // not written yet, or gone already
		}
		return shown, err
	}
	shown.Created = s.Created
	shown.Started = p.Started()
	if p.State.Ended() {
		shown.Ended = p.Exited()
	}
	if err := showNetworks(&shown, p, s.Network.Mode); err != nil {
		return shown, err
	}
	if shown.PID, err = p.PID(); err != nil {
		return shown, err
	}
	for _, a := range s.Apps {
		shown.Apps = append(shown.Apps, showApp(p, s, a))
	}
	return shown, nil
}

// appCreated and its like are the states of apps.
const (
	appCreated = "created"
	appRunning = "running"
	appExited  = "exited"
)

func showApp(p *podpkg.Pod, s stageabi.Sandbox, a stageabi.App) podApp {
	shown := podApp{Name: a.Name, ImageName: a.Image, ImageID: a.PrintID, State: appCreated, Created: a.CreatedAt(s.Created)}
	if b := a.Setback; b != nil {
		shown.Setback = &appSetback{b.Image, b.At, b.Why}
	}
	if p.Started().IsZero() || !a.WasStarted() {
		return shown
	}
	if shown.Started = a.Started; shown.Started.IsZero() {
		shown.Started = p.Started()
	}
	switch {
	case p.State == podpkg.Running:
		shown.State = appRunning
	case p.State.Ended():
		shown.State = appExited
	}
	if h, err := stageabi.ReadAppHealth(p.Dir(), a.Name); err == nil {
		shown.Health = &appHealth{Status: h.Status, Failing: h.Failing, Checked: h.Checked, Code: h.Code, Output: h.Output}
	}
	st, err := stageabi.ReadAppStatus(p.Dir(), a.Name)
	if err != nil {
		return shown // it has not ended, or was killed with the pod
	}
	shown.Restarts = st.Runs
	if st.Finished.Before(a.Started) {
		return shown // it was started again since
	}
	shown.Restarts = max(0, st.Runs-1)
	shown.State, shown.Started, shown.Ended = appExited, st.Started, st.Finished
	shown.ExitCode, shown.Signal, shown.Reason = &st.Code, st.Signal, st.Result
	return shown
}

func addLive(a *podApp, live stageabi.LiveApp) {
	a.StatusText = live.StatusText
	switch live.State {
	case "active", "activating", "reloading", "deactivating":
		if a.State == appExited {
			a.Restarts++
		}
		a.State, a.Started, a.Ended, a.ExitCode, a.Signal, a.Reason = appRunning, live.Started, time.Time{}, nil, "", ""
		if live.SubState == "exited" {
			a.State, a.Ended, a.ExitCode = appExited, live.Finished, live.Code
		}
	case "inactive", "failed":
		if live.Code != nil {
			a.State, a.Started, a.Ended = appExited, live.Started, live.Finished
			if a.ExitCode == nil {
				a.ExitCode = live.Code
			}
		}
	}
}

func (r *realPods) Manifest(_ context.Context, uuid string) ([]byte, error) {
	p, err := r.find(uuid)
	if err != nil {
		return nil, err
	}
	return p.Manifest()
}

func (r *realPods) Run(ctx context.Context, q runRequest) error {
	p, err := r.find(q.UUID)
	if err != nil {
		return err
	}
	return launch.Run(ctx, p, launch.Options{
		Debug: r.Debug, Credentials: q.Credentials, Change: func(s *stageabi.Sandbox) error {
			if err := r.joinNetworks(s, q.Options); err != nil {
				return err
			}
			return addRunOptions(s, q.Options, hostFiles())
		},
	})
}

func (r *realPods) Enter(_ context.Context, q enterRequest) error {
	p, err := r.find(q.UUID)
	if err != nil {
		return err
	}
	return launch.Enter(p, stageabi.Command{
		App: q.App, Argv: q.Command, Privileged: q.Privileged, User: q.User, Group: q.Group, WorkingDir: q.WorkingDir,
		Env: q.Env, TTY: q.TTY, Stdin: q.Stdin,
	})
}

func (r *realPods) Attach(_ context.Context, q attachRequest) error {
	p, err := r.find(q.UUID)
	if err != nil {
		return err
	}
	args := []string{"--mode=" + q.Mode, "--detach-keys=" + q.DetachKeys}
	if q.CloseStdin {
		args = append(args, "--close-stdin")
	}
	return launch.Attach(p, q.App, args)
}

func (r *realPods) Copy(ctx context.Context, q copyRequest) error {
	p, err := r.find(q.UUID)
	if err != nil {
		return err
	}
	return launch.Copy(ctx, p, launch.CopyOptions{
		App: q.App, In: q.In, Path: q.Path, Local: q.Local, Stdin: os.Stdin, Stdout: os.Stdout, Stderr: r.Stderr,
	})
}

func (r *realPods) Logs(ctx context.Context, q logsRequest, w io.Writer) error {
	p, err := r.find(q.UUID)
	if err != nil {
		return err
	}
	return launch.Logs(ctx, p, launch.LogOptions{App: q.App, Follow: q.Follow, Lines: q.Lines}, w, r.Stderr)
}

func (r *realPods) Stop(ctx context.Context, uuid string, force bool) error {
	p, err := r.find(uuid)
	if err != nil {
		return err
	}
	return launch.Stop(ctx, p, force)
}

func (r *realPods) Remove(ctx context.Context, uuid string) error {
	p, err := r.find(uuid)
	if err != nil {
		return err
	}
	return launch.Remove(ctx, p)
}

func (r *realPods) Collect(ctx context.Context, q collectRequest) (collected, error) {
	done, err := launch.Collect(ctx, r.store, launch.GCOptions{
		DataDir: r.DataDir, Grace: q.Grace, Expire: q.Expire, MarkOnly: q.MarkOnly, Now: time.Now(),
	})
	return collected{Marked: texts(done.Marked), Removed: texts(done.Removed)}, err
}

func texts(uuids []podpkg.UUID) []string {
	var list []string
	for _, u := range uuids {
		list = append(list, string(u))
	}
	return list
}
