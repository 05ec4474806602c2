package unitgen

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/raket/raket/pkg/stageabi"
	"github.com/raket/raket/pkg/unitfile"
)

// ProxyPath is the program that passes on connections, in the pod's root.
const ProxyPath = "/usr/lib/systemd/systemd-socket-proxyd"

// socketUnit is one .socket unit of the pod: sockets of one app that are alike
// but for their addresses.
type socketUnit struct {
	name    string // of the unit, without its suffix
	sockets []stageabi.Socket
}

func (u socketUnit) first() stageabi.Socket { return u.sockets[0] }
func (u socketUnit) unit() string           { return u.name + ".socket" }

// service is the unit that the sockets are for.
func (u socketUnit) service() string {
	if u.first().Proxy != "" {
		return u.name + ".service"
	}
	return unitName(u.first().App)
}

// socketUnits puts sockets into units. A descriptor's name is the unit's, so that
// one unit has what has one name; its order is kept.
func socketUnits(sockets []stageabi.Socket) []socketUnit {
	type alike struct {
		app, name, proxy string
		given, onDemand  bool
	}
	var units []socketUnit
	at, count := map[alike]int{}, map[string]int{}
	for _, s := range sockets {
		key := alike{s.App, s.Name, s.Proxy, s.FD != 0, s.OnDemand}
		i, ok := at[key]
		if !ok {
			i = len(units)
			at[key] = i
			// With a dot in it, no app has the name.
			units = append(units, socketUnit{name: s.App + "." + strconv.Itoa(count[s.App])})
			count[s.App]++
		}
		units[i].sockets = append(units[i].sockets, s)
	}
	return units
}

// handed are an app's sockets: the units that it inherits them from, and how many
// descriptors it has to find.
func handed(p Pod, app string) (units []string, n int) {
	for _, u := range socketUnits(p.Sockets) {
		if u.first().App == app && u.first().Proxy == "" {
			units = append(units, u.unit())
			n += len(u.sockets)
		}
	}
	return units, n
}

// onDemand reports whether an app starts by its sockets alone.
func onDemand(p Pod, app string) bool {
	some := false
	for _, s := range p.Sockets {
		if s.App == app {
			if !s.OnDemand {
				return false
			}
			some = true
		}
	}
	return some
}

// socketFiles returns the units of the pod's sockets, and the names of those
// that start with the pod.
func socketFiles(p Pod) (files map[string]*unitfile.File, wanted []string, err error) {
	files = map[string]*unitfile.File{}
	for _, u := range socketUnits(p.Sockets) {
		f, err := socketFile(p, u)
		if err != nil {
			return nil, nil, err
		}
		files[u.unit()] = f
		s := u.first()
		if s.Proxy != "" {
			if files[u.service()], err = proxyFile(p, u); err != nil {
				return nil, nil, err
			}
		}
		switch {
		case s.OnDemand:
			wanted = append(wanted, u.unit())
		case s.Proxy != "":
			wanted = append(wanted, u.service())
		}
	}
	return files, wanted, nil
}

// GivenSockets are the units of sockets that the pod's systemd has from the host.
func GivenSockets(p Pod) []string {
	var given []string
	for _, u := range socketUnits(p.Sockets) {
		if u.first().FD != 0 {
			given = append(given, u.unit())
		}
	}
	return given
}

// socketFile renders one .socket unit.
//
// Nothing stops it: systemd accepts and closes what waits at a socket that is to be
// stopped, and the connections of a pod that is restarted have to wait for the
// next.
func socketFile(p Pod, u socketUnit) (*unitfile.File, error) {
	s := u.first()
	f := newUnit("Socket " + describe(s.Name) + " of " + s.App)
	if s.OnDemand && p.ExitPolicy != stageabi.ExitNone {
		f.Words("Wants", "apps.target")
	}
	f.Section("Socket")
	for _, s := range u.sockets {
		switch s.Kind {
		case stageabi.SocketStream:
			f.Set("ListenStream", s.Address)
		case stageabi.SocketDatagram:
			f.Set("ListenDatagram", s.Address)
		case stageabi.SocketSeqpacket:
			f.Set("ListenSequentialPacket", s.Address)
		default:
			return nil, fmt.Errorf("socket %q of app %s: of no kind that is known, %q", s.Name, s.App, s.Kind)
		}
	}
	f.Set("FileDescriptorName", s.Name)
	f.Units("Service", u.service())
	if s.FD != 0 {
		// A unit that has got its descriptors is never started. One that has not must
		// not open others in the pod's network, where nobody would connect to them.
		f.Exec("ExecStartPre", "", []string{"/bin/false"})
	}
	return f, nil
}

// proxyFile renders the service that passes the connections of an app's sockets on
// to where the app listens by itself.
func proxyFile(p Pod, u socketUnit) (*unitfile.File, error) {
	s := u.first()
	to, err := awaited(s.Proxy)
	if err != nil {
		return nil, fmt.Errorf("socket %q of app %s: %w", s.Name, s.App, err)
	}
	f := newUnit("Proxy of " + s.App)
	f.Words("Conflicts", "shutdown.target")
	f.Words("Before", "shutdown.target")
	if s.OnDemand {
		// It ends with the app, so that the next connection starts both.
		f.Units("BindsTo", unitName(s.App))
	} else {
		f.Units("Requires", unitName(s.App))
	}
	f.Units("After", unitName(s.App))
	if p.ExitPolicy == stageabi.ExitAnyFailed {
		f.Set("FailureAction", "exit")
		f.Set("FailureActionExitStatus", failedStatus)
	}
	f.Section("Service")
	f.Set("Type", "exec")
	f.Set("User", "65534") // nobody
	f.Set("CapabilityBoundingSet", "")
	f.Set("NoNewPrivileges", "yes")
	f.Units("Sockets", u.unit())
	// The app counts as started before it listens.
	f.Exec("ExecStartPre", "", []string{ExecPath, "-l", to})
	f.Exec("ExecStart", "", []string{ProxyPath, s.Proxy})
	output(f, Log{Mode: stageabi.LogNone}, s.App)
	return f, nil
}

// awaited is an address as exec reads it: its IP address in hexadecimal digits.
func awaited(address string) (string, error) {
	if strings.HasPrefix(address, "@") {
		return address, nil
	}
	ap, err := netip.ParseAddrPort(address)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%x:%d", ap.Addr().AsSlice(), ap.Port()), nil
}
