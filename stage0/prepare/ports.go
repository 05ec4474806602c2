package prepare

import (
	"slices"

	"github.com/raket/raket/pkg/podmanifest"
	"github.com/raket/raket/pkg/podport"
	"github.com/raket/raket/pkg/stageabi"
)

// publish are the ports that flags ask for, as the manifest has them.
func publish(flags []podport.Flag) ([]podmanifest.Port, error) {
	var ports []podmanifest.Port
	for _, f := range flags {
		p, err := podmanifest.NewPort(f)
		if err != nil {
			return nil, err
		}
		ports = append(ports, p)
	}
	return ports, nil
}

// publishAll adds to the manifest's ports those that images name and nobody publishes: each by a
// port of the host that is picked.
func publishAll(apps []app, manifest *podmanifest.Manifest) error {
	have, err := published(apps, manifest)
	if err != nil {
		return err
	}
	has := func(protocol string, port uint16) bool {
		return slices.ContainsFunc(have, func(p stageabi.Port) bool {
			return p.Protocol == protocol && port >= p.PodPort && port-p.PodPort < p.Count
		})
	}
	for _, n := range named(apps) {
		for i := range n.Count {
			port := n.Port + i
			if has(n.Protocol, port) {
				continue
			}
			p, err := podmanifest.NewPort(podport.Flag{Name: n.Name, Protocol: n.Protocol, PodPort: port, Count: 1})
			if err != nil {
				return err
			}
			manifest.Ports = append(manifest.Ports, p)
			have = append(have, stageabi.Port{Protocol: n.Protocol, PodPort: port, Count: 1})
		}
	}
	return nil
}

// named are the ports that the apps' images name.
func named(apps []app) []podport.Named {
	var list []podport.Named
	for _, a := range apps {
		for _, p := range a.ports {
			list = append(list, podport.Named{App: a.name, Name: p.Name, Protocol: p.Protocol, Port: p.Port, Count: p.Count, Activated: p.SocketActivated})
		}
	}
	return list
}

// published are the ports of the manifest, with the numbers that the images say.
func published(apps []app, manifest *podmanifest.Manifest) ([]stageabi.Port, error) {
	var flags []podport.Flag
	for _, p := range manifest.Ports {
		flags = append(flags, podmanifest.PortFlag(p))
	}
	if len(flags) == 0 {
		return nil, nil
	}
	return podport.Resolve(flags, named(apps))
}
