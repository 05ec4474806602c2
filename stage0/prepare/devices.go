package prepare

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/raket/raket/pkg/appspec"
	"github.com/raket/raket/stage0/cdi"
)

// devices are those that --device asks for: SOURCE[:TARGET][:ACCESS], or the name of one of
// the Container Device Interface.
func devices(asked []string) (all appspec.Devices, err error) {
	for _, text := range asked {
		add := addHostDevice
		if cdi.IsName(text) {
			add = addNamedDevice
		}
		if err := add(&all, text); err != nil {
			return all, fmt.Errorf("--device: %w", err)
		}
	}
	return all, nil
}

// defaultAccess is what an app may do with a device if nothing else is said.
const defaultAccess = "rwm"

func addHostDevice(all *appspec.Devices, text string) error {
	source, target, access, err := splitDevice(text)
	if err != nil {
		return err
	}
	st, err := os.Stat(source)
	if err != nil {
		return err
	}
	if !st.IsDir() {
		n, err := hostNode(source, target, access)
		all.Nodes = append(all.Nodes, n)
		return err
	}
	// All devices of a directory, as /dev/snd.
	some := false
	err = filepath.WalkDir(source, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.Type()&fs.ModeDevice == 0 {
			return err
		}
		some = true
		n, err := hostNode(path, target+strings.TrimPrefix(path, source), access)
		all.Nodes = append(all.Nodes, n)
		return err
	})
	if err == nil && !some {
		err = fmt.Errorf("no device in %s", source)
	}
	return err
}

func splitDevice(text string) (source, target, access string, err error) {
	f := strings.Split(text, ":")
	source, target, access = f[0], f[0], defaultAccess
	rest := f[1:]
	if len(rest) > 0 && strings.HasPrefix(rest[0], "/") {
		target, rest = rest[0], rest[1:]
	}
	if len(rest) > 0 {
		access, rest = rest[0], rest[1:]
	}
	if len(rest) > 0 || !filepath.IsAbs(source) {
		return "", "", "", fmt.Errorf("%q is not /dev/SOURCE[:/dev/TARGET][:rwm] nor vendor.com/class=name", text)
	}
	source, target = filepath.Clean(source), filepath.Clean(target)
	if err := appspec.CheckDevicePath(target); err != nil {
		return "", "", "", err
	}
	return source, target, access, appspec.CheckDeviceAccess(access)
}

// hostNode is a device of the host's, with its owner and mode.
func hostNode(source, target, access string) (appspec.DeviceNode, error) {
	n := appspec.DeviceNode{Access: access}
	var st unix.Stat_t
	if err := unix.Stat(source, &st); err != nil {
		return n, &os.PathError{Op: "stat", Path: source, Err: err}
	}
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFCHR:
		n.Type = "c"
	case unix.S_IFBLK:
		n.Type = "b"
	default:
		return n, fmt.Errorf("%s is not a device", source)
	}
	mode := fs.FileMode(st.Mode & 0o777)
	n.Path, n.Major, n.Minor = target, int64(unix.Major(st.Rdev)), int64(unix.Minor(st.Rdev))
	n.FileMode, n.UID, n.GID = &mode, &st.Uid, &st.Gid
	return n, nil
}

func addNamedDevice(all *appspec.Devices, name string) error {
	d, err := cdi.Find(cdi.Dirs(), name)
	if err != nil {
		return err
	}
	for _, n := range d.Nodes {
		node, err := namedNode(n)
		if err != nil {
			return fmt.Errorf("device %s: %w", name, err)
		}
		all.Nodes = append(all.Nodes, node)
	}
	for _, m := range d.Mounts {
		mount, err := namedMount(m)
		if err != nil {
			return fmt.Errorf("device %s: %w", name, err)
		}
		all.Mounts = append(all.Mounts, mount)
	}
	all.Env, all.Gids = append(all.Env, d.Env...), append(all.Gids, d.Gids...)
	return nil
}

// namedNode completes a node by what the host's has (SPEC.md, "deviceNodes").
func namedNode(n cdi.Node) (node appspec.DeviceNode, err error) {
	if err := appspec.CheckDevicePath(n.Path); err != nil {
		return node, err
	}
	access := n.Permissions
	if access == "" {
		access = defaultAccess
	}
	if err := appspec.CheckDeviceAccess(access); err != nil {
		return node, err
	}
	source := n.HostPath
	if source == "" {
		source = n.Path
	}
	if n.Type == "" || n.Major == nil || n.Minor == nil || n.FileMode == nil {
		if node, err = hostNode(source, n.Path, access); err != nil {
			return node, err
		}
	}
	node.Path, node.Access = n.Path, access
	if n.Type != "" {
		node.Type = n.Type
	}
	if n.Major != nil {
		node.Major = *n.Major
	}
	if n.Minor != nil {
		node.Minor = *n.Minor
	}
	if n.FileMode != nil {
		mode := fs.FileMode(*n.FileMode)
		node.FileMode = &mode
	}
	if n.UID != nil {
		node.UID = n.UID
	}
	if n.GID != nil {
		node.GID = n.GID
	}
	return node, nil
}

// namedMount takes the options that a bind has here, and those that it has anyway.
func namedMount(m cdi.Mount) (appspec.Mount, error) {
	if !filepath.IsAbs(m.HostPath) || !filepath.IsAbs(m.ContainerPath) {
		return appspec.Mount{}, fmt.Errorf("mount of %q on %q: want absolute paths", m.HostPath, m.ContainerPath)
	}
	if m.Type != "" && m.Type != "none" && m.Type != "bind" {
		return appspec.Mount{}, fmt.Errorf("mount of %s: of type %q, only binds are made", m.HostPath, m.Type)
	}
	for _, o := range m.Options {
		if !slices.Contains([]string{"ro", "rw", "bind", "rbind", "nodev", "nosuid", "private", "rprivate"}, o) {
			return appspec.Mount{}, fmt.Errorf("mount of %s: option %q is not supported", m.HostPath, o)
		}
	}
	if _, err := os.Stat(m.HostPath); errors.Is(err, fs.ErrNotExist) {
		return appspec.Mount{}, fmt.Errorf("mount: %w", err)
	}
	bind := appspec.Bind(m.HostPath, m.ContainerPath, slices.Contains(m.Options, "ro"), slices.Contains(m.Options, "rbind"))
	if slices.Contains(m.Options, "nosuid") {
		bind.Options = append(bind.Options, "nosuid")
	}
	return bind, nil
}
