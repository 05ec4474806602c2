package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// raket is the built program on a store of its own.
type raket struct {
	lane *lane
	bin  string
	dir  string
	idle string // docker:// name of the idle image
}

func (k *raket) command(args ...string) command {
	return command{Argv: append([]string{k.bin, "--dir=" + k.dir}, args...)}
}

// fetch brings an image into the store.
func (k *raket) fetch(ctx context.Context, ref string) (sample, error) {
	return k.lane.measureExit(ctx, k.command("fetch", "--insecure-options=http", "docker://"+ref))
}

// runArgs is the command line of a pod of idle apps.
func (k *raket) runArgs(apps int) []string {
	args := []string{"run", "--net=none"}
	for i := range apps {
		args = append(args, k.idle, fmt.Sprintf("--name=a%d", i+1))
	}
	return args
}

// ready starts a pod and waits for its READY=1. The caller ends it with down.
func (k *raket) ready(ctx context.Context, apps int) (*run, sample, error) {
	c := k.command(k.runArgs(apps)...)
	c.Notify = true
	r, err := k.lane.start(ctx, c)
	if err != nil {
		return nil, sample{}, err
	}
	s, err := r.untilReady(ctx)
	if err == nil {
		// Also proves that the pod stayed in the run's cgroup, without which the CPU time would be a part of it only.
		err = wantIdle(r.group, apps)
	}
	if err != nil {
		return nil, s, errors.Join(err, k.down(ctx, r))
	}
	return r, s, nil
}

// down kills a pod and collects it.
func (k *raket) down(ctx context.Context, r *run) error {
	return errors.Join(r.end(ctx), k.collect(context.WithoutCancel(ctx)))
}

// collect removes every exited pod.
func (k *raket) collect(ctx context.Context) error {
	_, err := k.lane.measureExit(ctx, k.command("gc", "--grace-period=0s"))
	return err
}

// once runs a pod to its end.
func (k *raket) once(ctx context.Context) (sample, error) {
	s, err := k.lane.measureExit(ctx, k.command("run", "--net=none", k.idle, "--exec", "/bin/true"))
	return s, errors.Join(err, k.collect(ctx))
}

// fetchCold fetches into an empty store, then removes the store, outside of the measured time.
// The layers must be unpacked then, as podman's are: an image of files that has none on disk is not fetched.
func (k *raket) fetchCold(ctx context.Context, ref string, unpackedBytes int64) (s sample, err error) {
	cold := &raket{lane: k.lane, bin: k.bin, dir: filepath.Join(k.dir, "cold")}
	defer func() { err = errors.Join(err, cold.removeStore()) }()
	if s, err = cold.fetch(ctx, ref); err != nil {
		return s, err
	}
	size, err := sizeBelow(filepath.Join(cold.dir, "trees"))
	if err == nil && size < unpackedBytes*9/10 {
		err = fmt.Errorf("after fetch %d of %d MB are unpacked", size/1e6, unpackedBytes/1e6)
	}
	return s, err
}

func (k *raket) removeStore() error {
	return errors.Join(k.lane.do(func() error { return unmountBelow(k.dir) }), os.RemoveAll(k.dir))
}

// clonePods makes COUNT exited pods by running one to its end and copying its directory under new UUIDs, with the UUID
// replaced wherever it stands in names, text and links. raket list must then know them all, which the caller checks.
func (k *raket) clonePods(ctx context.Context, count int) (anyUUID string, err error) {
	if err := k.collect(ctx); err != nil {
		return "", err
	}
	if _, err := k.lane.measureExit(ctx, k.command("run", "--net=none", k.idle, "--exec", "/bin/true")); err != nil {
		return "", err
	}
	dirs, err := filepath.Glob(filepath.Join(k.dir, "pods", "*", "????????-????-????-????-????????????"))
	if err != nil {
		return "", err
	}
	if len(dirs) != 1 {
		return "", fmt.Errorf("find the directory of one exited pod: %d are there", len(dirs))
	}
	old := filepath.Base(dirs[0])
	for i := 1; i < count; i++ {
		id := fmt.Sprintf("%08x-%04x-4%03x-8%03x-%012x", 0x51000000+uint32(i)*2654435, i&0xffff, i&0xfff, i&0xfff, i)
		if err := copyPod(dirs[0], filepath.Join(filepath.Dir(dirs[0]), id), strings.NewReplacer(old, id)); err != nil {
			return "", fmt.Errorf("copy pod: %w", err)
		}
	}
	return old, nil
}

// countPods asks raket how many pods there are: one line an app, one app a pod.
func (k *raket) countPods(ctx context.Context) (int, error) {
	_, out, err := k.lane.outputOf(ctx, k.command("list", "--no-legend"))
	return strings.Count(out, "\n"), err
}
