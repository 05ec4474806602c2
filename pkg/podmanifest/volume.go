package podmanifest

import (
	"fmt"
	"path"
	"strconv"
	"strings"

	"github.com/appc/spec/schema/types"
)

// MountFlag is a --mount: a volume of the pod in an app.
type MountFlag struct {
	Volume string
	Target string // absolute path in the app's root
}

// ParseVolume reads rkt's --volume: NAME,kind=host,source=/path[,readOnly=BOOL]
// [,recursive=BOOL] or NAME,kind=empty[,mode=0755][,uid=0][,gid=0].
func ParseVolume(s string) (*Volume, error) {
	v, err := types.VolumeFromString(s)
	if err != nil {
		return nil, fmt.Errorf("volume %q: %w", s, err)
	}
	if err := checkVolume(*v); err != nil {
		return nil, fmt.Errorf("volume %q: %w", s, err)
	}
	return v, nil
}

// ParseMount reads rkt's --mount: volume=NAME,target=/path.
func ParseMount(s string) (MountFlag, error) {
	var m MountFlag
	for part := range strings.SplitSeq(s, ",") {
		key, value, _ := strings.Cut(part, "=")
		switch {
		case key == "volume" && m.Volume == "":
			m.Volume = value
		case key == "target" && m.Target == "":
			m.Target = value
		default:
			return m, fmt.Errorf("mount %q: want volume=NAME,target=/path", s)
		}
	}
	if _, err := types.NewACName(m.Volume); err != nil {
		return m, fmt.Errorf("mount %q: volume: %w", s, err)
	}
	if err := checkTarget(m.Target); err != nil {
		return m, fmt.Errorf("mount %q: target: %w", s, err)
	}
	return m, nil
}

func checkVolume(v Volume) error {
	if len(v.Name) > maxNameBytes {
		return fmt.Errorf("name: want at most %d bytes", maxNameBytes)
	}
	if v.Kind == "host" {
		if err := checkPath(v.Source); err != nil {
			return fmt.Errorf("source: %w", err)
		}
	}
	if v.Mode != nil {
		if mode, err := strconv.ParseUint(*v.Mode, 8, 32); err != nil || mode > 0o7777 {
			return fmt.Errorf("mode: %q is not an octal mode", *v.Mode)
		}
	}
	for what, id := range map[string]*int{"uid": v.UID, "gid": v.GID} {
		if id != nil && (*id < 0 || *id >= 1<<32-1) {
			return fmt.Errorf("%s: %d is not a number of 32 bits", what, *id)
		}
	}
	return nil
}

func checkTarget(p string) error {
	if err := checkPath(p); err != nil {
		return err
	}
	if path.Clean(p) == "/" {
		return fmt.Errorf("%q is the root", p)
	}
	return nil
}

// checkPath refuses "..": what it leads to depends on symlinks.
func checkPath(p string) error {
	if !path.IsAbs(p) {
		return fmt.Errorf("%q is not an absolute path", p)
	}
	if strings.ContainsFunc(p, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return fmt.Errorf("%q holds a control character", p)
	}
	for part := range strings.SplitSeq(p, "/") {
		if part == ".." {
			return fmt.Errorf("%q has a part \"..\" in it", p)
		}
	}
	return nil
}
