package network

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"

	types100 "github.com/containernetworking/cni/pkg/types/100"

	"github.com/raket/raket/pkg/stageabi"
)

// describe says in the contract's words what a result says.
func describe(a stageabi.Attachment, res *types100.Result) (stageabi.Attached, error) {
	at := stageabi.Attached{Name: a.Name, IfName: a.IfName}
	for _, i := range res.Interfaces {
		switch {
		case i.Sandbox != "" && i.Name == a.IfName:
			at.MAC = i.Mac
		case i.Sandbox == "" && strings.HasPrefix(i.Name, "veth"):
			at.HostIf = i.Name
		}
	}
	for _, ip := range res.IPs {
		p, ok := prefix(ip.Address)
		if !ok {
			return at, fmt.Errorf("join network %s: the plugin says address %s", a.Name, ip.Address.String())
		}
		if !ofPod(res, ip) {
			continue
		}
		at.Addresses = append(at.Addresses, p.String())
		if ip.Gateway != nil {
			at.Gateways = append(at.Gateways, ip.Gateway.String())
		}
	}
	for _, r := range res.Routes {
		p, ok := prefix(r.Dst)
		if !ok {
			return at, fmt.Errorf("join network %s: the plugin says route %s", a.Name, r.Dst.String())
		}
		route := stageabi.Route{To: p.String()}
		if r.GW != nil {
			route.Gateway = r.GW.String()
		}
		at.Routes = append(at.Routes, route)
	}
	at.DNS = stageabi.DNS{Nameservers: res.DNS.Nameservers, Domain: res.DNS.Domain, Search: res.DNS.Search, Options: res.DNS.Options}
	return at, nil
}

// ofPod reports whether an address is on an interface of the pod's; one that is on
// none in particular is.
func ofPod(res *types100.Result, ip *types100.IPConfig) bool {
	if ip.Interface == nil {
		return true
	}
	i := *ip.Interface
	return i >= 0 && i < len(res.Interfaces) && res.Interfaces[i].Sandbox != ""
}

func prefix(n net.IPNet) (netip.Prefix, bool) {
	a, ok := netip.AddrFromSlice(n.IP)
	bits, of := n.Mask.Size()
	if a = a.Unmap(); !ok || of != a.BitLen() {
		return netip.Prefix{}, false
	}
	return netip.PrefixFrom(a, bits), true
}

// addressesOf are the pod's addresses.
func addressesOf(res *types100.Result) []netip.Prefix {
	var all []netip.Prefix
	for _, ip := range res.IPs {
		if p, ok := prefix(ip.Address); ok && ofPod(res, ip) {
			all = append(all, p)
		}
	}
	return all
}

// madeVeth reports whether a plugin made a pair of interfaces, of which one is the pod's:
// nothing else needs to be undone on the host with what can be seen in the pod alone. A
// device of the host's own is back when the pod's namespace is gone, and must not be looked
// for.
func madeVeth(res *types100.Result) bool {
	return res != nil && slices.ContainsFunc(res.Interfaces, func(i *types100.Interface) bool { return i.Sandbox == "" && strings.HasPrefix(i.Name, "veth") })
}

// Complete adds to the pod's hosts file and resolv.conf what is known now.
func Complete(s *stageabi.Sandbox, status stageabi.NetworkStatus) {
	if s.Network.CompleteHosts {
		text := hosts(*s, status)
		s.Hosts = &text
	}
	if s.Network.CompleteDNS {
		if text := resolvConf(status); text != "" {
			s.ResolvConf = &text
		}
	}
}

// hosts is the pod's hosts file with a line for each of its addresses.
func hosts(s stageabi.Sandbox, status stageabi.NetworkStatus) string {
	text := ""
	if s.Hosts != nil {
		text = *s.Hosts
	}
	names := append([]string{s.Hostname}, s.Network.Aliases...)
	for _, a := range status.Attachments {
		for _, p := range a.Addresses {
			ip, _, _ := strings.Cut(p, "/")
			text += ip + "\t" + strings.Join(names, " ") + "\n"
		}
	}
	return text
}

// resolvConf is made of the first network that says something.
func resolvConf(status stageabi.NetworkStatus) string {
	for _, a := range status.Attachments {
		if len(a.DNS.Nameservers) == 0 && len(a.DNS.Search) == 0 && a.DNS.Domain == "" {
			continue
		}
		var b strings.Builder
		line := func(key string, values ...string) {
			for _, v := range values {
				if v != "" && !strings.ContainsAny(v, "\r\n") {
					b.WriteString(key + " " + v + "\n")
				}
			}
		}
		line("domain", a.DNS.Domain)
		line("search", strings.Join(a.DNS.Search, " "))
		line("nameserver", a.DNS.Nameservers...)
		line("options", strings.Join(a.DNS.Options, " "))
		return b.String()
	}
	return ""
}
