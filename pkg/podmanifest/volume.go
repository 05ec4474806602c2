package podmanifest

import (
	"fmt"
	"net"
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

// ParsePort reads rkt's --port: NAME:[HOSTIP:]HOSTPORT. An IPv6 address may stand
// in brackets.
func ParsePort(s string) (*Port, error) {
	bad := func(why error) (*Port, error) { return nil, fmt.Errorf("port %q: %w", s, why) }
	name, rest, ok := strings.Cut(s, ":")
	if !ok {
		return bad(fmt.Errorf("want NAME:[HOSTIP:]HOSTPORT"))
	}
	acName, err := types.NewACName(name)
	if err != nil {
		return bad(err)
	}
	p := &Port{Name: *acName}
	if i := strings.LastIndexByte(rest, ':'); i >= 0 {
		host := strings.TrimSuffix(strings.TrimPrefix(rest[:i], "["), "]")
		if p.HostIP = net.ParseIP(host); p.HostIP == nil {
			return bad(fmt.Errorf("%q is not an IP address", host))
		}
		rest = rest[i+1:]
	}
	number, err := strconv.ParseUint(rest, 10, 16)
	if err != nil {
		return bad(fmt.Errorf("%q is not a port", rest))
	}
	p.HostPort = uint(number)
	if err := checkPort(*p); err != nil {
		return bad(err)
	}
	return p, nil
}

func checkPort(p Port) error {
	if p.HostPort == 0 || p.HostPort > 65535 {
		return fmt.Errorf("hostPort: %d is not 1 to 65535", p.HostPort)
	}
	return nil
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
