package appspec

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"strings"
	"unicode/utf8"
)

// MaxSpecBytes bounds a config.json.
const MaxSpecBytes = 8 << 20

// Marshal returns the config.json of a spec that passes Check: indented, with a
// final newline, the same bytes for the same spec.
func Marshal(spec *Spec) ([]byte, error) {
	return marshal(spec, func(v any) ([]byte, error) { return json.MarshalIndent(v, "", "  ") })
}

// Compact is Marshal without spaces, which are half of it and are written and read for each
// app of each pod. Indent puts them back.
func Compact(spec *Spec) ([]byte, error) { return marshal(spec, json.Marshal) }

// Indent returns what Marshal does for a spec of which Compact has returned text.
func Indent(text []byte) ([]byte, error) {
	var b bytes.Buffer
	if err := json.Indent(&b, text, "", "  "); err != nil {
		return nil, fmt.Errorf("app spec: %w", err)
	}
	return b.Bytes(), nil
}

func marshal(spec *Spec, encode func(any) ([]byte, error)) ([]byte, error) {
	if err := Check(spec); err != nil {
		return nil, err
	}
	text, err := encode(spec)
	if err != nil {
		return nil, fmt.Errorf("marshal app spec: %w", err)
	}
	if len(text)+1 > MaxSpecBytes {
		return nil, fmt.Errorf("app spec of %d bytes, at most %d are read", len(text)+1, MaxSpecBytes)
	}
	return append(text, '\n'), nil
}

// Parse reads a config.json, of ours or of any OCI bundle, and checks it. Unknown
// fields are passed over, as the runtime-spec demands ("Extensibility").
func Parse(text []byte) (*Spec, error) {
	if len(text) > MaxSpecBytes {
		return nil, fmt.Errorf("app spec of %d bytes, at most %d are read", len(text), MaxSpecBytes)
	}
	spec := &Spec{}
	if err := decode(text, spec); err != nil {
		return nil, fmt.Errorf("app spec: %w", err)
	}
	if err := Check(spec); err != nil {
		return nil, fmt.Errorf("app spec: %w", err)
	}
	return spec, nil
}

// Check says what is wrong with a spec: what the runtime-spec requires, what the
// kernel takes, and what would be something else once written in another place.
// Errors name the field. It does not say that a stage1 can express the spec.
func Check(spec *Spec) error {
	p := spec.Process
	switch {
	case !strings.HasPrefix(spec.Version, "1."):
		return fmt.Errorf("ociVersion: %q is not version 1", spec.Version)
	case spec.Solaris != nil || spec.Windows != nil || spec.VM != nil || spec.ZOS != nil || spec.FreeBSD != nil:
		return errors.New("platform: only linux is run")
	case p == nil:
		return errors.New("process: is required")
	case len(p.Args) == 0 || p.Args[0] == "":
		return errors.New("process.args: is required")
	case !path.IsAbs(p.Cwd) || !utf8.ValidString(p.Cwd) || strings.ContainsFunc(p.Cwd, isControl):
		return fmt.Errorf("process.cwd: %q is not an absolute path", p.Cwd)
	case spec.Root == nil || spec.Root.Path == "" || !utf8.ValidString(spec.Root.Path) || strings.ContainsFunc(spec.Root.Path, isControl):
		return errors.New("root.path: is required, and is UTF-8 without control characters")
	}
	if err := checkProcess(p.Args, p.Env); err != nil {
		return fmt.Errorf("process: %w", err)
	}
	if err := checkHostname(spec.Hostname); err != nil {
		return fmt.Errorf("hostname: %w", err)
	}
	if err := checkIdentity(p); err != nil {
		return err
	}
	for i, m := range spec.Mounts {
		if !path.IsAbs(m.Destination) {
			return fmt.Errorf("mounts[%d].destination: %q is not an absolute path", i, m.Destination)
		}
		for _, s := range append([]string{m.Destination, m.Source, m.Type}, m.Options...) {
			if !utf8.ValidString(s) || strings.IndexByte(s, 0) >= 0 {
				return fmt.Errorf("mounts[%d]: %q is not UTF-8 without NUL", i, s)
			}
		}
	}
	if err := checkHooks(spec); err != nil {
		return err
	}
	for name, value := range spec.Annotations {
		if name == "" || !utf8.ValidString(name) || !utf8.ValidString(value) {
			return fmt.Errorf("annotations: %q=%q has no name or is not UTF-8", name, value)
		}
	}
	if _, err := StreamsOf(spec); err != nil {
		return err
	}
	if _, err := Properties(spec); err != nil {
		return fmt.Errorf("annotations: %w", err)
	}
	if _, err := LifeOf(spec); err != nil {
		return err
	}
	if _, err := HealthOf(spec); err != nil {
		return err
	}
	_, err := NetworkBandwidth(spec)
	return err
}

func checkIdentity(p *Process) error {
	for _, id := range append([]uint32{p.User.UID, p.User.GID}, p.User.AdditionalGids...) {
		if _, err := parseID(formatID(id)); err != nil {
			return fmt.Errorf("process.user: %w", err)
		}
	}
	if u := p.User.Umask; u != nil && *u > 0o777 {
		return fmt.Errorf("process.user.umask: %#o is above 0777", *u)
	}
	if p.User.Username != "" {
		return errors.New("process.user.username: is for other platforms")
	}
	if c := p.Capabilities; c != nil {
		for _, set := range [][]string{c.Bounding, c.Effective, c.Inheritable, c.Permitted, c.Ambient} {
			if _, err := parseCapabilities(set); err != nil {
				return fmt.Errorf("process.capabilities: %w", err)
			}
		}
	}
	seen := map[string]bool{}
	for i, l := range p.Rlimits {
		if err := checkRlimit(l); err != nil {
			return fmt.Errorf("process.rlimits[%d]: %w", i, err)
		}
		if seen[l.Type] {
			return fmt.Errorf("process.rlimits[%d]: %s a second time", i, l.Type)
		}
		seen[l.Type] = true
	}
	if adj := p.OOMScoreAdj; adj != nil && (*adj < -1000 || *adj > 1000) {
		return fmt.Errorf("process.oomScoreAdj: %d is not -1000 to 1000", *adj)
	}
	return nil
}

func checkHooks(spec *Spec) error {
	if h := spec.Hooks; h != nil {
		for i, hook := range h.StartContainer {
			if !path.IsAbs(hook.Path) {
				return fmt.Errorf("hooks.startContainer[%d].path: %q is not absolute", i, hook.Path)
			}
			if err := checkProcess(append([]string{hook.Path}, hook.Args...), hook.Env); err != nil {
				return fmt.Errorf("hooks.startContainer[%d]: %w", i, err)
			}
		}
	}
	_, _, err := Handlers(spec)
	return err
}
