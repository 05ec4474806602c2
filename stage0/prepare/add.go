package prepare

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/opencontainers/go-digest"

	"github.com/raket/raket/pkg/pod"
	"github.com/raket/raket/pkg/podmanifest"
	"github.com/raket/raket/pkg/stageabi"
)

// Addition is an app that is to join a running pod. Its image is in the store.
type Addition struct {
	app
	request Request
	// manifest has the app alone, and the volumes that come with it.
	manifest *podmanifest.Manifest
}

// Addition fetches the image of the request's only app.
func (r Request) Addition(ctx context.Context) (*Addition, error) {
	apps, m, err := r.apps(ctx)
	if err != nil {
		return nil, err
	}
	return &Addition{app: apps[0], request: r, manifest: m}, nil
}

// Name is the app's name.
func (a *Addition) Name() string { return a.name }

// Entry is the app in the pod's description; without what Fill finds out.
func (a *Addition) Entry() stageabi.App {
	e := a.entry()
	e.Added = a.request.Now
	return e
}

// Keep takes over what stands for the image of the app that it replaces.
func (a *Addition) Keep(dir string) error {
	s, err := readSaid(dir)
	a.section, a.said.Section = s.Section, s.Section
	return err
}

// Manifest is a pod's manifest with the app in it, in place of one of the same name, and the
// volumes that come with it.
func (a *Addition) Manifest(m *podmanifest.Manifest) (*podmanifest.Manifest, error) {
	merged := *m
	merged.Apps = WithoutApp(m, a.name).Apps
	merged.Apps = append(merged.Apps, a.manifest.Apps[0])
	merged.Volumes = slices.Clone(m.Volumes)
	for _, v := range a.manifest.Volumes {
		if slices.ContainsFunc(m.Volumes, func(have podmanifest.Volume) bool { return have.Name == v.Name }) {
			return nil, fmt.Errorf("the pod has a volume %s already: mount that, or give the new one another name", v.Name)
		}
		merged.Volumes = append(merged.Volumes, v)
	}
	if err := podmanifest.AddIDMapped(&merged, a.request.Pod.IDMapped); err != nil {
		return nil, err
	}
	return &merged, podmanifest.Check(&merged)
}

// WithoutApp is a manifest without an app.
func WithoutApp(m *podmanifest.Manifest, app string) *podmanifest.Manifest {
	less := *m
	less.Apps = slices.DeleteFunc(slices.Clone(m.Apps), func(ra podmanifest.RuntimeApp) bool { return ra.Name.String() == app })
	return &less
}

// Fill makes the app's directory in the pod, of that name, and returns the app's entry. The
// caller holds the lock of the images until the entry is written.
func (a *Addition) Fill(ctx context.Context, p *pod.Pod, bundle string, m *podmanifest.Manifest) (stageabi.App, error) {
	a.bundle = bundle
	if err := a.request.render(ctx, p, &a.app, map[digest.Digest]*imageFiles{}); err != nil {
		return stageabi.App{}, err
	}
	sysctls := map[string]string{}
	if _, err := a.request.writeApp(p, &a.app, m, sysctls); err != nil {
		return stageabi.App{}, err
	}
	box, err := p.Sandbox()
	if err != nil {
		return stageabi.App{}, err
	}
	if err := checkSysctls(box.Sysctls, sysctls); err != nil {
		return stageabi.App{}, err
	}
	if err := a.checkOrder(p, box); err != nil {
		return stageabi.App{}, err
	}
	if err := a.addMetadata(p, m); err != nil {
		return stageabi.App{}, err
	}
	e := a.Entry()
	e.Sockets = a.sockets
	return e, nil
}

// ReadManifest reads a pod's manifest.
func ReadManifest(p *pod.Pod) (*podmanifest.Manifest, error) {
	text, err := p.Manifest()
	if err != nil {
		return nil, err
	}
	return podmanifest.Parse(text)
}

// WriteManifest writes a pod's manifest in one step.
func WriteManifest(path string, m *podmanifest.Manifest) error {
	text, err := podmanifest.Marshal(m)
	if err != nil {
		return err
	}
	tmp := filepath.Join(filepath.Dir(path), ".tmp-"+stageabi.ManifestFile)
	return errors.Join(os.WriteFile(tmp, text, 0o644), os.Rename(tmp, path))
}
