package cdi

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/raket/raket/pkg/boundedfile"
)

// maxBytes bounds a specification.
const maxBytes = 1 << 20

// Device is what a container needs for a device.
type Device struct {
	Nodes  []Node
	Mounts []Mount
	Env    []string
	Gids   []uint32
}

// Dirs are where specifications are, the later ones win.
func Dirs() []string { return []string{"/etc/cdi", "/var/run/cdi"} }

// IsName reports whether text is the name of a device: VENDOR/CLASS=NAME.
func IsName(text string) bool {
	kind, name, ok := strings.Cut(text, "=")
	return ok && isKind(kind) && isName(name)
}

// Find returns the device of a name.
func Find(dirs []string, text string) (Device, error) {
	if !IsName(text) {
		return Device{}, fmt.Errorf("%q is not a device's name, vendor.com/class=name", text)
	}
	kind, name, _ := strings.Cut(text, "=")
	var found *source
	for _, dir := range dirs {
		in, err := search(dir, kind, name)
		if err != nil {
			return Device{}, err
		}
		if in != nil {
			found = in
		}
	}
	if found == nil {
		return Device{}, fmt.Errorf("no device %s in %s", text, strings.Join(dirs, ", "))
	}
	var d Device
	for _, e := range []edits{found.spec.Edits, found.device.Edits} {
		if err := d.add(e); err != nil {
			return Device{}, fmt.Errorf("device %s: %s: %w", text, found.path, err)
		}
	}
	if len(d.Nodes)+len(d.Mounts)+len(d.Env)+len(d.Gids) == 0 {
		return Device{}, fmt.Errorf("device %s: %s: containerEdits: there are none", text, found.path)
	}
	return d, nil
}

type source struct {
	path   string
	spec   spec
	device device
}

// search looks into one directory, where a device may be once.
func search(dir, kind, name string) (*source, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var found *source
	for _, e := range entries {
		switch filepath.Ext(e.Name()) {
		case ".json", ".yaml":
		default:
			continue
		}
		path := filepath.Join(dir, e.Name())
		text, err := boundedfile.Read(path, maxBytes)
		if err != nil {
			return nil, err
		}
		s, err := parse(text)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		if s.Kind != kind {
			continue
		}
		for _, d := range s.Devices {
			if d.Name != name {
				continue
			}
			if found != nil {
				return nil, fmt.Errorf("device %s=%s is both in %s and in %s", kind, name, found.path, path)
			}
			found = &source{path, s, d}
		}
	}
	return found, nil
}

func (d *Device) add(e edits) error {
	switch {
	case len(e.Hooks) > 0:
		return fmt.Errorf("containerEdits.hooks: %s (%s) would run on the host", e.Hooks[0].Path, e.Hooks[0].Name)
	case e.IntelRdt != nil:
		return errors.New("containerEdits.intelRdt: is not supported")
	case e.NetDevices != nil:
		return errors.New("containerEdits.netDevices: is not supported")
	}
	d.Nodes = append(d.Nodes, e.DeviceNodes...)
	d.Mounts = append(d.Mounts, e.Mounts...)
	d.Env = append(d.Env, e.Env...)
	d.Gids = append(d.Gids, e.AdditionalGids...)
	return nil
}
