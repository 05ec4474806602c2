package prepare

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/raket/raket/pkg/appspec"
	"github.com/raket/raket/pkg/image"
	"github.com/raket/raket/pkg/pod"
	"github.com/raket/raket/pkg/podmanifest"
	"github.com/raket/raket/pkg/stageabi"
	"github.com/raket/raket/pkg/tree"
)

// maxUserFile bounds /etc/passwd and /etc/group of an image.
const maxUserFile = 1 << 20

// spec makes an app's spec, with its mounts.
func (r Request) spec(p *pod.Pod, a *app, manifest *podmanifest.Manifest) (*appspec.Spec, error) {
	config := a.files.config
	var err error
	var made *appspec.App
	switch {
	case a.from != nil:
		made, err = a.from.app(a.capsSaid || r.Loose.Capabilities)
	case a.img.Kind == image.Appc:
		made, err = appspec.FromAppc(config)
	default:
		made, err = appspec.FromOCI(config)
	}
	if err != nil {
		return nil, err
	}
	if a.section != nil {
		if err := made.SetAppc(a.section); err != nil {
			return nil, err
		}
	}
	a.ports = made.Ports
	if len(a.sockets) == 0 {
		if a.sockets, err = activated(made.Ports, manifest); err != nil {
			return nil, err
		}
	}
	made.Loosen(r.Loose)
	for _, o := range a.overrides {
		if err := made.Apply(o); err != nil {
			return nil, err
		}
	}
	if _, ok := r.Stage1.Entrypoints[stageabi.Attach]; ok && (a.files.opensOutput || made.NamesOutput()) {
		made.PipeOutput()
	}
	if err := made.AddDevices(a.devices); err != nil {
		return nil, err
	}
	made.AddSecurity(a.security)
	if err := made.AddSysctls(a.sysctls); err != nil {
		return nil, err
	}
	if len(a.credentials) > 0 {
		if err := made.Apply(appspec.Override{Env: []string{"CREDENTIALS_DIRECTORY=" + stageabi.CredentialsPath}}); err != nil {
			return nil, err
		}
	}
	mounts, err := podmanifest.Mounts(manifest, a.name, made.MountPoints)
	if err != nil {
		return nil, err
	}
	for _, m := range mounts {
		if err := r.addMount(p, a, made.Spec, m); err != nil {
			return nil, err
		}
	}
	made.Spec.Process.Env = appspec.MergeEnv(made.Spec.Process.Env, []string{"AC_APP_NAME=" + a.name})
	spec, err := made.Resolve(a.root(p, made.Spec.Mounts))
	if errors.Is(err, appspec.ErrNoCommand) {
		return nil, fmt.Errorf("%w: say what to execute with --exec", err)
	}
	if err != nil {
		return nil, err
	}
	return spec, errors.Join(r.checkUser(spec), r.checkStreams(spec))
}

// imageFiles are what apps of one image have in common.
type imageFiles struct {
	config []byte
	stack  []string // of directories, top first
	users  appspec.UserFiles
	// opensOutput: programs of the image open their standard output or errors.
	opensOutput bool
}

// read reads the files of an image whose root is stack.
func (r Request) read(ctx context.Context, img image.Image, stack []string) (*imageFiles, error) {
	config, err := r.Images.Config(ctx, img)
	if err != nil {
		return nil, err
	}
	f, err := readFiles(config, stack)
	if err == nil {
		f.opensOutput, err = r.Images.OpensOutput(img)
	}
	return f, err
}

func readFiles(config []byte, stack []string) (*imageFiles, error) {
	f := &imageFiles{config: config, stack: stack}
	var err error
	if f.users.Passwd, err = userFile(stack, "/etc/passwd"); err != nil {
		return nil, err
	}
	f.users.Group, err = userFile(stack, "/etc/group")
	return f, err
}

func userFile(stack []string, path string) ([]byte, error) {
	b, err := tree.View{Lowers: stack}.ReadFile(path, maxUserFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return b, err
}

// addMount adds a volume to a spec, and makes it if it is the pod's own.
func (r Request) addMount(p *pod.Pod, a *app, spec *appspec.Spec, m podmanifest.Mount) error {
	om := appspec.Mount{Destination: m.Target, Type: "bind", Source: m.Source}
	switch {
	case m.Kind == podmanifest.KindHost:
		if _, err := os.Stat(m.Source); err != nil {
			return fmt.Errorf("volume %s: source: %w", m.Volume, err)
		}
	case m.Implicit && a.img.Kind == image.OCI:
		// What the image has there belongs into the volume: the directory itself,
		// as a mount of its own that stays writable in a read-only root.
		om.Source = stageabi.RootfsDir + m.Target
	default:
		bundle := a.dir(p.Dir())
		om.Source = filepath.Join("..", "..", stageabi.VolumesDir, m.Volume)
		if m.Implicit {
			om.Source = filepath.Join(stageabi.VolumesDir, m.Volume) // the app's own
		}
		if err := makeVolume(filepath.Join(bundle, om.Source), m); err != nil {
			return fmt.Errorf("volume %s: %w", m.Volume, err)
		}
	}
	bind := "bind"
	if m.Recursive {
		bind = "rbind"
	}
	om.Options = append(om.Options, bind, "rprivate")
	if m.ReadOnly {
		om.Options = append(om.Options, "ro")
	}
	option, err := r.idMap(m, om)
	if err != nil {
		return err
	}
	om.Options = append(om.Options, option...)
	spec.Mounts = append(spec.Mounts, om)
	return nil
}

// makeVolume makes a volume of kind empty, once for all apps that mount it.
func makeVolume(dir string, m podmanifest.Mount) error {
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return err
	}
	err := os.Mkdir(dir, 0o700)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := os.Chown(dir, int(m.UID), int(m.GID)); err != nil {
		return err
	}
	mode := fs.FileMode(m.Mode & 0o777)
	for bit, flag := range map[uint32]fs.FileMode{0o4000: fs.ModeSetuid, 0o2000: fs.ModeSetgid, 0o1000: fs.ModeSticky} {
		if m.Mode&bit != 0 {
			mode |= flag
		}
	}
	return os.Chmod(dir, mode)
}
