package netconf

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/raket/raket/pkg/boundedfile"
	"github.com/raket/raket/stage0/config"
)

// Layer is a directory of networks.
type Layer struct {
	Dir string
	// Foreign is one that raket shares with other programs.
	Foreign bool
}

// Layers are where networks are configured, the later ones winning.
func Layers(d config.Dirs) []Layer {
	layers := []Layer{{Dir: "/etc/cni/net.d", Foreign: true}}
	for _, dir := range []string{d.System, "/run/raket", d.Local, d.User} {
		if dir != "" {
			layers = append(layers, Layer{Dir: filepath.Join(dir, "net.d")})
		}
	}
	return layers
}

// Network is one that pods can join.
type Network struct {
	Name string
	// File is where it is configured; "" for one of raket's own.
	File    string
	Foreign bool
	Plugins []Plugin
	// Subnets are those that its IPAM plugin hands out addresses of, as far as they stand
	// in the configuration.
	Subnets []string
	// Config is a complete CNI network configuration list, compact.
	Config json.RawMessage
}

// Plugin is one of a network's chain.
type Plugin struct {
	Type string
	// IPAM is the type of the plugin that hands out addresses, "" for none.
	IPAM string
	// Daemon is the socket at which that asks for them, where the configuration says so.
	Daemon string
	// Capabilities are the keys of runtimeConfig that it takes, sorted.
	Capabilities []string
	// Backend is "nftables", "iptables" or "firewalld" where the configuration asks for one.
	Backend string
	Master  string // the host's interface or bridge that it names, if any
	// Limited says that the configuration limits how fast pods are.
	Limited bool
}

// Broken is a file that is no network.
type Broken struct {
	File    string
	Foreign bool
	Err     error // says the file
}

// Set has all networks of a host.
type Set struct {
	networks []Network
	// Broken are the files that could not be read.
	Broken []Broken
}

// maxFileBytes is far above what a network needs.
const maxFileBytes = 1 << 20

// Load reads all layers, and puts the built-in networks above the foreign ones and
// below all others. Broken files do not keep the others from being read.
func Load(layers []Layer, builtin []Network) (*Set, error) {
	s := &Set{}
	builtinDone := false
	for _, l := range layers {
		if !l.Foreign && !builtinDone {
			s.over(builtin)
			builtinDone = true
		}
		networks, err := s.read(l)
		if err != nil {
			return nil, fmt.Errorf("read networks: %w", err)
		}
		s.over(networks)
	}
	if !builtinDone {
		s.over(builtin)
	}
	slices.SortStableFunc(s.networks, func(a, b Network) int { return strings.Compare(a.order(), b.order()) })
	return s, nil
}

// order is that of the files' names, whatever their directories; raket's own come as if from
// a file that begins with 99.
func (n Network) order() string {
	if n.File == "" {
		return "99-" + n.Name
	}
	return filepath.Base(n.File)
}

// over puts networks over those of the same names.
func (s *Set) over(networks []Network) {
	for _, n := range networks {
		s.networks = slices.DeleteFunc(s.networks, func(old Network) bool { return old.Name == n.Name })
		s.networks = append(s.networks, n)
	}
}

// read reads one layer. One that does not exist is empty.
func (s *Set) read(l Layer) ([]Network, error) {
	entries, err := os.ReadDir(l.Dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var networks []Network
	for _, e := range entries {
		if e.IsDir() || !slices.Contains([]string{".conf", ".conflist", ".json"}, filepath.Ext(e.Name())) {
			continue
		}
		path := filepath.Join(l.Dir, e.Name())
		n, err := readFile(path, l.Foreign)
		if err == nil {
			i := slices.IndexFunc(networks, func(o Network) bool { return o.Name == n.Name })
			switch {
			case i < 0:
				networks = append(networks, n)
				continue
			case l.Foreign:
				continue // as other programs have it, the first one counts
			}
			err = fmt.Errorf("key name: network %q is in %s already", n.Name, networks[i].File)
		}
		s.Broken = append(s.Broken, Broken{File: path, Foreign: l.Foreign, Err: fmt.Errorf("%s: %w", path, err)})
	}
	return networks, nil
}

func readFile(path string, lenient bool) (Network, error) {
	raw, err := boundedfile.Read(path, maxFileBytes)
	if err != nil {
		var p *fs.PathError
		if errors.As(err, &p) {
			err = p.Err // the path is said already
		}
		return Network{}, err
	}
	n, err := Parse(raw, lenient)
	if err != nil {
		return n, err
	}
	n.File, n.Foreign = path, lenient
	return n, n.addDirectory(filepath.Join(filepath.Dir(path), n.Name), lenient)
}

// All are the networks in order.
func (s *Set) All() []Network { return s.networks }

// Find returns a network by its name.
func (s *Set) Find(name string) (Network, error) {
	i := slices.IndexFunc(s.networks, func(n Network) bool { return n.Name == name })
	if i >= 0 {
		return s.networks[i], nil
	}
	var names []string
	for _, n := range s.networks {
		names = append(names, n.Name)
	}
	slices.Sort(names)
	err := &unusable{what: fmt.Sprintf("no network %q: there are %s", name, cmp.Or(strings.Join(names, ", "), "none")), hint: "raket network list"}
	if len(s.Broken) > 0 {
		err.what += fmt.Sprintf("; %d files could not be read, the first: %v", len(s.Broken), s.Broken[0].Err)
	}
	return Network{}, err
}

// unusable is a network that cannot be had, with what to try next.
type unusable struct{ what, hint string }

func (e *unusable) Error() string { return e.what }
func (e *unusable) Hint() string  { return e.hint }
