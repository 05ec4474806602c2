package prepare

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/opencontainers/go-digest"

	"github.com/raket/raket/pkg/appcredential"
	"github.com/raket/raket/pkg/appspec"
	"github.com/raket/raket/pkg/image"
	"github.com/raket/raket/pkg/pod"
	"github.com/raket/raket/pkg/podmanifest"
	"github.com/raket/raket/pkg/stageabi"
	"github.com/raket/raket/stage0/cli/appargs"
)

// app is one app of a pod being prepared.
type app struct {
	name  string
	asked string // the name the user gave the image
	img   image.Image
	// section is an appc app section that stands for the image's; may be nil.
	section   []byte
	overrides []appspec.Override
	lowers    []string       // trees, top first; empty without overlay
	sockets   []string       // that the app asks for, as --socket has them
	ports     []appspec.Port // that its image says it listens on
	// credentials say where the app's credentials come from.
	credentials []appcredential.Wish
	devices     appspec.Devices
	security    appspec.Security
	sysctls     map[string]string
	files       *imageFiles
	spec        *appspec.Spec // once it is made
	// from is the OCI bundle that the app is of rather than of an image; capsSaid: the user
	// has said which capabilities it has.
	from     *bundle
	capsSaid bool
	// bundle is the name of the app's directory, where it is not the app's name yet.
	bundle string
	// said is what the user said of the app, for whoever updates it.
	said said
}

// dir is the app's directory in the pod's.
func (a *app) dir(pod string) string { return stageabi.AppPath(pod, cmp.Or(a.bundle, a.name)) }

func (a *app) entry() stageabi.App {
	e := stageabi.App{
		Name: a.name, Image: a.img.Name(), ImageID: a.img.ID.String(), PrintID: image.FullID(a.img), Lowers: a.lowers,
	}
	for _, w := range a.credentials {
		e.Credentials = append(e.Credentials, w.String())
	}
	return e
}

// apps fetches the images and names the apps.
func (r Request) apps(ctx context.Context) ([]app, *podmanifest.Manifest, error) {
	if r.Pod.Manifest != "" {
		return r.manifestApps(ctx)
	}
	var apps []app
	ports, err := publish(r.Pod.Ports)
	if err != nil {
		return nil, nil, err
	}
	c := podmanifest.Config{Volumes: r.Pod.Volumes, Ports: ports}
	for _, kv := range r.Pod.Annotations {
		if c.Annotations == nil {
			c.Annotations = map[string]string{}
		}
		c.Annotations[kv.Key] = kv.Value
	}
	seen := map[string]string{}
	for _, arg := range r.Pod.Apps {
		a, err := r.fetch(ctx, arg)
		if err != nil {
			return nil, nil, fmt.Errorf("image %q: %w", arg.Image, err)
		}
		if other, ok := seen[a.name]; ok {
			return nil, nil, fmt.Errorf("images %q and %q both make an app named %s: name one of them with --name", other, arg.Image, a.name)
		}
		seen[a.name] = arg.Image
		apps = append(apps, a)
		c.Apps = append(c.Apps, appConfig(a.name, arg, a.img, r.Pod.Mounts))
	}
	m, err := podmanifest.New(c)
	if err == nil {
		err = podmanifest.AddIDMapped(m, r.Pod.IDMapped)
	}
	return apps, m, err
}

// fetch fetches an app's image and names the app.
func (r Request) fetch(ctx context.Context, arg appargs.App) (app, error) {
	a := app{
		asked: arg.Image, name: arg.Name, sockets: arg.Sockets, said: said{App: arg},
		credentials: arg.Credentials, security: arg.Security, sysctls: arg.Sysctls,
	}
	a.said.App.CredentialValues = nil // secrets are on no disk
	a.said.App.Mounts = append(append([]podmanifest.MountFlag{}, r.Pod.Mounts...), arg.Mounts...)
	if name, is := appcredential.Annotated(arg.Override.Annotations); is {
		return a, fmt.Errorf("annotation %s is for pod manifests: use --%s", name, strings.TrimPrefix(name, "io.raket."))
	}
	var err error
	if arg.Override.Filter == nil {
		if arg.Override.Filter, err = callFilter(arg.SeccompProfile); err != nil {
			return a, err
		}
	}
	a.said.App.Override.Filter, a.said.App.SeccompProfile = arg.Override.Filter, ""
	if a.devices, err = devices(arg.Devices); err != nil {
		return a, err
	}
	if dir, ok := strings.CutPrefix(arg.Image, bundlePrefix); ok {
		err = a.fetchBundle(dir, arg)
	} else {
		a.img, err = r.Fetch(ctx, arg.Image, arg.Signature)
	}
	if err != nil {
		return a, err
	}
	if a.name == "" {
		if a.name, err = podmanifest.SanitizeName(nameSource(arg.Image, a.img)); err != nil {
			return a, fmt.Errorf("%w (name the app with --name)", err)
		}
	}
	a.overrides = []appspec.Override{arg.Override}
	return a, nil
}

