package podmanifest

import (
	"cmp"
	"fmt"
	"net"
	"net/netip"
	"strconv"

	"github.com/appc/spec/schema/types"

	"github.com/raket/raket/pkg/podport"
)

// maxPort is the last port there is.
const maxPort = 65535

// NewPort writes a published port as appc has it. appc wants a name for each: one without is
// called after the port of the host, or after the pod's where that of the host is to be picked.
func NewPort(f podport.Flag) (Port, error) {
	name := f.Name
	if name == "" {
		name = strconv.Itoa(int(cmp.Or(f.HostPort, f.PodPort))) + "-" + f.Protocol
	}
	acName, err := types.NewACName(name)
	if err != nil {
		return Port{}, fmt.Errorf("port %s: %w", f, err)
	}
	p := Port{Name: *acName, HostPort: uint(f.HostPort)}
	if f.HostIP.IsValid() {
		p.HostIP = net.IP(f.HostIP.AsSlice())
	}
	if f.Protocol != "" {
		p.PodPort = &types.Port{Name: *acName, Protocol: f.Protocol, Port: uint(f.PodPort), Count: uint(f.Count)}
	}
	return p, nil
}

// PortFlag reads a published port of a manifest that Check has passed.
func PortFlag(p Port) podport.Flag {
	f := podport.Flag{Name: p.Name.String(), HostPort: uint16(p.HostPort)}
	if ip, ok := netip.AddrFromSlice(p.HostIP); ok {
		f.HostIP = ip.Unmap()
	}
	if p.PodPort != nil {
		f.Protocol, f.PodPort, f.Count = p.PodPort.Protocol, uint16(p.PodPort.Port), uint16(max(p.PodPort.Count, 1))
	}
	return f
}

func checkPort(p Port) error {
	if p.HostPort > maxPort {
		return fmt.Errorf("hostPort: %d is not 1 to 65535, or 0 for a free one", p.HostPort)
	}
	if len(p.HostIP) != 0 && len(p.HostIP) != net.IPv4len && len(p.HostIP) != net.IPv6len {
		return fmt.Errorf("hostIP: %q is no address", p.HostIP)
	}
	if p.PodPort == nil {
		return nil
	}
	switch pod := p.PodPort; {
	case pod.Port == 0 || pod.Port > maxPort:
		return fmt.Errorf("podPort.port: %d is not 1 to 65535", pod.Port)
	case pod.Count > maxPort || pod.Port+pod.Count > maxPort+1 || p.HostPort+pod.Count > maxPort+1:
		return fmt.Errorf("podPort.count: %d ports end beyond 65535", pod.Count)
	case pod.Protocol != "tcp" && pod.Protocol != "udp" && pod.Protocol != "sctp":
		return fmt.Errorf("podPort.protocol: %q is none of tcp, udp and sctp", pod.Protocol)
	}
	return nil
}
