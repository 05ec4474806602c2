package podport

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/raket/raket/pkg/stageabi"
)

// MaxPublished bounds how many ports of the host one pod takes: each is held open for as long
// as the pod lives.
const MaxPublished = 512

// Named is a port that an app has a name for.
type Named struct {
	App, Name, Protocol string
	Port, Count         uint16
	// Activated ports are opened by the pod's init or the host's, at the number that
	// the host has.
	Activated bool
}

// unknown is a name that no app has.
type unknown struct{ what, hint string }

func (e *unknown) Error() string { return e.what }
func (e *unknown) Hint() string  { return e.hint }

// Resolve says which ports are published, given what the apps call theirs. Of a range without
// ports of the host each one is picked by itself.
func Resolve(flags []Flag, named []Named) ([]stageabi.Port, error) {
	var ports []stageabi.Port
	total := 0
	for _, f := range flags {
		p, err := f.resolve(named)
		if err != nil {
			return nil, err
		}
		if int(p.HostPort)+int(p.Count) > 1<<16 || int(p.PodPort)+int(p.Count) > 1<<16 {
			return nil, fmt.Errorf("port %s: a range of %d ports ends beyond 65535", f, p.Count)
		}
		for _, other := range ports {
			if Overlap(p, other) {
				return nil, fmt.Errorf("ports %s and %s are the same on the host", Text(other), Text(p))
			}
		}
		if total += int(p.Count); total > MaxPublished {
			return nil, fmt.Errorf("more than %d ports are published", MaxPublished)
		}
		ports = append(ports, apart(p)...)
	}
	return ports, nil
}

// apart takes a range whose ports of the host are to be picked into single ones.
func apart(p stageabi.Port) []stageabi.Port {
	if p.HostPort != 0 {
		return []stageabi.Port{p}
	}
	var each []stageabi.Port
	for i := range p.Count {
		one := p
		one.PodPort, one.Count = p.PodPort+i, 1
		each = append(each, one)
	}
	return each
}

func (f Flag) resolve(named []Named) (stageabi.Port, error) {
	p := stageabi.Port{Name: f.Name, Protocol: f.Protocol, HostPort: f.HostPort, PodPort: f.PodPort, Count: f.Count}
	if f.HostIP.IsValid() {
		p.HostIP = f.HostIP.String()
	}
	if f.Protocol != "" {
		// A port that is also the host's to open is open at the host's number.
		for _, n := range named {
			if n.Activated && n.Protocol == p.Protocol && n.Name == p.Name && p.Name != "" && p.HostPort != 0 {
				p.PodPort = p.HostPort
			}
		}
		return p, nil
	}
	var match *Named
	for i, n := range named {
		switch {
		case n.Name != f.Name:
		case match != nil && (match.Port != n.Port || match.Protocol != n.Protocol || match.Count != n.Count):
			return p, fmt.Errorf("port %q is %d/%s of app %s and %d/%s of app %s: publish it by its number",
				f.Name, match.Port, match.Protocol, match.App, n.Port, n.Protocol, n.App)
		default:
			match = &named[i]
		}
	}
	if match == nil {
		return p, notNamed(f, named)
	}
	p.Protocol, p.PodPort, p.Count = match.Protocol, match.Port, match.Count
	if match.Activated && p.HostPort != 0 {
		p.PodPort = p.HostPort
	}
	return p, nil
}

func notNamed(f Flag, named []Named) error {
	hint := "publish it by its number, as --port=PODPORT"
	if f.HostPort != 0 {
		hint = fmt.Sprintf("publish it by its number, as --port=%d:PODPORT", f.HostPort)
	}
	if len(named) == 0 {
		return &unknown{fmt.Sprintf("no app has a port named %q, the images name none", f.Name), hint}
	}
	var names []string
	for _, n := range named {
		names = append(names, n.Name)
	}
	slices.Sort(names)
	return &unknown{fmt.Sprintf("no app has a port named %q: there are %s", f.Name, strings.Join(slices.Compact(names), ", ")), hint}
}

// Overlap reports whether two published ports take the same port of the host. One that is to be
// picked takes none yet.
func Overlap(a, b stageabi.Port) bool {
	if a.HostPort == 0 || b.HostPort == 0 || a.Protocol != b.Protocol || int(a.HostPort)+int(a.Count) <= int(b.HostPort) || int(b.HostPort)+int(b.Count) <= int(a.HostPort) {
		return false
	}
	return overlapIP(a.HostIP, b.HostIP)
}

// overlapIP knows that no address is all of them, and the unspecified ones all of a family.
func overlapIP(a, b string) bool {
	if a == "" || b == "" || a == b {
		return true
	}
	ipA, errA := netip.ParseAddr(a)
	ipB, errB := netip.ParseAddr(b)
	if errA != nil || errB != nil || ipA.Is4() != ipB.Is4() {
		return false
	}
	return ipA == ipB || ipA.IsUnspecified() || ipB.IsUnspecified()
}
