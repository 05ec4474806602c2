package appspec

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// Device is a device node in an app's /dev.
type Device = specs.LinuxDevice

// Devices is what gives an app devices.
type Devices struct {
	Nodes  []DeviceNode
	Mounts []Mount  // of files that go with them
	Env    []string // the image's and the app's own go before
	Gids   []uint32 // groups that may use them
}

// DeviceNode is a device and what the app may do with it: some of "r", "w" and "m", to make
// nodes of it.
type DeviceNode struct {
	Device
	Access string
}

// AddDevices gives the app devices. The app may use these, the few that every app has, and
// no others.
func (a *App) AddDevices(d Devices) error {
	l := a.Spec.Linux
	for _, n := range d.Nodes {
		if slices.ContainsFunc(l.Devices, func(have Device) bool { return have.Path == n.Path }) {
			return fmt.Errorf("device %s is given twice", n.Path)
		}
		l.Devices = append(l.Devices, n.Device)
		r := a.resources()
		if len(r.Devices) == 0 {
			r.Devices = []specs.LinuxDeviceCgroup{{Allow: false, Access: "rwm"}}
		}
		major, minor := n.Major, n.Minor
		r.Devices = append(r.Devices, specs.LinuxDeviceCgroup{Allow: true, Type: n.Type, Major: &major, Minor: &minor, Access: n.Access})
	}
	for _, kv := range d.Env {
		if err := CheckEnv(kv); err != nil {
			return err
		}
	}
	a.Spec.Process.Env = MergeEnv(d.Env, a.Spec.Process.Env)
	a.Spec.Mounts = append(a.Spec.Mounts, d.Mounts...)
	for _, g := range d.Gids {
		a.Supplementary = append(a.Supplementary, formatID(g))
	}
	return nil
}

// CheckDeviceAccess says what is wrong with what may be done with a device.
func CheckDeviceAccess(access string) error {
	if access == "" || strings.Trim(access, "rwm") != "" || strings.Count(access, "r") > 1 || strings.Count(access, "w") > 1 || strings.Count(access, "m") > 1 {
		return fmt.Errorf("access %q is not made of r, w and m", access)
	}
	return nil
}

// CheckDevicePath says what is wrong with a place for a device: it has to be below /dev, which
// alone of an app's file systems has devices, and beside what every app has there.
func CheckDevicePath(p string) error {
	switch {
	case !strings.HasPrefix(p, "/dev/") || path.Clean(p) != p || strings.ContainsFunc(p, isControl) || strings.Contains(p, ":"):
		return fmt.Errorf("%q is not a path below /dev", p)
	case slices.Contains([]string{"/dev/shm", "/dev/pts", "/dev/mqueue", "/dev/raket", "/dev/ptmx", "/dev/fd", "/dev/stdin", "/dev/stdout", "/dev/stderr", "/dev/log", "/dev/console"}, p),
		strings.HasPrefix(p, "/dev/pts/"), strings.HasPrefix(p, "/dev/shm/"), strings.HasPrefix(p, "/dev/mqueue/"), strings.HasPrefix(p, "/dev/raket/"):
		return fmt.Errorf("%q is what every app has", p)
	}
	return nil
}

// standardDevices are those that every app has.
func standardDevices() map[string][2]int64 {
	return map[string][2]int64{"/dev/null": {1, 3}, "/dev/zero": {1, 5}, "/dev/full": {1, 7}, "/dev/random": {1, 8}, "/dev/urandom": {1, 9}, "/dev/tty": {5, 0}}
}

// OwnDevices are the spec's devices but for those that every app has anyway.
func OwnDevices(spec *Spec) []Device {
	if spec.Linux == nil {
		return nil
	}
	var own []Device
	for _, d := range spec.Linux.Devices {
		if n, ok := standardDevices()[d.Path]; !ok || n != [2]int64{d.Major, d.Minor} {
			own = append(own, d)
		}
	}
	return own
}

