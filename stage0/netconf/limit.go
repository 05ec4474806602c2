package netconf

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/raket/raket/pkg/netrate"
)

// bandwidth is the capability to limit how fast a pod receives and sends, and the standard
// plugin that has it.
const bandwidth = "bandwidth"

// limit takes the limits out of a network's arguments, and sees to it that a plugin of its
// chain keeps them.
func (n *Network) limit(args [][2]string) (*netrate.Limits, [][2]string, error) {
	l, rest, err := netrate.Take(args)
	if err != nil {
		return nil, nil, fmt.Errorf("network %s: %w", n.Name, err)
	}
	if l == (netrate.Limits{}) {
		return nil, rest, nil
	}
	if i := slices.IndexFunc(n.Plugins, func(p Plugin) bool { return p.Limited }); i >= 0 {
		return nil, nil, &unusable{
			fmt.Sprintf("network %s has limits of its own, which its plugin %s keeps to", n.Name, n.Plugins[i].Type),
			`take them out of its file, and give the plugin "capabilities": {"bandwidth": true}`,
		}
	}
	if n.can(bandwidth) {
		return &l, rest, nil
	}
	if !n.passesHost() {
		return nil, nil, &unusable{
			fmt.Sprintf("network %s cannot limit how fast a pod is: none of its plugins has the capability %s, and its traffic does not pass through the host", n.Name, bandwidth),
			"limit another of the pod's networks, as --net=default:egressRate=8M",
		}
	}
	n.Plugins = append(slices.Clone(n.Plugins), Plugin{Type: bandwidth, Capabilities: []string{bandwidth}})
	return &l, rest, n.change(func(plugins []json.RawMessage) ([]json.RawMessage, error) {
		return append(plugins, mustMarshal(object{"type": bandwidth, "capabilities": object{bandwidth: true}})), nil
	})
}
