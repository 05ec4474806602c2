package cli

import (
	"context"
	"errors"
	"io/fs"
	"strings"

	podpkg "github.com/raket/raket/pkg/pod"
	"github.com/raket/raket/pkg/stageabi"
	"github.com/raket/raket/stage0/launch"
)

// showNetworks adds what a pod has joined. Where it has ended it has nothing any more.
func showNetworks(shown *pod, p *podpkg.Pod, mode string) error {
	switch {
	case mode == stageabi.NetHost:
		shown.Networks = []network{{Name: stageabi.NetHost}}
		return nil
	case mode != stageabi.NetCNI || p.State != podpkg.Running:
		return nil
	}
	status, err := stageabi.ReadNetworkStatus(p.Dir())
	if errors.Is(err, fs.ErrNotExist) {
		return nil // it is just joining them
	}
	if err != nil {
		return err
	}
	shown.Ports = status.Ports
	for _, a := range status.Attachments {
		shown.Networks = append(shown.Networks, network{
			Name: a.Name, IP: knownBy(a.Addresses), IfName: a.IfName, HostIf: a.HostIf, Addresses: a.Addresses, Gateways: a.Gateways, MAC: a.MAC,
		})
	}
	return nil
}

// knownBy is the first address of IPv4, or the first, without its prefix length.
func knownBy(addresses []string) string {
	first := ""
	for _, a := range addresses {
		ip, _, _ := strings.Cut(a, "/")
		if !strings.Contains(ip, ":") {
			return ip
		}
		if first == "" {
			first = ip
		}
	}
	return first
}

func (r *realPods) Verify(ctx context.Context, uuid string) error {
	p, err := r.find(uuid)
	if err != nil {
		return err
	}
	return launch.Verify(ctx, p)
}