// refusedDevices says which devices no app gets.
func refusedDevices(spec *Spec) error {
	if spec.Linux == nil {
		return nil
	}
	var rules []specs.LinuxDeviceCgroup
	if r := spec.Linux.Resources; r != nil {
		rules = r.Devices
	}
	if err := checkDeviceRules(rules); err != nil {
		return err
	}
	seen := map[string]bool{}
	for i, d := range OwnDevices(spec) {
		field := fmt.Sprintf("linux.devices[%d]", i)
		err := CheckDevicePath(d.Path)
		switch {
		case err != nil:
		case seen[d.Path]:
			err = fmt.Errorf("%s a second time", d.Path)
		case standardDevices()[d.Path] != [2]int64{}:
			err = fmt.Errorf("%s is another device in every app", d.Path)
		case d.Type != "c" && d.Type != "b" && d.Type != "u":
			err = fmt.Errorf("type %q is neither c nor b", d.Type)
		case d.Major < 0 || d.Minor < 0 || d.Major >= 1<<12 || d.Minor >= 1<<20:
			err = fmt.Errorf("%d:%d is not the number of a device", d.Major, d.Minor)
		case d.FileMode != nil && *d.FileMode&^0o777 != 0:
			err = fmt.Errorf("fileMode %#o is above 0777", uint32(*d.FileMode))
		case !slices.ContainsFunc(rules, func(r specs.LinuxDeviceCgroup) bool { return allows(r, d) }):
			err = errors.New("no rule of linux.resources.devices allows it")
		}
		if err != nil {
			return fmt.Errorf("%s: %w", field, err)
		}
		seen[d.Path] = true
	}
	return nil
}

// checkDeviceRules allows a rule that denies everything, before others that allow one device
// each or all of a major number.
func checkDeviceRules(rules []specs.LinuxDeviceCgroup) error {
	allowed := false
	for i, r := range rules {
		field := fmt.Sprintf("linux.resources.devices[%d]", i)
		switch {
		case !r.Allow && allowed:
			return fmt.Errorf("%s: denies after another rule allows", field)
		case !r.Allow:
			continue // nothing is allowed yet
		case r.Type != "c" && r.Type != "b" || r.Major == nil || *r.Major < 0:
			return fmt.Errorf("%s: an app gets devices that are named, by type and number", field)
		}
		if err := CheckDeviceAccess(r.Access); err != nil {
			return fmt.Errorf("%s: %w", field, err)
		}
		allowed = true
	}
	return nil
}

func allows(r specs.LinuxDeviceCgroup, d Device) bool {
	number := func(n *int64, is int64) bool { return n == nil || *n < 0 || *n == is }
	return r.Allow && (r.Type == d.Type || r.Type == "c" && d.Type == "u") && number(r.Major, d.Major) && number(r.Minor, d.Minor)
}

// legacyDevices are the files of the controller "devices": what every app has, making of
// nodes, which work nowhere but in /dev, and what r allows. No rule, no files.
func legacyDevices(r *Resources) []GroupFile {
	if !slices.ContainsFunc(r.Devices, func(d specs.LinuxDeviceCgroup) bool { return d.Allow }) {
		return nil
	}
	const controller = "devices"
	files := []GroupFile{{Controller: controller, Name: "devices.deny", Value: "a"}}
	allow := func(rule string) {
		files = append(files, GroupFile{Controller: controller, Name: "devices.allow", Value: rule})
	}
	for _, rule := range [...]string{
		"c *:* m", "b *:* m", "c 1:3 rwm", "c 1:5 rwm", "c 1:7 rwm", "c 1:8 rwm", "c 1:9 rwm", "c 5:0 rwm", "c 5:2 rwm", "c 136:* rwm",
	} {
		allow(rule)
	}
	for _, d := range r.Devices {
		if d.Allow {
			allow(d.Type + " " + deviceNumber(d.Major) + ":" + deviceNumber(d.Minor) + " " + d.Access)
		}
	}
	return files
}

func deviceNumber(n *int64) string {
	if n == nil || *n < 0 {
		return "*"
	}
	return strconv.FormatInt(*n, 10)
}

// UnifiedDevices says what of a spec's device rules nobody would keep on the unified control
// group hierarchy, where a program of the kernel's would have to, which no pod may load. The
// app's mounts keep it to the devices that it is given, as long as it cannot mount; to some of
// what one can do with a device they cannot.
func UnifiedDevices(spec *Spec) error {
	if spec.Linux == nil || spec.Linux.Resources == nil {
		return nil
	}
	for _, d := range spec.Linux.Resources.Devices {
		if !d.Allow {
			continue
		}
		name := d.Type + " " + deviceNumber(d.Major) + ":" + deviceNumber(d.Minor)
		switch {
		case !strings.Contains(d.Access, "r") || !strings.Contains(d.Access, "w"):
			return fmt.Errorf("device %s: nobody would keep the app to %q of it on the unified control group hierarchy: give it rw or rwm", name, d.Access)
		case spec.Process.Capabilities != nil && slices.Contains(spec.Process.Capabilities.Bounding, "CAP_SYS_ADMIN"):
			return fmt.Errorf("device %s: nobody would keep an app with CAP_SYS_ADMIN from other devices on the unified control group hierarchy", name)
		}
	}
	return nil
}
