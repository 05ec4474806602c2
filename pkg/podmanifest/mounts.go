package podmanifest

import (
	"cmp"
	"fmt"
	"path"
	"slices"
	"strconv"

	"github.com/appc/spec/schema/types"

	"github.com/raket/raket/pkg/appspec"
)

// Kind is where a volume's files come from.
type Kind string

// The kinds of volumes that appc has.
const (
	KindHost  Kind = "host"  // a file or directory of the host
	KindEmpty Kind = "empty" // a directory of the pod, empty at its start
)

// Mount is a volume at its place in an app's root.
type Mount struct {
	Volume    string
	Kind      Kind
	Source    string // of KindHost: absolute path on the host
	Target    string // absolute, clean path in the app's root
	ReadOnly  bool
	Recursive bool // of KindHost: with what is mounted below Source
	IDMap     bool // of KindHost: its files are seen under the pod's own IDs

	// Of KindEmpty: the directory's permissions (octal 0 to 07777) and owner.
	Mode     uint32
	UID, GID uint32

	// Implicit says that nobody asked for the volume but the image, so that what
	// the image has at Target should be copied into it. It is this app's alone, and
	// its directory must be kept apart by app: two apps' names may come out alike
	// (a with mount point b-c, a-b with c).
	Implicit bool
}

// Mounts returns the mounts of an app: those its manifest entry lists; then, for
// each mount point of the image that these leave free, the pod's volume of the
// same name, or else an empty volume named APP-MOUNTPOINT, as rkt does. They are
// sorted by target, so that what lies in another mount comes after it.
//
// A mount is read-only if the volume or the mount point at its target says so.
// A volume is recursive unless it says otherwise.
func Mounts(m *Manifest, app string, points []appspec.MountPoint) ([]Mount, error) {
	ra := m.Apps.Get(types.ACName(app))
	if ra == nil {
		return nil, fmt.Errorf("app %q is not in the pod manifest", app)
	}
	volumes := map[types.ACName]Volume{}
	for _, v := range m.Volumes {
		volumes[v.Name] = v
	}
	readOnly := map[string]bool{}
	for _, p := range points {
		readOnly[path.Clean(p.Path)] = p.ReadOnly
	}
	var mounts []Mount
	mapped, err := idMapped(m)
	if err != nil {
		return nil, err
	}
	taken := map[string]bool{}
	add := func(v Volume, target string, implicit bool) error {
		target = path.Clean(target)
		if taken[target] {
			return fmt.Errorf("app %q: two mounts at %q", app, target)
		}
		taken[target] = true
		mnt, err := newMount(v, target)
		if err != nil {
			return fmt.Errorf("app %q: volume %q: %w", app, v.Name, err)
		}
		mnt.ReadOnly = mnt.ReadOnly || readOnly[target]
		mnt.Implicit = implicit
		mnt.IDMap = mnt.Kind == KindHost && slices.Contains(mapped, mnt.Volume)
		mounts = append(mounts, mnt)
		return nil
	}
	for _, mnt := range ra.Mounts {
		v, ok := volumes[mnt.Volume]
		if mnt.AppVolume != nil {
			v, ok = *mnt.AppVolume, true
		}
		if !ok {
			return nil, fmt.Errorf("app %q: mount at %q: the pod has no volume %q", app, mnt.Path, mnt.Volume)
		}
		if err := add(v, mnt.Path, false); err != nil {
			return nil, err
		}
	}
	for _, p := range points {
		if taken[path.Clean(p.Path)] {
			continue
		}
		v, ok := volumes[types.ACName(p.Name)]
		if !ok {
			v = Volume{Name: types.ACName(app + "-" + p.Name), Kind: string(KindEmpty)}
		}
		if err := add(v, p.Path, !ok); err != nil {
			return nil, err
		}
	}
	slices.SortFunc(mounts, func(a, b Mount) int { return cmp.Compare(a.Target, b.Target) })
	return mounts, nil
}

func newMount(v Volume, target string) (Mount, error) {
	if err := checkTarget(target); err != nil {
		return Mount{}, err
	}
	if err := checkVolume(v); err != nil {
		return Mount{}, err
	}
	m := Mount{Volume: v.Name.String(), Kind: Kind(v.Kind), Target: target, ReadOnly: v.ReadOnly != nil && *v.ReadOnly}
	switch m.Kind {
	case KindHost:
		m.Source = path.Clean(v.Source)
		m.Recursive = v.Recursive == nil || *v.Recursive
	case KindEmpty:
		m.Mode = 0o755
		if v.Mode != nil {
			mode, err := strconv.ParseUint(*v.Mode, 8, 32)
			if err != nil {
				return m, err
			}
			m.Mode = uint32(mode)
		}
		if v.UID != nil {
			m.UID = uint32(*v.UID)
		}
		if v.GID != nil {
			m.GID = uint32(*v.GID)
		}
	default:
		return m, fmt.Errorf("kind %q is neither host nor empty", v.Kind)
	}
	return m, nil
}
