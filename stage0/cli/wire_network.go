package cli

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"

	podpkg "github.com/raket/raket/pkg/pod"
	"github.com/raket/raket/pkg/podport"
	"github.com/raket/raket/pkg/stageabi"
	"github.com/raket/raket/stage0/cli/appargs"
	"github.com/raket/raket/stage0/hostport"
	"github.com/raket/raket/stage0/netconf"
)

// networksDir is below the data directory: what stages keep of networks that pods joined.
const networksDir = "networks"

// loadNetworks reads which networks there are.
func loadNetworks(s settings) (*netconf.Set, netconf.Host, error) {
	host := netconf.DetectHost()
	set, err := netconf.Load(netconf.Layers(s.ConfigDirs), netconf.Builtin(host))
	return set, host, err
}

// pluginDirs are where CNI's plugins are.
func (s settings) pluginDirs() []string {
	var configured []string
	if dir := s.Config.Paths.CNIPlugins; dir != "" {
		configured = append(configured, dir)
	}
	return netconf.PluginDirs(configured)
}

// joinNetworks decides the pod's network, by what was asked for and what the host has, and
// takes the ports that it publishes.
func (r *realPods) joinNetworks(box *stageabi.Sandbox, o appargs.RunOptions) error {
	ports := notInherited(box.Network.Ports, box.Sockets)
	choices := o.Net
	if len(choices) == 0 {
		mode := box.Network.Mode
		if mode == stageabi.NetNone && len(ports) > 0 {
			mode = netconf.Default // somebody wants to reach the pod
		}
		choices = []appargs.NetChoice{{Name: mode}}
	}
	switch mode := choices[0].Name; mode {
	case stageabi.NetHost, stageabi.NetNone:
		if err := withoutNetworks(mode, ports, o.Aliases); err != nil {
			return err
		}
		box.Network = stageabi.Network{Mode: mode}
		return nil
	}
	set, host, err := loadNetworks(r.settings)
	if err != nil {
		return err
	}
	q := netconf.Request{Ports: ports, PluginDirs: r.pluginDirs(), Host: host, Warn: func(line string) { fmt.Fprintln(r.Stderr, "raket:", line) }}
	q.Aliases, q.DNS.Searches = o.Aliases, o.DNSSearch
	if len(o.DNS) > 0 && o.DNS[0] != "none" && o.DNS[0] != "host" {
		q.DNS.Servers = o.DNS
	}
	for _, c := range choices {
		q.Choices = append(q.Choices, netconf.Choice(c))
	}
	if box.Network, err = set.Resolve(q); err != nil {
		return err
	}
	box.Network.StateDir = filepath.Join(r.DataDir, networksDir)
	box.Network.Aliases = o.Aliases
	box.Network.CompleteHosts = !o.HostsFromHost
	box.Network.CompleteDNS = !saidDNS(o)
	box.Network.Ports, err = r.holdPorts(ports)
	return err
}

// withoutNetworks refuses what needs a network of the pod's own.
func withoutNetworks(mode string, ports []stageabi.Port, aliases []string) error {
	if len(aliases) > 0 {
		return &fault{err: fmt.Errorf("--net-alias needs a network that the pod joins, and it has --net=%s", mode), hint: "--net=default"}
	}
	for _, p := range ports {
		switch {
		case mode == stageabi.NetNone:
			return &fault{err: fmt.Errorf("port %s: a pod with --net=none can be reached from nowhere", podport.Text(p)), hint: "--net=default"}
		case p.HostPort != p.PodPort || p.HostIP != "":
			return &fault{
				err:  fmt.Errorf("port %s: with --net=host the app's port %d is the host's, on all addresses it listens on", podport.Text(p), p.PodPort),
				hint: "--net=default, or have the app listen where it should be reached",
			}
		}
	}
	return nil
}

// notInherited leaves out the ports of sockets that the host's systemd gave: what comes there
// reaches the app through the descriptor.
func notInherited(ports []stageabi.Port, sockets []stageabi.Socket) []stageabi.Port {
	for _, s := range sockets {
		at, err := netip.ParseAddrPort(s.Address)
		if s.FD == 0 || err != nil {
			continue
		}
		protocol := "tcp"
		if s.Kind == stageabi.SocketDatagram {
			protocol = "udp"
		}
		var rest []stageabi.Port
		for _, p := range ports {
			if p.Protocol == protocol && p.HostPort != 0 && meets(p.HostIP, at.Addr()) && at.Port() >= p.HostPort && int(at.Port()) < int(p.HostPort)+int(p.Count) {
				rest = append(rest, around(p, at.Port())...)
				continue
			}
			rest = append(rest, p)
		}
		ports = rest
	}
	return ports
}

// meets reports whether a port published at an address is the one of a socket, which has all
// addresses if it has the unspecified one of IPv6 (bindv6only in ipv6(7)).
func meets(hostIP string, socket netip.Addr) bool {
	ip, err := netip.ParseAddr(hostIP)
	switch {
	case err != nil, socket.Is6() && socket.IsUnspecified():
		return true
	case ip.Is4() != socket.Is4():
		return false
	}
	return ip == socket || ip.IsUnspecified() || socket.IsUnspecified()
}