// nameSource is what an app is named after: what the user typed, unless that is
// an ID or a file.
func nameSource(asked string, img image.Image) string {
	if dir, ok := strings.CutPrefix(img.Name(), bundlePrefix); ok {
		return filepath.Base(dir)
	}
	ref, err := image.Parse(asked)
	if err == nil && (ref.Transport == image.Docker || ref.Transport == image.ByName) {
		return asked
	}
	return img.Name()
}

func appConfig(name string, arg appargs.App, img image.Image, all []podmanifest.MountFlag) podmanifest.AppConfig {
	c := podmanifest.AppConfig{
		Name: name, Image: img.Name(), ImageID: image.FullID(img), Labels: map[string]string{},
		Mounts:         append(append([]podmanifest.MountFlag{}, all...), arg.Mounts...),
		ReadonlyRootfs: arg.Override.ReadonlyRootfs != nil && *arg.Override.ReadonlyRootfs,
		Annotations:    arg.Override.Streams.Annotations(),
	}
	if c.Annotations == nil {
		c.Annotations = map[string]string{}
	}
	for name, value := range arg.Override.Annotations {
		if podmanifest.CanName(name) {
			c.Annotations[name] = value
		}
	}
	appcredential.AddAnnotations(c.Annotations, arg.Credentials)
	if img.OS != "" {
		c.Labels["os"] = img.OS
	}
	if img.Arch != "" {
		c.Labels["arch"] = img.Arch
	}
	return c
}

// maxManifestBytes bounds a pod manifest.
const maxManifestBytes = 4 << 20

func (r Request) manifestApps(ctx context.Context) ([]app, *podmanifest.Manifest, error) {
	text, err := readLimited(r.Pod.Manifest, maxManifestBytes)
	if err != nil {
		return nil, nil, fmt.Errorf("read pod manifest: %w", err)
	}
	m, err := podmanifest.Parse(text)
	if err != nil {
		return nil, nil, fmt.Errorf("pod manifest %q: %w", r.Pod.Manifest, err)
	}
	var apps []app
	for i := range m.Apps {
		ra := &m.Apps[i]
		img, err := r.Fetch(ctx, imageOf(ra), "")
		if err != nil {
			return nil, nil, fmt.Errorf("pod manifest %q: app %s: image %q: %w", r.Pod.Manifest, ra.Name, imageOf(ra), err)
		}
		section, err := podmanifest.AppSection(ra)
		if err != nil {
			return nil, nil, fmt.Errorf("pod manifest %q: app %s: %w", r.Pod.Manifest, ra.Name, err)
		}
		over := podmanifest.Override(ra)
		wishes, err := appcredential.TakeAnnotations(over.Annotations)
		if err != nil {
			return nil, nil, fmt.Errorf("pod manifest %q: app %s: %w", r.Pod.Manifest, ra.Name, err)
		}
		apps = append(apps, app{
			name: ra.Name.String(), asked: imageOf(ra), img: img, section: section,
			overrides: []appspec.Override{over}, credentials: wishes,
			said: saidInManifest(ra, section, over, wishes),
		})
	}
	return apps, m, nil
}

// imageOf is how a manifest names an app's image: by the ID that is kept for
// images that have no appc ID, by the appc ID, or by name.
func imageOf(ra *podmanifest.RuntimeApp) string {
	if d := podmanifest.Digest(ra); d != "" {
		return d
	}
	if ra.Image.Name != nil {
		return ra.Image.Name.String()
	}
	return ""
}

// render makes the image's trees, and the app's directory. Files of images are
// read once.
func (r Request) render(ctx context.Context, p *pod.Pod, a *app, read map[digest.Digest]*imageFiles) error {
	dir := a.dir(p.Dir())
	rootfs := filepath.Join(dir, stageabi.RootfsDir)
	dirs := []string{rootfs}
	if !r.Pod.NoOverlay {
		dirs = []string{filepath.Join(dir, stageabi.UpperDir), filepath.Join(dir, stageabi.WorkDir)}
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for _, d := range dirs {
		if err := os.Mkdir(d, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	known := read[a.img.ID]
	if a.from != nil {
		return r.renderBundle(ctx, a, rootfs)
	}
	if known == nil {
		if err := r.Images.Touch(a.img); err != nil {
			return err
		}
	}
	var err error
	switch {
	case r.Pod.NoOverlay:
		if err = r.Images.UnpackInto(ctx, rootfs, a.img); err == nil && known == nil {
			known, err = r.read(ctx, a.img, []string{rootfs})
		}
	case known == nil:
		var lowers []string
		if lowers, err = r.Images.Render(ctx, a.img); err == nil {
			known, err = r.read(ctx, a.img, lowers)
		}
	}
	if err != nil {
		return err
	}
	read[a.img.ID], a.files = known, known
	if !r.Pod.NoOverlay {
		a.lowers = known.stack
	}
	return nil
}
