package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"strings"

	"github.com/raket/raket/pkg/stageabi"
	"github.com/raket/raket/stage0/cli/appargs"
)

// upstreamPath is where systemd-resolved says which servers it asks itself, in the form
// of resolv.conf(5).
const upstreamPath = "/run/systemd/resolve/resolv.conf"

// saidDNS reports whether anything was said about names.
func saidDNS(o appargs.RunOptions) bool {
	return len(o.DNS)+len(o.DNSSearch)+len(o.DNSOpt) > 0 || o.DNSDomain != ""
}

// hostResolvConf is the host's resolv.conf as it is of use to a pod: with a network of its own
// the pod reaches no server on the host's loopback, and none that is named with an interface of
// the host's. Of systemd-resolved those that it asks itself are taken. No such server: none
// is in the text, and ok is false.
func hostResolvConf(mode string, host readFile) (text string, ok bool, err error) {
	if text, err = host(resolvConfPath); err != nil {
		return "", false, err
	}
	if mode == stageabi.NetHost || mode == stageabi.NetNone {
		return text, true, nil
	}
	if text, ok = reachable(text); ok {
		return text, true, nil
	}
	upstream, err := host(upstreamPath)
	if errors.Is(err, fs.ErrNotExist) {
		return text, false, nil
	}
	if err != nil {
		return "", false, err
	}
	text, ok = reachable(upstream)
	return text, ok, nil
}

// reachable leaves out the servers that no pod reaches, and comments, which would say
// something else.
func reachable(text string) (string, bool) {
	var out strings.Builder
	found := false
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		switch {
		case len(f) == 0 || strings.HasPrefix(f[0], "#") || strings.HasPrefix(f[0], ";"):
			continue
		case f[0] == "nameserver":
			if len(f) < 2 || !reachableServer(f[1]) {
				continue
			}
			found = true
		}
		out.WriteString(strings.Join(f, " ") + "\n")
	}
	return out.String(), found
}

func reachableServer(s string) bool {
	ip, err := netip.ParseAddr(s)
	return err == nil && ip.Zone() == "" && !ip.IsLoopback() && !ip.IsUnspecified() && !ip.IsLinkLocalUnicast()
}

// noServers is a host whose name servers are of no use to a pod.
func noServers() error {
	return &fault{
		err:  fmt.Errorf("no name server in %s can be reached from a network of the pod's own", resolvConfPath),
		hint: "--dns=ADDRESS names one, --dns=none leaves the images' files",
	}
}
