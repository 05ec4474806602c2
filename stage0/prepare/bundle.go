package prepare

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/opencontainers/go-digest"

	"github.com/raket/raket/pkg/approot"
	"github.com/raket/raket/pkg/appspec"
	"github.com/raket/raket/pkg/image"
	"github.com/raket/raket/stage0/cli/appargs"
)

// bundlePrefix begins the name of an OCI bundle, a directory, where an image is expected.
const bundlePrefix = "bundle:"

// bundle is an OCI bundle (runtime-spec, bundle.md). It is no more trusted than an image: what it
// asks for beyond what an image may have, is refused.
type bundle struct {
	dir    string // absolute, without symbolic links
	root   string // the same, within dir
	config []byte
}

// fetchBundle makes an app of the bundle in dir.
func (a *app) fetchBundle(dir string, arg appargs.App) error {
	b, err := readBundle(dir)
	if err != nil {
		return err
	}
	a.from = b
	// Nobody else has it: its description's digest says which it is.
	a.img = image.Image{ID: digest.FromBytes(b.config), Kind: image.OCI, Names: []string{bundlePrefix + b.dir}, OS: "linux", Arch: runtime.GOARCH}
	a.overrides = []appspec.Override{arg.Override}
	a.capsSaid = arg.Override.CapsRetain != nil
	return nil
}

func readBundle(dir string) (*bundle, error) {
	b := &bundle{}
	var err error
	if b.dir, err = filepath.Abs(dir); err == nil {
		b.dir, err = filepath.EvalSymlinks(b.dir)
	}
	if err != nil {
		return nil, err
	}
	path := filepath.Join(b.dir, "config.json")
	st, err := os.Lstat(path)
	if err != nil {
		return nil, fmt.Errorf("no OCI bundle: %w", err)
	}
	if !st.Mode().IsRegular() {
		return nil, fmt.Errorf("no OCI bundle: %s is not a file", path)
	}
	if b.config, err = readLimited(path, appspec.MaxSpecBytes); err != nil {
		return nil, err
	}
	spec, err := appspec.Parse(b.config)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if b.root, err = b.within(spec.Root.Path); err != nil {
		return nil, fmt.Errorf("%s: root.path: %w", path, err)
	}
	if st, err := os.Stat(b.root); err != nil || !st.IsDir() {
		return nil, errors.Join(err, fmt.Errorf("%s: root.path: %q is not a directory", path, spec.Root.Path))
	}
	return b, nil
}

// within is a path of the bundle's without symbolic links. It fails for one that leads out.
func (b *bundle) within(path string) (string, error) {
	at := path
	if !filepath.IsAbs(at) {
		at = filepath.Join(b.dir, at)
	}
	real, err := filepath.EvalSymlinks(at)
	if err != nil {
		return "", err
	}
	if !strings.HasPrefix(real, b.dir+"/") {
		return "", fmt.Errorf("%q leads out of the bundle", path)
	}
	return real, nil
}

// app makes the app.
func (b *bundle) app(capsSaid bool) (*appspec.App, error) {
	spec, err := appspec.Parse(b.config)
	if err != nil {
		return nil, err
	}
	for name := range spec.Annotations {
		directive, ok := strings.CutPrefix(name, appspec.PropertyPrefix)
		if ok && !slices.Contains(bundleProperties(), directive) {
			return nil, fmt.Errorf("config.json: annotations[%q]: a bundle cannot set it: --property=%s=… does", name, directive)
		}
	}
	for i, m := range spec.Mounts {
		if m.Type != "bind" && !slices.Contains(m.Options, "bind") && !slices.Contains(m.Options, "rbind") {
			continue
		}
		source, err := b.within(m.Source)
		if err != nil {
			return nil, fmt.Errorf("config.json: mounts[%d]: source: %w: --volume and --mount bring in files of the host's", i, err)
		}
		spec.Mounts[i].Source, spec.Mounts[i].Type = source, "bind"
	}
	if c := spec.Process.Capabilities; c != nil && !capsSaid {
		usual := appspec.DefaultCapabilities()
		for _, name := range c.Bounding {
			if !slices.Contains(usual, name) {
				return nil, fmt.Errorf("config.json: process.capabilities.bounding: %s is beyond what images may have: --caps-retain says what the app may", name)
			}
		}
	}
	spec.Root.Path = "rootfs"
	made := appspec.FromSpec(spec)
	if spec.Linux.Seccomp == nil {
		made.Filter.Kind = appspec.FilterDefault
	}
	return made, nil
}

// bundleProperties are systemd directives that change when an app starts, ends and is started
// again, and nothing that it can reach.
func bundleProperties() []string {
	return []string{
		"Type", "NotifyAccess", "Restart", "RestartSec", "SuccessExitStatus", "RestartPreventExitStatus", "RestartForceExitStatus", "RemainAfterExit",
		"KillMode", "KillSignal", "RestartKillSignal", "FinalKillSignal", "SendSIGHUP", "SendSIGKILL", "TimeoutSec", "TimeoutStartSec", "TimeoutStopSec", "TimeoutAbortSec", "RuntimeMaxSec",
		"WatchdogSec", "WatchdogSignal", "StartLimitIntervalSec", "StartLimitBurst", "IgnoreSIGPIPE", "Description",
	}
}

// renderBundle makes the bundle's root the lower layer of the app's: nothing is written to it. Without
// overlay it is copied.
func (r Request) renderBundle(ctx context.Context, a *app, rootfs string) error {
	stack := []string{a.from.root}
	if r.Pod.NoOverlay {
		if err := copyRoot(ctx, a.from.root, rootfs); err != nil {
			return fmt.Errorf("copy the bundle's root: %w", err)
		}
		stack = []string{rootfs}
	} else {
		a.lowers = stack
	}
	var err error
	a.files, err = readFiles(a.from.config, stack)
	return err
}

func copyRoot(ctx context.Context, from, to string) (err error) {
	source, err := approot.OpenView(from)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, source.Close()) }()
	target, err := approot.OpenView(to)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, target.Close()) }()
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	sent := make(chan error, 1)
	go func() {
		_, err := source.Send(ctx, w, "/.")
		sent <- errors.Join(err, w.Close())
	}()
	err = target.Receive(ctx, r, "/", false)
	return errors.Join(err, r.Close(), <-sent)
}
