package appspec

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// Security is what is said about an app's confinement by --security-opt.
type Security struct {
	AppArmor string            // the name of a profile
	Label    map[string]string // parts of the SELinux context: user, role, type, level
	Masked   []string          // absolute paths to hide, beyond the usual ones
	ReadOnly []string          // and to make read-only
}

// ParseSecurity adds what one --security-opt says, in podman's words.
func (s *Security) ParseSecurity(text string) error {
	key, value, _ := strings.Cut(text, "=")
	if value == "" {
		return errors.New("want apparmor=PROFILE, label=PART:VALUE, mask=PATH:… or readonly=PATH:…")
	}
	switch key {
	case "apparmor":
		s.AppArmor = value
		return checkProfileName(value)
	case "label":
		part, v, ok := strings.Cut(value, ":")
		if !ok || !slices.Contains([]string{"user", "role", "type", "level"}, part) || !isLabelPart(v, part == "level") {
			return fmt.Errorf("%q is not user:, role:, type: or level: and its value", value)
		}
		if s.Label == nil {
			s.Label = map[string]string{}
		}
		s.Label[part] = v
		return nil
	case "mask", "readonly":
		for p := range strings.SplitSeq(value, ":") {
			if err := checkKernelPath(p); err != nil {
				return err
			}
			if key == "mask" {
				s.Masked = append(s.Masked, p)
			} else {
				s.ReadOnly = append(s.ReadOnly, p)
			}
		}
		return nil
	}
	return fmt.Errorf("%q is not known: apparmor, label, mask and readonly are; --seccomp-profile, --no-new-privileges say the rest", key)
}

// AddSecurity confines the app.
func (a *App) AddSecurity(s Security) {
	p, l := a.Spec.Process, a.Spec.Linux
	if s.AppArmor != "" {
		p.ApparmorProfile = s.AppArmor
	}
	if len(s.Label) > 0 {
		// What containers have where nothing else is said (container-selinux).
		parts := []string{"system_u", "system_r", "container_t", "s0"}
		if have := strings.SplitN(p.SelinuxLabel, ":", len(parts)); len(have) == len(parts) {
			parts = have
		}
		for i, name := range [...]string{"user", "role", "type", "level"} {
			if v := s.Label[name]; v != "" {
				parts[i] = v
			}
		}
		p.SelinuxLabel = strings.Join(parts, ":")
	}
	l.MaskedPaths = append(l.MaskedPaths, s.Masked...)
	l.ReadonlyPaths = append(l.ReadonlyPaths, s.ReadOnly...)
}

func isLabelPart(s string, level bool) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool { return isControlOrSpace(r) || r > 0x7e || r == ':' && !level })
}

func checkProfileName(name string) error {
	if name == "" || len(name) > 255 || strings.ContainsFunc(name, func(r rune) bool { return isControlOrSpace(r) || r > 0x7e }) {
		return fmt.Errorf("%q is not the name of an AppArmor profile", name)
	}
	return nil
}

// checkKernelPath: any path of the app's may be hidden but what raket itself puts there.
func checkKernelPath(p string) error {
	if !path.IsAbs(p) || path.Clean(p) != p || p == "/" || strings.ContainsFunc(p, isControl) {
		return fmt.Errorf("%q is not an absolute path below the root", p)
	}
	for _, own := range []string{"/proc", "/sys", "/dev"} {
		if p == own || own == "/dev" && strings.HasPrefix(p, "/dev/") {
			return fmt.Errorf("%q is what every app has", p)
		}
	}
	return nil
}

// ExtraPaths are the paths of the spec that are to be hidden and read-only beyond those that
// every app has so.
func ExtraPaths(spec *Spec) (masked, readOnly []string) {
	if spec.Linux == nil {
		return nil, nil
	}
	beyond := func(list []string, usual ...[]string) (extra []string) {
		for _, p := range list {
			if p = path.Clean(p); !slices.Contains(slices.Concat(usual...), p) && !slices.Contains(extra, p) {
				extra = append(extra, p)
			}
		}
		return extra
	}
	usual := New().Spec.Linux
	hidden := append(usual.MaskedPaths, "/proc/kmsg", "/sys/devices/virtual/powercap")
	// All of /sys is read-only.
	masked = beyond(spec.Linux.MaskedPaths, hidden)
	readOnly = slices.DeleteFunc(beyond(spec.Linux.ReadonlyPaths, usual.ReadonlyPaths, hidden), func(p string) bool { return strings.HasPrefix(p, "/sys/") })
	return masked, readOnly
}

func checkConfinement(spec *Spec) error {
	p := spec.Process
	if p.ApparmorProfile != "" {
		if err := checkProfileName(p.ApparmorProfile); err != nil {
			return fmt.Errorf("process.apparmorProfile: %w", err)
		}
	}
	labels := []given{{"process.selinuxLabel", p.SelinuxLabel != "" && !isContext(p.SelinuxLabel)}}
	if l := spec.Linux; l != nil {
		labels = append(labels, given{"linux.mountLabel", l.MountLabel != "" && !isContext(l.MountLabel)})
		for field, list := range map[string][]string{"linux.maskedPaths": l.MaskedPaths, "linux.readonlyPaths": l.ReadonlyPaths} {
			extra, _ := ExtraPaths(&Spec{Linux: &specs.Linux{MaskedPaths: list}})
			for _, path := range extra {
				if err := checkKernelPath(path); err != nil {
					return fmt.Errorf("%s: %w", field, err)
				}
			}
		}
		if err := MergeSysctls(map[string]string{}, l.Sysctl); err != nil {
			return fmt.Errorf("linux.%w", err)
		}
	}
	for _, g := range labels {
		if g.is {
			return fmt.Errorf("%s: is not user:role:type:level", g.field)
		}
	}
	return nil
}

func isContext(s string) bool {
	parts := strings.SplitN(s, ":", 4)
	if len(parts) != 4 || strings.ContainsAny(s, `",\`) && strings.ContainsAny(s, `"\`) {
		return false
	}
	for i, p := range parts {
		if !isLabelPart(p, i == 3) {
			return false
		}
	}
	return true
}
