package config

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

const maxNamedHosts = 4096

// setHosts checks names of hosts, and that nothing else of the layer has set them.
func (l *layer) setHosts(d document, key string, names []string) ([]string, error) {
	if len(names) > maxNamedHosts {
		return nil, fmt.Errorf("key %q: has more than %d hosts", key, maxNamedHosts)
	}
	hosts := make([]string, len(names))
	for i, name := range names {
		host := strings.ToLower(name)
		if !isHost(host) {
			return nil, fmt.Errorf("key %q: %q is not a host or host:port", key, name)
		}
		if err := l.set(d.kind+"."+key+"."+host, d.path); err != nil {
			return nil, fmt.Errorf("key %q: %q: %w", key, name, err)
		}
		hosts[i] = host
	}
	return hosts, nil
}

// isHost knows a host or host:port as a URL has it (RFC 3986, section 3.2.2,
// without user information), in lower case.
func isHost(s string) bool {
	const maxHost = 253
	if i := strings.LastIndexByte(s, ':'); i >= 0 && !strings.HasSuffix(s, "]") {
		if n, err := strconv.ParseUint(s[i+1:], 10, 16); err != nil || n == 0 {
			return false
		}
		s = s[:i]
	}
	if inner, ok := strings.CutPrefix(s, "["); ok {
		inner, ok = strings.CutSuffix(inner, "]")
		addr, err := netip.ParseAddr(inner)
		return ok && err == nil && addr.Is6() && addr.Zone() == ""
	}
	if len(s) > maxHost {
		return false
	}
	for label := range strings.SplitSeq(s, ".") {
		if label == "" || strings.Trim(label, "abcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
			return false
		}
	}
	return true
}
