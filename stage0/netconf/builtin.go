package netconf

import (
	"crypto/sha256"
	"encoding/json"
	"net/netip"
)

// The names of raket's own networks.
const (
	Default    = "default"
	Restricted = "default-restricted"
)

// Their subnets of IPv4.
const (
	defaultSubnet    = "172.16.28.0/24"
	restrictedSubnet = "172.16.29.0/24"
)

// leases is where the addresses of raket's own networks are handed out: on no disk, for no pod
// outlives the host's boot.
const leases = "/run/raket/cni"

// Host is what the built-in networks depend on.
type Host struct {
	// NFTables and IPTables say that the programs nft and iptables are there.
	NFTables, IPTables bool
	// IPv6 says that the kernel has it and it is not switched off.
	IPv6 bool
	// MachineID is the text of /etc/machine-id, "" where there is none.
	MachineID string
	// Firewalld runs on the host: it refuses what is forwarded for others.
	Firewalld bool
	// Routes are the host's.
	Routes []Route
}

// backend is what keeps the host's rules; nftables where neither is there, to be named as
// missing.
func (h Host) backend() string {
	if !h.NFTables && h.IPTables {
		return "iptables"
	}
	return "nftables"
}

// object is a JSON object.
type object map[string]any

// Builtin are the networks of a host without configuration: default leads everywhere by way
// of the host, default-restricted to the host and no further.
func Builtin(h Host) []Network {
	return []Network{h.mustBuiltin(Default, defaultSubnet, 1, true), h.mustBuiltin(Restricted, restrictedSubnet, 2, false)}
}

func (h Host) mustBuiltin(name, subnet string, number byte, leadsOn bool) Network {
	ranges := []any{[]object{{"subnet": subnet}}}
	routes := []object{{"dst": "0.0.0.0/0"}}
	if h.IPv6 {
		ranges = append(ranges, []object{{"subnet": h.localPrefix(number).String()}})
		routes = append(routes, object{"dst": "::/0"})
	}
	ipam := object{"type": "host-local", "dataDir": leases, "ranges": ranges}
	ptp := object{"type": "ptp", "ipam": ipam}
	if leadsOn {
		ipam["routes"] = routes
	}
	// Publishing ports is added where a pod does: a program less to execute where none does.
	chain := []object{ptp}
	switch {
	case leadsOn && h.backend() == "nftables":
		chain = append(chain, object{"type": masquerade})
	case leadsOn:
		ptp["ipMasq"], ptp["ipMasqBackend"] = true, h.backend()
	}
	chain = append(chain, h.firewall()...)
	n, err := Parse(mustMarshal(object{"cniVersion": "1.1.0", "name": name, "loadOnlyInlinedPlugins": true, "plugins": chain}), false)
	if err != nil {
		panic(err) // the text is this function's, whatever the host
	}
	return n
}

// masquerade is a plugin that raket's stage1 has in itself: no program is executed for it, and it
// executes none. What ptp would do by ipMasq takes four calls of nft.
const masquerade = "raket-masquerade"

// forward is another: where the host's iptables drop what is forwarded for others, as Docker and
// ufw have it, it adds rules for the pod.
const forward = "raket-forward"

// portmap is the plugin that publishes ports. The kernel does not route what comes from ::1: a
// call there would wait for ever, so it is not led on, and is refused at once.
func portmap(backend string) object {
	notLoopback := []string{"ip6 daddr != ::1"}
	if backend == "iptables" {
		notLoopback = []string{"!", "-d", "::1/128"}
	}
	return object{"type": "portmap", "backend": backend, "conditionsV6": notLoopback, "capabilities": object{portMappings: true}}
}

// firewall lets pods through rules of others that drop what they don't know.
func (h Host) firewall() []object {
	var plugins []object
	if h.Firewalld {
		plugins = append(plugins, object{"type": "firewall", "backend": "firewalld"})
	}
	if h.IPTables {
		plugins = append(plugins, object{"type": forward})
	}
	return plugins
}

// localPrefix is a subnet of the host's own, after RFC 4193: its global ID is made of the
// machine ID, so that it stays, and is another on every host.
func (h Host) localPrefix(number byte) netip.Prefix {
	const bits = 64
	sum := sha256.Sum256([]byte("raket " + h.MachineID))
	var a [16]byte
	a[0] = 0xfd
	copy(a[1:6], sum[:])
	a[7] = number
	return netip.PrefixFrom(netip.AddrFrom16(a), bits)
}

func mustMarshal(v any) []byte {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return text
}
