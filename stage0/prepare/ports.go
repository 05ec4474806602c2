package prepare

import (
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

// published are the ports of the manifest, with the numbers that the images say.
func published(apps []app, manifest *podmanifest.Manifest) ([]stageabi.Port, error) {
	var flags []podport.Flag
	for _, p := range manifest.Ports {
		flags = append(flags, podmanifest.PortFlag(p))
	}
	if len(flags) == 0 {
		return nil, nil
	}
	var named []podport.Named
	for _, a := range apps {
		for _, p := range a.ports {
			named = append(named, podport.Named{App: a.name, Name: p.Name, Protocol: p.Protocol, Port: p.Port, Count: p.Count, Activated: p.SocketActivated})
		}
	}
	return podport.Resolve(flags, named)
}
