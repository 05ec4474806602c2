package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/opencontainers/go-digest"

	podstore "github.com/raket/raket/pkg/pod"
	"github.com/raket/raket/pkg/stageabi"
)

// storedPods is a podStore of package pod.
type storedPods struct {
	store *podstore.Store
	// live asks a running pod how its apps are; nil where nobody can.
	live func(context.Context, *podstore.Pod) (stageabi.Live, error)
}

func openPods(s settings) (podStore, error) {
	store, err := podstore.Open(s.DataDir)
	if err != nil {
		return nil, err
	}
	return storedPods{store: store}, nil
}

// List does not ask the pods that run: that costs a process each.
func (s storedPods) List(context.Context) ([]pod, error) {
	stored, err := s.store.List()
	if err != nil {
		return nil, err
	}
	pods := make([]pod, 0, len(stored))
	var unreadable []error
	for _, p := range stored {
		view, err := describe(p)
		if errors.Is(err, podstore.ErrNotFound) {
			continue // collected meanwhile
		}
		if err != nil {
			unreadable = append(unreadable, err)
		}
		pods = append(pods, view)
	}
	return pods, errors.Join(unreadable...)
}

func (s storedPods) Find(ctx context.Context, uuid string) (pod, error) {
	p, err := s.find(uuid)
	if err != nil {
		return pod{}, err
	}
	view, err := describe(p)
	if err != nil || !view.running() || s.live == nil {
		return view, err
	}
	live, err := s.live(ctx, p)
	if err != nil {
		return view, fmt.Errorf("ask pod %s: %w", p.UUID, err)
	}
	view.Ready = live.Ready
	for i, a := range view.Apps {
		if l, ok := live.Apps[a.Name]; ok {
			view.Apps[i].add(l)
		}
	}
	return view, nil
}

func (s storedPods) find(uuid string) (*podstore.Pod, error) {
	p, err := s.store.Find(uuid)
	if errors.Is(err, podstore.ErrNotFound) || errors.Is(err, podstore.ErrAmbiguous) {
		return nil, &fault{err: err, hint: "raket list --full"}
	}
	return p, err
}

func (s storedPods) Manifest(_ context.Context, uuid string) ([]byte, error) {
	p, err := s.find(uuid)
	if err != nil {
		return nil, err
	}
	return p.Manifest()
}

// describe reads a pod's directory. Where that fails, the pod has no more than a
// UUID and a state. The error wraps podstore.ErrNotFound if the pod is gone.
func describe(p *podstore.Pod) (pod, error) {
	view := pod{UUID: string(p.UUID), State: string(p.State), Created: p.Changed()}
	switch p.State {
	case podstore.Embryo, podstore.Preparing, podstore.AbortedPrepare, podstore.Garbage, podstore.Deleting:
		// What is half-made or half-deleted need not be readable.
		if box, err := p.Sandbox(); err == nil {
			view.read(p, box)
		}
		return view, nil
	}
	box, err := p.Sandbox()
	if errors.Is(err, fs.ErrNotExist) {
		// It went to its next place after it was found.
		if err := p.Refresh(); err != nil {
			return view, err
		}
		view.State = string(p.State)
		box, err = p.Sandbox()
	}
	if err != nil {
		return view, fmt.Errorf("read pod %s: %w", p.UUID, err)
	}
	view.read(p, box)
	return view, nil
}

// read takes what a pod's directory says.
func (view *pod) read(p *podstore.Pod, box stageabi.Sandbox) {
	view.Created, view.Started, view.Ended = box.Created, p.Started(), p.Exited()
	if pid, err := p.PID(); err == nil {
		view.PID = pid
	}
	for _, a := range box.Apps {
		app := podApp{Name: a.Name, ImageName: a.Image, ImageID: a.PrintID, State: "created"}
		status, err := stageabi.ReadAppStatus(p.Dir(), a.Name)
		switch {
		case err == nil:
			code := status.Code
			app.State, app.ExitCode, app.Started, app.Ended = "exited", &code, status.Started, status.Finished
		case view.running():
			app.State = stateRunning
		case view.ended():
			app.State = "exited"
		}
		view.Apps = append(view.Apps, app)
	}
}

// add takes what the pod itself says of an app that may have been restarted since
// it last ended.
func (a *podApp) add(l stageabi.LiveApp) {
	if l.State == "active" || l.State == "activating" {
		a.State, a.Started, a.ExitCode = stateRunning, l.Started, nil
		return
	}
	if l.Code != nil {
		a.State, a.Started, a.Ended, a.ExitCode = "exited", l.Started, l.Finished, l.Code
	}
}

// podsUsing are the UUIDs of the pods that use each image.
func podsUsing(dataDir string) (map[digest.Digest][]string, error) {
	store, err := podstore.Open(dataDir)
	if err != nil {
		return nil, err
	}
	pods, err := store.List()
	if err != nil {
		return nil, err
	}
	using := make(map[digest.Digest][]string)
	for _, p := range pods {
		box, err := p.Sandbox()
		if errors.Is(err, fs.ErrNotExist) {
			continue // it has no apps yet, or any more
		}
		if err != nil {
			// Not knowing what it uses, nothing may be removed.
			return nil, fmt.Errorf("pod %s: %w", p.UUID, err)
		}
		for _, a := range box.Apps {
			id := digest.Digest(a.ImageID)
			using[id] = append(using[id], string(p.UUID))
		}
	}
	return using, nil
}
