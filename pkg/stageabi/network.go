package stageabi

import (
	"encoding/json"
	"os"
	"path/filepath"
)

// Network says what network namespace a pod has. stage0 resolves everything into
// it: a stage1 reads no configuration.
type Network struct {
	Mode string `json:"mode"` // NetHost, NetNone or NetCNI
	// Attachments are the networks of NetCNI, in the order in which they are joined.
	Attachments []Attachment `json:"attachments,omitempty"`
	// Ports are published on the host by the networks of NetCNI.
	Ports []Port `json:"ports,omitempty"`
	// Aliases are names by which other pods of the host find this one.
	Aliases []string `json:"aliases,omitempty"`
	// PluginDirs are absolute; CNI plugins are searched in them, in order.
	PluginDirs []string `json:"pluginDirs,omitempty"`
	// StateDir is the absolute directory in which a stage1 keeps what it has to know to
	// undo a pod's networks when nothing else of the pod is left. It survives reboots,
	// and stage1 images of all versions share it.
	StateDir string `json:"stateDir,omitempty"`
	// CompleteHosts has the pod's addresses added to Sandbox.Hosts, with its host name
	// and Aliases.
	CompleteHosts bool `json:"completeHosts,omitempty"`
	// CompleteDNS has what the networks say about DNS replace Sandbox.ResolvConf, or
	// stand where there is none. Where they say nothing it stays as it is.
	CompleteDNS bool `json:"completeDNS,omitempty"`
}

// Modes of Network.
const (
	NetHost = "host" // the host's network namespace
	NetNone = "none" // one of its own, with a loopback interface alone
	NetCNI  = "cni"  // one of its own, with the interfaces that CNI plugins make
)

// Attachment is a network that a pod joins.
type Attachment struct {
	Name   string `json:"name"`   // of the network
	IfName string `json:"ifName"` // in the pod: "eth0", …
	// Config is a complete CNI network configuration list.
	Config json.RawMessage `json:"config"`
	// Args are CNI_ARGS: names and values.
	Args [][2]string `json:"args,omitempty"`
	// Capabilities are the values of runtimeConfig: "ips", "mac", "bandwidth", "dns",
	// "aliases", … Each plugin gets those that it says it is capable of. "portMappings"
	// is made of Ports.
	Capabilities map[string]json.RawMessage `json:"capabilities,omitempty"`
}

// Port is a range of ports that a pod publishes on the host.
type Port struct {
	Name     string `json:"name,omitempty"` // of the app's port, for people
	Protocol string `json:"protocol"`       // "tcp", "udp" or "sctp"
	HostIP   string `json:"hostIP,omitempty"`
	// HostPort is 0 in a prepared pod, and there alone, if it is picked when the pod starts.
	HostPort uint16 `json:"hostPort"`
	PodPort  uint16 `json:"podPort"`
	Count    uint16 `json:"count"` // of ports from these on; 1 or more
}

// NetworkFile is in a pod's directory: NetworkStatus, written by Run.
const NetworkFile = "network.json"

// NetworkStatus is what came of a pod's networks. It stays when the pod has ended.
type NetworkStatus struct {
	Attachments []Attached `json:"attachments,omitempty"` // in the order of Network.Attachments
	Ports       []Port     `json:"ports,omitempty"`
}

// Attached is a network that a pod has joined.
type Attached struct {
	Name      string   `json:"name"`
	IfName    string   `json:"ifName"`
	HostIf    string   `json:"hostIf,omitempty"`    // the host's end, where there is one
	Addresses []string `json:"addresses,omitempty"` // ADDRESS/BITS, in the plugin's order
	Gateways  []string `json:"gateways,omitempty"`
	MAC       string   `json:"mac,omitempty"`
	Routes    []Route  `json:"routes,omitempty"`
	DNS       DNS      `json:"dns,omitzero"`
	// Result is the CNI result as the last plugin gave it.
	Result json.RawMessage `json:"result,omitempty"`
}

// Route is a route of a pod's.
type Route struct {
	To      string `json:"to"` // ADDRESS/BITS
	Gateway string `json:"gateway,omitempty"`
}

// DNS is what a network says about names, as CNI has it.
type DNS struct {
	Nameservers []string `json:"nameservers,omitempty"`
	Domain      string   `json:"domain,omitempty"`
	Search      []string `json:"search,omitempty"`
	Options     []string `json:"options,omitempty"`
}

// ReadNetworkStatus reads NetworkFile. The error wraps fs.ErrNotExist for a pod without
// such networks, or one that has not been started.
func ReadNetworkStatus(dir string) (NetworkStatus, error) {
	var s NetworkStatus
	err := readJSON(filepath.Join(dir, NetworkFile), &s)
	return s, err
}

// WriteNetworkStatus writes NetworkFile, in one step.
func WriteNetworkStatus(dir string, s NetworkStatus) error {
	b, err := json.Marshal(s)
	if err != nil {
		return err
	}
	tmp := filepath.Join(dir, ".tmp-"+NetworkFile)
	if err := os.WriteFile(tmp, append(b, '\n'), 0o644); err != nil {
		return err
	}
	return os.Rename(tmp, filepath.Join(dir, NetworkFile))
}
