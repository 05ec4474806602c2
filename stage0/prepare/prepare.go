package prepare

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/opencontainers/go-digest"
	"golang.org/x/sys/unix"

	"github.com/raket/raket/pkg/appspec"
	"github.com/raket/raket/pkg/image"
	"github.com/raket/raket/pkg/imagestore"
	"github.com/raket/raket/pkg/pod"
	"github.com/raket/raket/pkg/podmanifest"
	"github.com/raket/raket/pkg/stageabi"
	"github.com/raket/raket/pkg/uidrange"
	"github.com/raket/raket/stage0/cli/appargs"
)

// Request is a pod to make.
type Request struct {
	Pods   *pod.Store
	Images *imagestore.Store
	// Fetch returns an image by the name a user gave it; signature says where
	// its signature is, "" meaning beside it.
	Fetch  func(ctx context.Context, name, signature string) (image.Image, error)
	Stage1 stageabi.Stage1
	Pod    appargs.Pod
	// Loose are protections that the pod goes without.
	Loose appspec.Loose
	// Durable brings the pod to the disk before it counts as prepared. It is for
	// pods that are started later: one that starts at once does not survive what
	// would lose its files.
	Durable bool
	Now     time.Time
}

// Prepare makes the pod and returns its UUID.
func Prepare(ctx context.Context, r Request) (uuid pod.UUID, err error) {
	r.Fetch = onceEach(r.Fetch)
	apps, manifest, err := r.apps(ctx)
	if err != nil {
		return "", err
	}
	p, err := r.Pods.Create()
	if err != nil {
		return "", err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, discard(p))
		}
		err = errors.Join(err, p.Close())
	}()
	if err := r.fill(ctx, p, apps, manifest); err != nil {
		return "", err
	}
	if r.Durable {
		if err := syncFS(p.Dir()); err != nil {
			return "", fmt.Errorf("write pod to disk: %w", err)
		}
	}
	return p.UUID, p.ToPrepared(r.Durable)
}

// onceEach is fetch for one pod, of which several apps may name the same image:
// each is asked for once.
func onceEach(fetch func(ctx context.Context, name, signature string) (image.Image, error)) func(context.Context, string, string) (image.Image, error) {
	got := map[[2]string]image.Image{}
	return func(ctx context.Context, name, signature string) (image.Image, error) {
		key := [2]string{name, signature}
		img, ok := got[key]
		if ok {
			return img, nil
		}
		img, err := fetch(ctx, name, signature)
		if err == nil {
			got[key] = img
		}
		return img, err
	}
}

// discard removes a pod that could not be finished.
func discard(p *pod.Pod) error {
	if err := p.ToGarbage(); err != nil {
		return err
	}
	return p.Remove()
}

func syncFS(dir string) (err error) {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	return unix.Syncfs(int(f.Fd()))
}

// fill writes everything below the pod's directory.
func (r Request) fill(ctx context.Context, p *pod.Pod, apps []app, manifest *podmanifest.Manifest) (err error) {
	s := r.sandbox(p.UUID)
	// Also of a pod without apps: it is locked by whoever changes them.
	if err := os.Mkdir(filepath.Join(p.Dir(), stageabi.AppsDir), 0o755); err != nil {
		return err
	}
	if s.Resources, s.NetworkBandwidth, err = r.limits(manifest); err != nil {
		return err
	}
	// Until the pod's reference to the images is written, none may be removed.
	lock, err := r.Images.RLock()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lock.Close()) }()
	read := map[digest.Digest]*imageFiles{}
	for i := range apps {
		if err := r.render(ctx, p, &apps[i], read); err != nil {
			return fmt.Errorf("app %s: %w", apps[i].name, err)
		}
		s.Apps = append(s.Apps, apps[i].entry())
	}
	if err := WriteSandbox(p.Dir(), s); err != nil {
		return err
	}
	sysctls := map[string]string{}
	if err := appspec.MergeSysctls(sysctls, r.Pod.Sysctls); err != nil {
		return err
	}
	var order []appspec.Ordered
	for i := range apps {
		life, err := r.writeApp(p, &apps[i], manifest, sysctls)
		if err != nil {
			return fmt.Errorf("app %s: %w", apps[i].name, err)
		}
		order = append(order, appspec.Ordered{Name: apps[i].name, Life: life})
	}
	if err := appspec.CheckOrder(order, false); err != nil {
		return err
	}
	if r.Pod.PublishAll {
		if err := publishAll(apps, manifest); err != nil {
			return err
		}
	}
	if s.Network.Ports, err = published(apps, manifest); err != nil {
		return err
	}
	s.Sysctls = sysctls
	wanted := addSockets(&s, apps)
	serve, err := r.wantsMetadata(apps)
	if err != nil {
		return err
	}
	if serve {
		if err := r.writeMetadata(p.Dir(), &s, apps, manifest); err != nil {
			return err
		}
	}
	if wanted || serve || len(sysctls) > 0 || len(s.Network.Ports) > 0 {
		if err := WriteSandbox(p.Dir(), s); err != nil {
			return err
		}
	}
	text, err := podmanifest.Marshal(manifest)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(p.Dir(), stageabi.ManifestFile), text, 0o644)
}

