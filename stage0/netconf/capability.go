package netconf

import (
	"encoding/json"
	"slices"
)

// DNS is what was said about names, for networks with a plugin that can use it.
type DNS struct {
	Servers  []string `json:"servers,omitempty"`
	Searches []string `json:"searches,omitempty"`
}

// can reports whether a plugin of the chain takes a key of runtimeConfig.
func (n Network) can(capability string) bool {
	return slices.ContainsFunc(n.Plugins, func(p Plugin) bool { return slices.Contains(p.Capabilities, capability) })
}

// asked divides what is asked for into capabilities, for the plugins that have them, and
// arguments (CNI conventions, "Dynamic Plugin specific fields"): a plugin is told of an address
// once, by the one way or the other.
func (n Network) asked(args [][2]string, aliases []string, dns DNS) (map[string]json.RawMessage, [][2]string) {
	capabilities := map[string]json.RawMessage{}
	var rest [][2]string
	var ips []string
	for _, a := range args {
		switch {
		case a[0] == "IP" && n.can("ips"):
			ips = append(ips, a[1])
		case a[0] == "MAC" && n.can("mac"):
			capabilities["mac"] = mustMarshal(a[1])
		default:
			rest = append(rest, a)
		}
	}
	if len(ips) > 0 {
		capabilities["ips"] = mustMarshal(ips)
	}
	if len(aliases) > 0 && n.can("aliases") {
		capabilities["aliases"] = mustMarshal(aliases)
	}
	if len(dns.Servers)+len(dns.Searches) > 0 && n.can("dns") {
		capabilities["dns"] = mustMarshal(dns)
	}
	return capabilities, rest
}
