package netconf

import (
	"bufio"
	"encoding/hex"
	"fmt"
	"io"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
)

// Route is one of the host's, to other addresses than all.
type Route struct {
	To     netip.Prefix
	Device string
}

// maxRouteBytes bounds how much of a table is read: routers of the internet's core have more.
const maxRouteBytes = 1 << 20

// routes are those of the main table. Where a table can't be read there are none.
func routes() []Route {
	var list []Route
	for path, parse := range map[string]func([]string) (Route, bool){"/proc/net/route": parseRoute4, "/proc/net/ipv6_route": parseRoute6} {
		f, err := os.Open(path)
		if err != nil {
			continue
		}
		lines := bufio.NewScanner(io.LimitReader(f, maxRouteBytes))
		for lines.Scan() {
			if r, ok := parse(strings.Fields(lines.Text())); ok && r.To.Bits() > 0 && r.Device != "lo" {
				list = append(list, r)
			}
		}
		_ = f.Close()
	}
	return list
}

// Flags of routes (linux/route.h, linux/ipv6_route.h).
const (
	routeUp     = 0x1
	routeReject = 0x200
	routeOwn    = 0x80100000 // an address of the host's, or one that several have
)

// parseRoute4 reads a line of /proc/net/route, whose addresses are numbers of the machine's.
func parseRoute4(f []string) (Route, bool) {
	const device, to, flags, mask, fields = 0, 1, 3, 7, 8
	if len(f) < fields {
		return Route{}, false
	}
	address, err := hex.DecodeString(f[to])
	bits, err2 := strconv.ParseUint(f[mask], 16, 32)
	set, err3 := strconv.ParseUint(f[flags], 16, 32)
	if err != nil || err2 != nil || err3 != nil || len(address) != 4 || set&routeUp == 0 || set&routeReject != 0 {
		return Route{}, false
	}
	slices.Reverse(address)
	ones := 0
	for ; bits != 0; bits &= bits - 1 {
		ones++
	}
	return Route{netip.PrefixFrom(netip.AddrFrom4([4]byte(address)), ones), f[device]}, true
}

// parseRoute6 reads a line of /proc/net/ipv6_route.
func parseRoute6(f []string) (Route, bool) {
	const to, bits, flags, device, fields = 0, 1, 8, 9, 10
	if len(f) < fields {
		return Route{}, false
	}
	address, err := hex.DecodeString(f[to])
	ones, err2 := strconv.ParseUint(f[bits], 16, 8)
	set, err3 := strconv.ParseUint(f[flags], 16, 32)
	if err != nil || err2 != nil || err3 != nil || len(address) != 16 || ones > 128 || set&routeUp == 0 || set&(routeReject|routeOwn) != 0 {
		return Route{}, false
	}
	return Route{netip.PrefixFrom(netip.AddrFrom16([16]byte(address)), int(ones)), f[device]}, true
}

// CheckRoutes refuses a network that would take from the host what it reaches elsewhere. Where
// a route leads to much more than the network's addresses it warns: what is behind it may use
// others. The warning may be nil.
func (n Network) CheckRoutes(routes []Route, warn func(string)) error {
	if !n.passesHost() {
		return nil // on the wire of the host's the addresses are that wire's
	}
	for _, text := range n.Subnets {
		subnet, err := netip.ParsePrefix(text)
		if err != nil {
			continue
		}
		var wider Route
		for _, r := range routes {
			if !r.To.Overlaps(subnet) || n.owns(r) {
				continue
			}
			if r.To.Bits() >= subnet.Bits() {
				return &unusable{fmt.Sprintf("network %s: its subnet %s is in use: the host reaches %s by %s", n.Name, subnet, r.To, r.Device), n.another()}
			}
			if !wider.To.IsValid() || r.To.Bits() > wider.To.Bits() {
				wider = r
			}
		}
		if wider.To.IsValid() && warn != nil {
			warn(fmt.Sprintf("network %s: its subnet %s is part of %s, which the host reaches by %s: pods do not reach those addresses there; %s", n.Name, subnet, wider.To, wider.Device, n.another()))
		}
	}
	return nil
}

// another says where another subnet is set.
func (n Network) another() string {
	if n.File == "" {
		return "for another subnet put a network of the name " + n.Name + " into /etc/raket/net.d (raket network inspect " + n.Name + " shows this one)"
	}
	return "for another subnet change " + n.File
}

// owns reports whether a route is the network's own: to its bridge, or to one pod at a time.
func (n Network) owns(r Route) bool {
	if n.Plugins[0].Type == "ptp" {
		return r.To.IsSingleIP() && strings.HasPrefix(r.Device, "veth")
	}
	bridge := n.Plugins[0].Master
	if bridge == "" {
		bridge = "cni0"
	}
	return r.Device == bridge
}
