package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/raket/raket/pkg/appcredential"
	"github.com/raket/raket/pkg/appspec"
	"github.com/raket/raket/pkg/cgroup"
	"github.com/raket/raket/pkg/image"
	"github.com/raket/raket/pkg/stageabi"
	"github.com/raket/raket/pkg/uidrange"
	"github.com/raket/raket/stage0/apps"
	"github.com/raket/raket/stage0/launch"
	"github.com/raket/raket/stage0/prepare"
)

// realApps are the apps of the host's pods.
type realApps struct{ settings }

func (r *realApps) pods() (*realPods, error) { return openPods(r.settings) }

func (r *realApps) Add(ctx context.Context, q addRequest) (string, error) {
	prep, err := openPreparer(r.settings)
	if err != nil {
		return "", err
	}
	p, err := prep.pods.find(q.UUID)
	if err != nil {
		return "", err
	}
	box, err := p.Sandbox()
	if err != nil {
		return "", err
	}
	app := &q.Pod.Apps[0]
	if q.Replace != "" {
		base, err := prepare.Said(stageabi.AppPath(p.Dir(), q.Replace))
		if err != nil {
			return "", err
		}
		*app = app.Over(base)
		app.Name = q.Replace
		if old, ok := box.Find(q.Replace); ok && len(old.Lowers) == 0 {
			q.Pod.NoOverlay = true // as it was said, perhaps since there can be none
		}
	}
	credentials, err := appcredential.HostSources().Find(app.Credentials, app.CredentialValues)
	if err != nil {
		return "", err
	}
	if u := box.Users; u != nil {
		q.Pod.Users = uidrange.Wish{Pick: u.Pick, Range: uidrange.Range{Base: u.Base, Count: u.Count}}
	}
	loose := r.Insecure.loose()
	loose.Paths, loose.Seccomp = box.Insecure.Paths, box.Insecure.Seccomp
	o := apps.Options{
		Settle: q.Settle, Wait: q.Pod.Wait, Credentials: credentials,
		Warn: func(line string) { fmt.Fprintln(r.Stderr, line) },
		Request: prepare.Request{
			Pods: prep.pods.store, Images: prep.images.store, Stage1: box.Stage1, Pod: q.Pod, Loose: loose, Now: time.Now(),
			Fetch: func(ctx context.Context, name, signature string) (image.Image, error) {
				return prep.images.Fetch(ctx, fetchRequest{Name: name, Signature: signature, PullPolicy: q.Pod.PullPolicy, Quiet: q.Pod.Quiet})
			},
		},
	}
	if q.Replace != "" {
		return q.Replace, apps.Replace(ctx, p, o)
	}
	return apps.Add(ctx, p, o)
}

func (r *realApps) Control(ctx context.Context, q controlRequest) error {
	if os.Geteuid() != 0 {
		return &fault{err: fmt.Errorf("changing a pod needs root; this is user %d", os.Geteuid()), hint: "sudo raket …"}
	}
	pods, err := r.pods()
	if err != nil {
		return err
	}
	p, err := pods.find(q.UUID)
	if err != nil {
		return err
	}
	switch q.Do {
	case doStart, doRestart:
		return apps.Start(ctx, p, q.App, q.Do == doRestart)
	case doStop:
		return apps.Stop(ctx, p, q.App, q.Force)
	case doRemove:
		return apps.Remove(ctx, p, q.App)
	case doKill:
		return launch.Kill(ctx, p, q.App, q.Signal)
	}
	return errors.New("nobody knows how to " + q.Do + " an app")
}

func (r *realApps) Spec(_ context.Context, uuid, app string) ([]byte, error) {
	pods, err := r.pods()
	if err != nil {
		return nil, err
	}
	p, err := pods.find(uuid)
	if err != nil {
		return nil, err
	}
	text, err := os.ReadFile(filepath.Join(stageabi.AppPath(p.Dir(), app), stageabi.SpecFile))
	if err != nil {
		return nil, err
	}
	return withDisk(text, p.Dir())
}

// withDisk is the spec, for people to read. It names the device that limits are for which name none, as the pod's stage1 does.
func withDisk(text []byte, dir string) ([]byte, error) {
	spec, err := appspec.Parse(text)
	if err != nil {
		return nil, err
	}
	if spec.Linux == nil || !appspec.LimitsDisk(spec.Linux.Resources) {
		return appspec.Indent(text)
	}
	device, err := cgroup.Disk(dir)
	if err != nil && !errors.Is(err, cgroup.ErrNoDisk) {
		return nil, err
	}
	appspec.SetDisk(spec.Linux.Resources, device)
	return appspec.Marshal(spec)
}
