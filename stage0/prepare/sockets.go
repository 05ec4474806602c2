package prepare

import (
	"fmt"

	"github.com/raket/raket/pkg/appspec"
	"github.com/raket/raket/pkg/podmanifest"
	"github.com/raket/raket/pkg/podsocket"
	"github.com/raket/raket/pkg/stageabi"
)

// maxActivated bounds the sockets that an image has opened for it.
const maxActivated = 256

// activated are the sockets that an image's socketActivated ports ask for. Where
// the pod manifest gives such a port another number on the host, the host's
// socket has that.
func activated(ports []appspec.Port, manifest *podmanifest.Manifest) ([]string, error) {
	var sockets []string
	for _, p := range ports {
		if !p.SocketActivated {
			continue
		}
		if p.Protocol != "tcp" && p.Protocol != "udp" {
			return nil, fmt.Errorf("port %s: socketActivated is for tcp and udp, not for %s", p.Name, p.Protocol)
		}
		if len(sockets)+int(p.Count) > maxActivated {
			return nil, fmt.Errorf("port %s: more than %d ports are socketActivated", p.Name, maxActivated)
		}
		first := int(p.Port)
		for _, exposed := range manifest.Ports {
			if exposed.Name.String() == p.Name && exposed.HostPort != 0 {
				first = int(exposed.HostPort)
			}
		}
		for i := range int(p.Count) {
			sockets = append(sockets, podsocket.Activated(p.Protocol, first+i, p.Name))
		}
	}
	return sockets, nil
}

// addSockets writes into the pod's description what its apps ask for, and reports
// whether that is anything.
func addSockets(s *stageabi.Sandbox, apps []app) (wanted bool) {
	for i := range apps {
		s.Apps[i].Sockets = apps[i].sockets
		wanted = wanted || len(apps[i].sockets) > 0
	}
	return wanted
}
