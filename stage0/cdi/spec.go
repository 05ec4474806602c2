package cdi

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// spec is a specification; JSON is YAML.
type spec struct {
	Version     string            `yaml:"cdiVersion"`
	Kind        string            `yaml:"kind"`
	Annotations map[string]string `yaml:"annotations"`
	Devices     []device          `yaml:"devices"`
	Edits       edits             `yaml:"containerEdits"`
}

type device struct {
	Name        string            `yaml:"name"`
	Annotations map[string]string `yaml:"annotations"`
	Edits       edits             `yaml:"containerEdits"`
}

type edits struct {
	Env            []string `yaml:"env"`
	DeviceNodes    []Node   `yaml:"deviceNodes"`
	Mounts         []Mount  `yaml:"mounts"`
	AdditionalGids []uint32 `yaml:"additionalGids"`
	Hooks          []hook   `yaml:"hooks"`
	IntelRdt       any      `yaml:"intelRdt"`
	NetDevices     any      `yaml:"netDevices"`
}

type hook struct {
	Name    string   `yaml:"hookName"`
	Path    string   `yaml:"path"`
	Args    []string `yaml:"args"`
	Env     []string `yaml:"env"`
	Timeout *int     `yaml:"timeout"`
}

// Node is a device node. What is not said is that of the host's node.
type Node struct {
	Path        string  `yaml:"path"`
	HostPath    string  `yaml:"hostPath"` // "": Path
	Type        string  `yaml:"type"`
	Major       *int64  `yaml:"major"`
	Minor       *int64  `yaml:"minor"`
	FileMode    *uint32 `yaml:"fileMode"`
	Permissions string  `yaml:"permissions"` // "": rwm
	UID         *uint32 `yaml:"uid"`
	GID         *uint32 `yaml:"gid"`
}

// Mount is a file or directory of the host's in the container.
type Mount struct {
	HostPath      string   `yaml:"hostPath"`
	ContainerPath string   `yaml:"containerPath"`
	Type          string   `yaml:"type"`
	Options       []string `yaml:"options"`
}

// maxDepth is how deep a specification nests: deeper is not one.
const maxDepth = 12

// parse reads a specification, strictly.
func parse(text []byte) (spec, error) {
	// An alias is a way to make much of little, and no specification needs one.
	if err := checkTree(text); err != nil {
		return spec{}, err
	}
	var s spec
	d := yaml.NewDecoder(bytes.NewReader(text))
	d.KnownFields(true)
	if err := d.Decode(&s); err != nil {
		return spec{}, fmt.Errorf("%s", strings.Join(strings.Fields(err.Error()), " "))
	}
	if err := d.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return spec{}, errors.New("more than one document")
	}
	return s, s.check()
}

func checkTree(text []byte) error {
	var n yaml.Node
	if err := yaml.Unmarshal(text, &n); err != nil {
		return fmt.Errorf("%s", strings.Join(strings.Fields(err.Error()), " "))
	}
	var walk func(n *yaml.Node, depth int) error
	walk = func(n *yaml.Node, depth int) error {
		if n.Kind == yaml.AliasNode || depth > maxDepth {
			return errors.New("it has aliases, or is nested too deep")
		}
		for _, c := range n.Content {
			if err := walk(c, depth+1); err != nil {
				return err
			}
		}
		return nil
	}
	return walk(&n, 0)
}

// versions are those of the specification that say nothing which is not read here.
func versions() []string {
	return []string{"0.3.0", "0.4.0", "0.5.0", "0.6.0", "0.7.0", "0.8.0", "1.0.0", "1.1.0"}
}

func (s spec) check() error {
	if v := strings.TrimPrefix(s.Version, "v"); !slices.Contains(versions(), v) {
		return fmt.Errorf("cdiVersion: %q is not known", s.Version)
	}
	if !isKind(s.Kind) {
		return fmt.Errorf("kind: %q is not vendor.com/class", s.Kind)
	}
	if len(s.Devices) == 0 {
		return errors.New("devices: there are none")
	}
	seen := map[string]bool{}
	for i, d := range s.Devices {
		if !isName(d.Name) || seen[d.Name] {
			return fmt.Errorf("devices[%d].name: %q is not a name, or not its first", i, d.Name)
		}
		seen[d.Name] = true
	}
	return nil
}

const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
const digits = "0123456789"

// isKind: SPEC.md, "Kind".
func isKind(s string) bool {
	vendor, class, ok := strings.Cut(s, "/")
	return ok && isWord(vendor, "_-.") && isWord(class, "_-") && strings.ContainsAny(vendor[:1], letters) && strings.ContainsAny(class[:1], letters)
}

func isName(s string) bool { return isWord(s, "_-.:") }

func isWord(s, between string) bool {
	ends := letters + digits
	return s != "" && strings.Trim(s, ends+between) == "" && strings.ContainsAny(s[:1], ends) && strings.ContainsAny(s[len(s)-1:], ends)
}