// around is a range without one of its ports.
func around(p stageabi.Port, port uint16) []stageabi.Port {
	before, after := p, p
	skip := port - p.HostPort
	before.Count = skip
	after.HostPort, after.PodPort, after.Count = p.HostPort+skip+1, p.PodPort+skip+1, p.Count-skip-1
	return slices.DeleteFunc([]stageabi.Port{before, after}, func(p stageabi.Port) bool { return p.Count == 0 })
}

// holdPorts takes the ports for as long as the pod lives, and returns them with those that were
// picked.
func (r *realPods) holdPorts(ports []stageabi.Port) ([]stageabi.Port, error) {
	for _, p := range ports {
		// A host may lead such packets on that has no sockets to hold the port with.
		if p.Protocol != "sctp" {
			continue
		}
		if by := r.publisher(p); by != "" {
			return nil, &fault{err: &hostport.Taken{Port: p, By: by}, hint: "publish another one"}
		}
	}
	held, err := hostport.Hold(ports)
	var taken *hostport.Taken
	if errors.As(err, &taken) {
		if taken.By == "" {
			taken.By = r.publisher(taken.Port)
		}
		hint := "publish another one"
		if ip, err := netip.ParseAddrPort(taken.At); err == nil && taken.Port.HostIP == "" && !ip.Addr().IsUnspecified() {
			hint = fmt.Sprintf("publish it on another address alone, as --port=ADDRESS:%d:%d/%s", taken.Port.HostPort, taken.Port.PodPort, taken.Port.Protocol)
		}
		return nil, &fault{err: err, hint: hint}
	}
	var none *hostport.NoneFree
	if errors.As(err, &none) {
		return nil, &fault{err: err, hint: fmt.Sprintf("name one, as --port=HOSTPORT:%d/%s", none.Port.PodPort, none.Port.Protocol)}
	}
	return held, err
}

// publisher is the running pod that publishes a port: nobody listens there, so that the kernel
// does not show who has it.
func (r *realPods) publisher(port stageabi.Port) string {
	pods, err := r.store.List()
	if err != nil {
		return ""
	}
	for _, p := range pods {
		if p.State != podpkg.Running {
			continue
		}
		box, err := p.Sandbox()
		if err != nil {
			continue
		}
		for _, other := range box.Network.Ports {
			if podport.Overlap(port, other) {
				return "pod " + string(p.UUID)
			}
		}
	}
	return ""
}

// Networks lists the networks that there are, and then the broken files.
func (r *realPods) Networks(context.Context) ([]networkInfo, error) {
	set, host, err := loadNetworks(r.settings)
	if err != nil {
		return nil, err
	}
	joined, unreadable := r.joined()
	dirs := r.pluginDirs()
	list := []networkInfo{}
	for _, n := range set.All() {
		info := networkInfo{
			Name: n.Name, File: n.File, Shared: n.Foreign, Type: n.Plugins[0].Type, Subnets: n.Subnets, Publishes: n.Publishes(),
			Pods: append([]networkPod{}, joined[n.Name]...), Config: n.Config,
		}
		for _, name := range n.PluginNames() {
			plugin := networkPlugin{Name: name, BuiltIn: netconf.WithinStage1(name)}
			if !plugin.BuiltIn {
				plugin.Path = netconf.FindPlugin(name, dirs)
			}
			info.Plugins = append(info.Plugins, plugin)
		}
		err := n.Check(dirs)
		if err == nil {
			err = n.CheckRoutes(host.Routes, nil)
		}
		if err != nil {
			info.Problem = strings.TrimPrefix(err.Error(), "network "+n.Name+": ")
		}
		list = append(list, info)
	}
	for _, b := range set.Broken {
		list = append(list, networkInfo{File: b.File, Shared: b.Foreign, Problem: strings.TrimPrefix(b.Err.Error(), b.File+": "), Pods: []networkPod{}})
	}
	return list, unreadable
}

func (r *realPods) NetworkReady(ctx context.Context, name string) error {
	set, _, err := loadNetworks(r.settings)
	if err != nil {
		return err
	}
	n, err := set.Find(name)
	if err != nil {
		return err
	}
	return n.Status(ctx, r.pluginDirs())
}

// joined are the running pods by the networks that they have joined.
func (r *realPods) joined() (map[string][]networkPod, error) {
	pods, err := r.store.List()
	if err != nil {
		return nil, err
	}
	joined := map[string][]networkPod{}
	for _, p := range pods {
		if p.State != podpkg.Running {
			continue
		}
		status, err := stageabi.ReadNetworkStatus(p.Dir())
		if err != nil {
			continue // it has none, is only starting, or has ended meanwhile
		}
		box, err := p.Sandbox()
		if err != nil {
			continue
		}
		ports := portTexts(status.Ports)
		for _, a := range status.Attachments {
			joined[a.Name] = append(joined[a.Name], networkPod{UUID: string(p.UUID), Interface: a.IfName, Addresses: a.Addresses, Ports: ports, Names: box.Network.Aliases})
		}
	}
	return joined, nil
}
