package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/raket/raket/pkg/appspec"
	"github.com/raket/raket/pkg/flock"
	"github.com/raket/raket/pkg/image"
	"github.com/raket/raket/pkg/stageabi"
	"github.com/raket/raket/stage0/cli/appargs"
	"github.com/raket/raket/stage0/flavour"
	"github.com/raket/raket/stage0/prepare"
)

// realPreparer makes pods on this host.
type realPreparer struct {
	images *realImages
	pods   *realPods
}

func openPreparer(s settings) (*realPreparer, error) {
	if os.Geteuid() != 0 {
		return nil, &fault{err: fmt.Errorf("making a pod needs root; this is user %d", os.Geteuid()), hint: "sudo raket …"}
	}
	images, err := openImages(s)
	if err != nil {
		return nil, err
	}
	pods, err := openPods(s)
	if err != nil {
		return nil, err
	}
	return &realPreparer{images, pods}, nil
}

func (r *realPreparer) Prepare(ctx context.Context, p appargs.Pod, keep bool) (uuid string, err error) {
	fetchImage := func(ctx context.Context, name, signature string) (image.Image, error) {
		return r.images.Fetch(ctx, fetchRequest{Name: name, Signature: signature, PullPolicy: p.PullPolicy, Quiet: p.Quiet})
	}
	stage1, lock, err := r.stage1(ctx, p.Stage1, fetchImage)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, lock.Close()) }()
	if len(p.Apps) == 0 && p.Manifest == "" {
		if _, err := stage1.Path(stageabi.AppAdd); err != nil {
			return "", fmt.Errorf("%w: a pod of it cannot begin without apps", err)
		}
	}
	prepared, err := prepare.Prepare(ctx, prepare.Request{
		Pods: r.pods.store, Images: r.images.store, Fetch: fetchImage, Stage1: stage1, Pod: p, Now: time.Now(),
		Durable: keep, Loose: r.pods.Insecure.loose(),
	})
	if code := startFault(err); code != 0 && !keep {
		err = &fault{err: err, code: code}
	}
	return string(prepared), err
}

// startFault is the status of an app that cannot be started, the one it has when
// only the kernel finds out; 0 for other errors.
func startFault(err error) int {
	var missing *appspec.NotFoundError
	var broken *appspec.NotRunnableError
	var dir *appspec.WorkDirError
	switch {
	case errors.As(err, &missing), errors.As(err, &broken):
		return exitExec
	case errors.As(err, &dir):
		return exitNamespace
	}
	return 0
}

// stage1 finds the flavour that was asked for, on the command line or in the
// configuration.
func (r *realPreparer) stage1(ctx context.Context, asked appargs.Stage1, fetchImage func(ctx context.Context, name, signature string) (image.Image, error)) (stageabi.Stage1, *flock.Lock, error) {
	cfg := r.pods.Config
	q := flavour.Request{
		DataDir: r.pods.DataDir, Store: r.images.store, Name: asked.Name, SearchDirs: flavour.SearchDirs(cfg.Paths.Stage1Images),
	}
	switch {
	case asked.Image != "":
		img, err := fetchImage(ctx, asked.Image, "")
		if err != nil {
			return stageabi.Stage1{}, nil, fmt.Errorf("stage1 %q: %w", asked.Image, err)
		}
		q.Image = &img
	case asked.FromDir != "" && strings.Contains(asked.FromDir, "/"):
		q.Dir = asked.FromDir
	case asked.FromDir != "":
		q.Name = asked.FromDir
	case asked.Name == "" && cfg.Stage1.Location != "":
		q.Dir = cfg.Stage1.Location
	case asked.Name == "":
		q.Name = cfg.Stage1.Name
	}
	return flavour.Find(ctx, q)
}
