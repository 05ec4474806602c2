package netconf

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/raket/raket/pkg/boundedfile"
)

// DetectHost looks at this host.
func DetectHost() Host {
	h := Host{NFTables: hasProgram("nft"), IPTables: hasProgram("iptables"), IPv6: ipv6(), Routes: routes()}
	const machineIDBytes = 256
	if id, err := boundedfile.Read("/etc/machine-id", machineIDBytes); err == nil {
		h.MachineID = strings.TrimSpace(string(id))
	}
	// The control group of a running service, on any layout; asking the bus takes longer.
	for _, dir := range []string{"/sys/fs/cgroup", "/sys/fs/cgroup/systemd", "/sys/fs/cgroup/unified"} {
		h.Firewalld = h.Firewalld || exists(filepath.Join(dir, "system.slice/firewalld.service"))
	}
	return h
}

func hasProgram(name string) bool {
	_, err := exec.LookPath(name)
	return err == nil
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// ipv6 reports whether new interfaces of this host have IPv6.
func ipv6() bool {
	off, err := os.ReadFile("/proc/sys/net/ipv6/conf/all/disable_ipv6")
	return err == nil && strings.TrimSpace(string(off)) == "0"
}

// PluginDirs are where CNI plugins are searched, in order: the configured directories,
// those that come with raket, beside this program as built and as installed, and those of
// other programs.
func PluginDirs(configured []string) []string {
	dirs := append([]string(nil), configured...)
	if self, err := os.Executable(); err == nil {
		if real, err := filepath.EvalSymlinks(self); err == nil {
			self = real
		}
		bin := filepath.Dir(self)
		dirs = append(dirs, filepath.Join(bin, "cni"), filepath.Join(filepath.Dir(bin), "lib", "raket", "cni"))
	}
	return append(dirs, "/usr/lib/raket/cni", "/opt/cni/bin", "/usr/lib/cni", "/usr/libexec/cni")
}

// FindPlugin returns the path of a plugin, or "" where no directory has it.
func FindPlugin(name string, dirs []string) string {
	for _, dir := range dirs {
		path := filepath.Join(dir, name)
		if st, err := os.Stat(path); err == nil && st.Mode().IsRegular() && st.Mode()&0o111 != 0 {
			return path
		}
	}
	return ""
}

// WithinStage1 reports whether a plugin is no program, but a part of raket's stage1.
func WithinStage1(plugin string) bool { return plugin == masquerade || plugin == forward }

// Missing are the plugins of a network that no directory has.
func (n Network) Missing(dirs []string) []string {
	var missing []string
	for _, name := range n.PluginNames() {
		if !WithinStage1(name) && FindPlugin(name, dirs) == "" {
			missing = append(missing, name)
		}
	}
	return missing
}

// PluginNames are the plugins of the chain, with those that hand out addresses.
func (n Network) PluginNames() []string {
	var names []string
	for _, p := range n.Plugins {
		names = append(names, p.Type)
		if p.IPAM != "" {
			names = append(names, p.IPAM)
		}
	}
	return names
}

// Check says what the host lacks for a network.
func (n Network) Check(dirs []string) error {
	if missing := n.Missing(dirs); len(missing) > 0 {
		return &unusable{
			fmt.Sprintf("network %s: no plugin %s in %s", n.Name, strings.Join(missing, ", "), strings.Join(dirs, ", ")),
			"install CNI's plugins there (Debian: apt install containernetworking-plugins), or take another network: raket network list",
		}
	}
	for _, p := range n.Plugins {
		if err := p.checkDaemon(n.Name, dirs); err != nil {
			return err
		}
		program := map[string]string{"nftables": "nft", "iptables": "iptables"}[p.Backend]
		if program != "" && !hasProgram(program) {
			return &unusable{
				fmt.Sprintf("network %s: its plugin %s needs %s, which is not installed", n.Name, p.Type, program),
				"Debian: apt install " + p.Backend,
			}
		}
	}
	return nil
}