// sandbox is what is known of the pod before its apps.
func (r Request) sandbox(uuid pod.UUID) stageabi.Sandbox {
	s := stageabi.Sandbox{
		UUID:         string(uuid),
		Created:      r.Now,
		Hostname:     uuid.MachineName(),
		Network:      stageabi.Network{Mode: stageabi.NetNone},
		ExitPolicy:   stageabi.ExitPolicy(r.Pod.ExitPolicy),
		Log:          stageabi.LogMode(r.Pod.Log),
		Stage1:       r.Stage1,
		Capabilities: r.Pod.Capabilities,
		Insecure:     stageabi.Insecure{Paths: r.Loose.Paths, Seccomp: r.Loose.Seccomp},
	}
	if w := r.Pod.Users; w != (uidrange.Wish{}) {
		s.Users = &stageabi.Users{Pick: w.Pick, Base: w.Range.Base, Count: w.Range.Count}
	}
	if r.Stage1.Network != "" {
		s.Network.Mode = r.Stage1.Network
	}
	if s.ExitPolicy == "" {
		s.ExitPolicy = stageabi.ExitAnyFailed
	}
	if s.Log == "" {
		s.Log = stageabi.LogAuto
	}
	return s
}

// limits are what bounds all apps together.
func (r Request) limits(manifest *podmanifest.Manifest) (resources json.RawMessage, netBytes int64, err error) {
	var isolators []byte
	if len(manifest.Isolators) > 0 {
		if isolators, err = json.Marshal(manifest.Isolators); err != nil {
			return nil, 0, err
		}
	}
	return appspec.PodLimits(isolators, r.Pod.Limits)
}

// WriteSandbox writes a pod's description into its directory.
func WriteSandbox(dir string, s stageabi.Sandbox) error {
	text, err := json.Marshal(s)
	if err != nil {
		return err
	}
	tmp := filepath.Join(dir, ".tmp-"+stageabi.SandboxFile)
	if err := os.WriteFile(tmp, append(text, '\n'), 0o644); err != nil {
		return err
	}
	return os.Rename(tmp, filepath.Join(dir, stageabi.SandboxFile))
}

// specMode: an app's environment may hold secrets, and only root runs pods.
const specMode = 0o600

// writeApp writes an app's spec and returns what that says of the app's life.
func (r Request) writeApp(p *pod.Pod, a *app, manifest *podmanifest.Manifest, sysctls map[string]string) (appspec.Life, error) {
	spec, err := r.spec(p, a, manifest)
	if err == nil && spec.Linux != nil {
		// The apps of a pod share them.
		err = appspec.MergeSysctls(sysctls, spec.Linux.Sysctl)
	}
	if err != nil {
		return appspec.Life{}, err
	}
	a.spec = spec
	text, err := appspec.Compact(spec)
	if err != nil {
		return appspec.Life{}, err
	}
	if err := a.said.write(a.dir(p.Dir())); err != nil {
		return appspec.Life{}, err
	}
	if err := os.WriteFile(filepath.Join(a.dir(p.Dir()), stageabi.SpecFile), text, specMode); err != nil {
		return appspec.Life{}, err
	}
	return appspec.LifeOf(spec)
}

// readLimited reads a file of a user's.
func readLimited(path string, limit int64) (_ []byte, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	b, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(b)) > limit {
		err = fmt.Errorf("%s: more than %d bytes", path, limit)
	}
	return b, err
}
