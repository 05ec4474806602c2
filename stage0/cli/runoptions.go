package cli

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/raket/raket/pkg/stageabi"
	"github.com/raket/raket/stage0/cli/appargs"
)

// readFile reads a small file of the host.
type readFile func(path string) (string, error)

const (
	hostsPath      = "/etc/hosts"
	resolvConfPath = "/etc/resolv.conf"
)

// addRunOptions completes a pod's description, whose network is known, with what is decided
// at its start.
func addRunOptions(box *stageabi.Sandbox, o appargs.RunOptions, host readFile) error {
	if o.Interactive {
		if n := len(box.Apps); n != 1 {
			return fmt.Errorf("--interactive is for pods of one app, this one has %d", n)
		}
		box.Interactive = true
	}
	if o.Hostname != "" {
		box.Hostname = o.Hostname
	}
	if box.Metadata != nil {
		var err error
		if box.Metadata.Address, err = metadataAddress(box.UUID, box.Network.Mode, canListen); err != nil {
			return err
		}
	}
	hosts, err := hostsText(box.Hostname, box.Network.CompleteHosts, o, host)
	if err != nil {
		return err
	}
	box.Hosts = &hosts
	box.ResolvConf, err = resolvConfText(box.Network.Mode, o, host)
	return err
}

// hostsText is the apps' /etc/hosts (hosts(5)). A pod whose stage1 completes it has its host
// name there with its addresses.
func hostsText(hostname string, completed bool, o appargs.RunOptions, host readFile) (string, error) {
	text := "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n"
	if !completed {
		text += "127.0.1.1\t" + hostname + "\n"
	}
	if o.HostsFromHost {
		var err error
		if text, err = host(hostsPath); err != nil {
			return "", fmt.Errorf("take /etc/hosts from the host: %w", err)
		}
		if text != "" && !strings.HasSuffix(text, "\n") {
			text += "\n"
		}
	}
	for _, h := range o.Hosts {
		text += h.IP + "\t" + strings.Join(h.Names, " ") + "\n"
	}
	return text, nil
}

// resolvConfText is the apps' /etc/resolv.conf (resolv.conf(5)), or nil to leave
// the images' own: with none, and where nothing was said and the pod has no
// network to ask on.
func resolvConfText(mode string, o appargs.RunOptions, host readFile) (*string, error) {
	said := saidDNS(o)
	switch {
	case slices.Contains(o.DNS, "none"):
		return nil, nil
	case slices.Contains(o.DNS, "host"), !said && mode != stageabi.NetNone:
		text, ok, err := hostResolvConf(mode, host)
		if errors.Is(err, fs.ErrNotExist) && !said {
			return nil, nil
		}
		if err != nil {
			return nil, fmt.Errorf("take /etc/resolv.conf from the host: %w", err)
		}
		if !ok && said {
			return nil, noServers()
		}
		if !ok {
			return nil, nil // the networks may know some
		}
		return &text, nil
	case !said:
		return nil, nil
	}
	var b strings.Builder
	if o.DNSDomain != "" {
		fmt.Fprintf(&b, "domain %s\n", o.DNSDomain)
	}
	if len(o.DNSSearch) > 0 {
		fmt.Fprintf(&b, "search %s\n", strings.Join(o.DNSSearch, " "))
	}
	for _, server := range o.DNS {
		fmt.Fprintf(&b, "nameserver %s\n", server)
	}
	if len(o.DNSOpt) > 0 {
		fmt.Fprintf(&b, "options %s\n", strings.Join(o.DNSOpt, " "))
	}
	text := b.String()
	return &text, nil
}

// hostFiles reads files of this host, of a bounded size.
func hostFiles() readFile {
	const most = 1 << 20
	return func(path string) (string, error) {
		f, err := os.Open(path)
		if err != nil {
			return "", err
		}
		defer f.Close()
		raw, err := io.ReadAll(io.LimitReader(f, most+1))
		if err == nil && len(raw) > most {
			err = fmt.Errorf("%s is larger than %d KiB", path, most>>10)
		}
		return string(raw), err
	}
}
