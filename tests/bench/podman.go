package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// podman is a podman with configuration and storage of its own under one directory.
type podman struct {
	lane  *lane
	dir   string
	pause string // the infra image
	idle  string
}

// newPodman writes the configuration. default_ulimits are low because podman otherwise raises limits, for which it needs
// CAP_SYS_RESOURCE; cgroups are made by itself because there may be no systemd; events go nowhere.
func newPodman(l *lane, dir, idle, pause string) (*podman, error) {
	p := &podman{lane: l, dir: dir, idle: idle, pause: pause}
	if err := os.MkdirAll(filepath.Join(dir, "net"), 0o755); err != nil {
		return nil, err
	}
	files := map[string]string{
		"storage.conf": fmt.Sprintf("[storage]\ndriver = \"overlay\"\ngraphroot = %q\nrunroot = %q\n", p.graph(), p.runroot()),
		"containers.conf": fmt.Sprintf(`[containers]
default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]
log_driver = "k8s-file"
[engine]
cgroup_manager = "cgroupfs"
events_logger = "none"
runtime = "crun"
infra_image = %q
image_copy_tmp_dir = %q
tmp_dir = %q
static_dir = %q
volume_path = %q
[network]
network_config_dir = %q
`, pause, dir, p.runroot()+"/libpod", p.graph()+"/libpod", p.graph()+"/volumes", filepath.Join(dir, "net")),
		"registries.conf": "unqualified-search-registries = []\n",
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			return nil, err
		}
	}
	return p, nil
}

func (p *podman) graph() string   { return filepath.Join(p.dir, "graph") }
func (p *podman) runroot() string { return filepath.Join(p.dir, "run") }

func (p *podman) command(args ...string) command {
	conf := func(name string) string { return filepath.Join(p.dir, name) }
	return command{
		Argv: append([]string{"podman"}, args...),
		Env: []string{"CONTAINERS_CONF=" + conf("containers.conf"), "CONTAINERS_STORAGE_CONF=" + conf("storage.conf"),
			"CONTAINERS_REGISTRIES_CONF=" + conf("registries.conf")},
	}
}

// pull fetches the two images that pods need.
func (p *podman) pull(ctx context.Context) error {
	for _, ref := range []string{p.idle, p.pause} {
		if _, err := p.lane.measureExit(ctx, p.command("pull", "--quiet", "--tls-verify=false", ref)); err != nil {
			return err
		}
	}
	return nil
}

// runOnce is podman run of one program to its end.
func (p *podman) runOnce(ctx context.Context) (sample, error) {
	return p.lane.measureExit(ctx, p.command("run", "--rm", "--network=none", p.idle, "/bin/true"))
}

// kubePod is the Kubernetes form of a pod of idle apps.
func kubePod(image string, apps int) string {
	var b strings.Builder
	b.WriteString("apiVersion: v1\nkind: Pod\nmetadata:\n  name: bench\nspec:\n  restartPolicy: Never\n  containers:\n")
	for i := range apps {
		fmt.Fprintf(&b, "  - name: a%d\n    image: %s\n    imagePullPolicy: Never\n    command: [\"%s\"]\n", i+1, image, strings.Join(idleCommand(), `", "`))
	}
	return b.String()
}

// play starts a pod. The caller ends it with down.
func (p *podman) play(ctx context.Context, apps int) (*run, sample, error) {
	path := filepath.Join(p.dir, fmt.Sprintf("pod%d.yaml", apps))
	if err := os.WriteFile(path, []byte(kubePod(p.idle, apps)), 0o644); err != nil {
		return nil, sample{}, err
	}
	r, err := p.lane.start(ctx, p.command("kube", "play", "--quiet", "--network=none", path))
	if err != nil {
		return nil, sample{}, err
	}
	s, err := r.untilReturn(ctx)
	if err == nil {
		err = wantIdle(r.group, apps)
	}
	if err != nil {
		return nil, s, errors.Join(err, p.down(ctx, r))
	}
	return r, s, nil
}

// down ends a pod without ceremony: podman's own orderly way takes seconds. After the kill the first removal finds
// its containers dead and may say so with an error; a later one succeeds.
func (p *podman) down(ctx context.Context, r *run) error {
	ctx = context.WithoutCancel(ctx)
	if err := r.end(ctx); err != nil {
		return err
	}
	var err error
	for range 4 {
		if _, err = p.lane.measureExit(ctx, p.command("pod", "rm", "--force", "--all", "--time=0")); err != nil {
			continue
		}
		var out string
		if _, out, err = p.lane.outputOf(ctx, p.command("ps", "--all", "--quiet")); err == nil && strings.TrimSpace(out) == "" {
			return nil
		}
	}
	return errors.Join(errors.New("podman keeps containers of an ended pod"), err)
}

// pullCold pulls into an empty store, then removes the store, outside of the measured time.
func (p *podman) pullCold(ctx context.Context, ref string) (s sample, err error) {
	cold, err := newPodman(p.lane, filepath.Join(p.dir, "cold"), p.idle, p.pause)
	if err != nil {
		return sample{}, err
	}
	defer func() { err = errors.Join(err, cold.removeStore()) }()
	c := cold.command("pull", "--quiet", "--tls-verify=false", ref)
	c.Limit = 10 * time.Minute
	return p.lane.measureExit(ctx, c)
}

// removeStore unmounts what podman left mounted and removes its directory.
func (p *podman) removeStore() error {
	return errors.Join(p.lane.do(func() error { return unmountBelow(p.dir) }), os.RemoveAll(p.dir))
}
