package netconf

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/raket/raket/pkg/stageabi"
)

// All stands for every network that is raket's.
const All = "all"

// portMappings is the capability to publish ports.
const portMappings = "portMappings"

// Choice is a network that was asked for.
type Choice struct {
	Name string // of a network, or All
	// Args are names and values of CNI_ARGS, and limits (netrate).
	Args [][2]string
}

// Request is what a pod wants.
type Request struct {
	Choices    []Choice
	Ports      []stageabi.Port
	PluginDirs []string
	// Aliases and DNS are for plugins that have capabilities of these names.
	Aliases []string
	DNS     DNS
	// Host says what a chain is given that has to publish ports and cannot.
	Host Host
	// Warn gets lines about networks that are not quite what they should be; may be nil.
	Warn func(string)
}

// Resolve returns the pod's network, of mode cni. An error says which network cannot be had
// and why, or which file is broken: a file of raket's own directories could have meant any
// network.
func (s *Set) Resolve(r Request) (stageabi.Network, error) {
	for _, b := range s.Broken {
		if !b.Foreign {
			return stageabi.Network{}, &unusable{b.Err.Error(), "mend the file or take it away; raket network list"}
		}
	}
	net := stageabi.Network{Mode: stageabi.NetCNI, Ports: r.Ports, PluginDirs: r.PluginDirs}
	chosen, err := s.expand(r.Choices)
	if err != nil {
		return net, err
	}
	var networks []Network
	for _, c := range chosen {
		n, err := s.Find(c.Name)
		if err != nil {
			return net, err
		}
		networks = append(networks, n)
	}
	if len(r.Ports) > 0 {
		if err := publish(networks, r.Host); err != nil {
			return net, err
		}
	}
	for i, n := range networks {
		limits, args, err := n.limit(chosen[i].Args)
		if err != nil {
			return net, err
		}
		if err := n.Check(r.PluginDirs); err != nil {
			return net, err
		}
		if err := n.CheckRoutes(r.Host.Routes, r.Warn); err != nil {
			return net, err
		}
		a := stageabi.Attachment{Name: n.Name, IfName: "eth" + strconv.Itoa(i), Config: n.Config}
		if a.Capabilities, args = n.asked(args, r.Aliases, r.DNS); len(args) > 0 {
			a.Args = cniArgs(args)
		}
		if limits != nil {
			a.Capabilities[bandwidth] = mustMarshal(limits)
		}
		net.Attachments = append(net.Attachments, a)
	}
	return net, nil
}

// maxNetworks bounds how many one pod joins.
const maxNetworks = 32

// expand puts the networks that All stands for in its place.
func (s *Set) expand(choices []Choice) ([]Choice, error) {
	var chosen []Choice
	for _, c := range choices {
		if c.Name != All {
			chosen = append(chosen, c)
			continue
		}
		if len(c.Args) > 0 {
			return nil, errors.New("all networks can have no arguments together: name them")
		}
		for _, n := range s.networks {
			// Other programs' networks are theirs, and default leads where
			// default-restricted does.
			if !n.Foreign && !(n.Name == Restricted && n.File == "") {
				chosen = append(chosen, Choice{Name: n.Name})
			}
		}
	}
	for i, c := range chosen {
		if slices.ContainsFunc(chosen[:i], func(o Choice) bool { return o.Name == c.Name }) {
			return nil, fmt.Errorf("network %q is given twice", c.Name)
		}
	}
	if len(chosen) > maxNetworks {
		return nil, fmt.Errorf("%d networks are asked for, a pod joins at most %d", len(chosen), maxNetworks)
	}
	return chosen, nil
}

// cniArgs joins addresses, of which CNI_ARGS has a list under one name, and lets plugins of
// the chain leave alone what is another's.
func cniArgs(args [][2]string) [][2]string {
	var out [][2]string
	ignore := true
	for _, a := range args {
		ignore = ignore && a[0] != "IgnoreUnknown"
		if i := slices.IndexFunc(out, func(o [2]string) bool { return o[0] == "IP" && a[0] == "IP" }); i >= 0 {
			out[i][1] += "," + a[1]
			continue
		}
		out = append(out, a)
	}
	if ignore {
		out = append(out, [2]string{"IgnoreUnknown", "true"})
	}
	return out
}

// publish sees to it that one of the networks publishes ports: as configured, or else the
// first whose traffic passes through the host.
func publish(networks []Network, h Host) error {
	if i := slices.IndexFunc(networks, Network.publishes); i >= 0 {
		// Two networks that both had the host's port would take it from each other.
		for j := i + 1; j < len(networks); j++ {
			if err := networks[j].publishNothing(); err != nil {
				return err
			}
		}
		return nil
	}
	var names []string
	for i, n := range networks {
		names = append(names, n.Name)
		if !n.passesHost() {
			continue
		}
		networks[i].Plugins = append(slices.Clone(n.Plugins), Plugin{Type: "portmap", Capabilities: []string{portMappings}, Backend: h.backend()})
		return networks[i].change(func(plugins []json.RawMessage) ([]json.RawMessage, error) {
			return append(plugins, mustMarshal(portmap(h.backend()))), nil
		})
	}
	return &unusable{
		fmt.Sprintf("network %s publishes no ports: none of its plugins has the capability %s, and its traffic does not pass through the host", strings.Join(names, ", "), portMappings),
		"add a network that does, as --net=default",
	}
}

// change writes Config anew with other plugins.
func (n *Network) change(do func([]json.RawMessage) ([]json.RawMessage, error)) error {
	var list map[string]json.RawMessage
	var plugins []json.RawMessage
	if err := json.Unmarshal(n.Config, &list); err != nil {
		return err
	}
	if err := json.Unmarshal(list["plugins"], &plugins); err != nil {
		return err
	}
	plugins, err := do(plugins)
	if err != nil {
		return err
	}
	return n.setConfig(list, plugins)
}

// publishNothing takes the capability to publish ports from the chain.
func (n *Network) publishNothing() error {
	if !n.publishes() {
		return nil
	}
	n.Plugins = slices.Clone(n.Plugins)
	for i := range n.Plugins {
		n.Plugins[i].Capabilities = slices.DeleteFunc(slices.Clone(n.Plugins[i].Capabilities), func(c string) bool { return c == portMappings })
	}
	return n.change(func(plugins []json.RawMessage) ([]json.RawMessage, error) {
		for i, raw := range plugins {
			var keys, can map[string]json.RawMessage
			if err := json.Unmarshal(raw, &keys); err != nil {
				return nil, err
			}
			if keys["capabilities"] == nil {
				continue
			}
			if err := json.Unmarshal(keys["capabilities"], &can); err != nil {
				return nil, err
			}
			delete(can, portMappings)
			keys["capabilities"] = mustMarshal(can)
			plugins[i] = mustMarshal(keys)
		}
		return plugins, nil
	})
}

// publishes reports whether a plugin of the chain publishes ports.
func (n Network) publishes() bool {
	return n.can(portMappings)
}

// passesHost reports whether pods' traffic passes through the host's rules.
func (n Network) passesHost() bool {
	return n.Plugins[0].Type == "ptp" || n.Plugins[0].Type == "bridge"
}

// Publishes reports whether pods can publish ports by way of the network.
func (n Network) Publishes() bool { return n.publishes() || n.passesHost() }
