package cli

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/raket/raket/pkg/stageabi"
)

func TestPortsOfTheHostsSocketsAreNotPublished(t *testing.T) {
	port := func(protocol string, host, pod, count uint16) stageabi.Port {
		return stageabi.Port{Protocol: protocol, HostPort: host, PodPort: pod, Count: count}
	}
	at := func(ip string) stageabi.Port {
		p := port("tcp", 80, 8080, 1)
		p.HostIP = ip
		return p
	}
	socket := func(fd int, kind stageabi.SocketKind, address string) stageabi.Socket {
		return stageabi.Socket{FD: fd, Kind: kind, Address: address}
	}
	for name, tt := range map[string]struct {
		ports   []stageabi.Port
		sockets []stageabi.Socket
		want    []stageabi.Port
	}{
		"no sockets": {[]stageabi.Port{port("tcp", 80, 80, 1)}, nil, []stageabi.Port{port("tcp", 80, 80, 1)}},
		"the port of a socket": {
			[]stageabi.Port{port("tcp", 80, 8080, 1), port("udp", 80, 80, 1)}, []stageabi.Socket{socket(3, stageabi.SocketStream, "[::]:80")},
			[]stageabi.Port{port("udp", 80, 80, 1)},
		},
		"the port of a socket at another address": {
			[]stageabi.Port{at("0.0.0.0"), at("127.0.0.1"), at("::1")}, []stageabi.Socket{socket(3, stageabi.SocketStream, "[::1]:80")},
			[]stageabi.Port{at("0.0.0.0"), at("127.0.0.1")},
		},
		"the port of a socket at all addresses": {
			[]stageabi.Port{at("0.0.0.0"), at("127.0.0.1"), at("::1")}, []stageabi.Socket{socket(3, stageabi.SocketStream, "[::]:80")}, nil,
		},
		"the port of a socket at all of IPv4": {
			[]stageabi.Port{at("127.0.0.1"), at("::1")}, []stageabi.Socket{socket(3, stageabi.SocketStream, "0.0.0.0:80")}, []stageabi.Port{at("::1")},
		},
		"one that is picked is no socket's": {
			[]stageabi.Port{port("tcp", 0, 80, 1)}, []stageabi.Socket{socket(3, stageabi.SocketStream, "[::]:80")}, []stageabi.Port{port("tcp", 0, 80, 1)},
		},
		"one within a range": {
			[]stageabi.Port{port("udp", 5000, 6000, 10)}, []stageabi.Socket{socket(3, stageabi.SocketDatagram, "0.0.0.0:5003"), socket(4, stageabi.SocketDatagram, "0.0.0.0:5009")},
			[]stageabi.Port{port("udp", 5000, 6000, 3), port("udp", 5004, 6004, 5)},
		},
		"sockets that the pod opens itself, and others": {
			[]stageabi.Port{port("tcp", 80, 80, 1)}, []stageabi.Socket{socket(0, stageabi.SocketStream, "[::]:80"), socket(3, stageabi.SocketStream, "/run/x")},
			[]stageabi.Port{port("tcp", 80, 80, 1)},
		},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, notInherited(tt.ports, tt.sockets)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestWhatNeedsANetworkIsRefusedWithout(t *testing.T) {
	same := stageabi.Port{Protocol: "tcp", HostPort: 80, PodPort: 80, Count: 1}
	other := stageabi.Port{Protocol: "tcp", HostPort: 8080, PodPort: 80, Count: 1}
	for name, tt := range map[string]struct {
		mode    string
		ports   []stageabi.Port
		aliases []string
		want    string
	}{
		"the same port on the host's network": {"host", []stageabi.Port{same}, nil, ""},
		"another port":                        {"host", []stageabi.Port{other}, nil, "port 8080:80/tcp: with --net=host the app's port 80 is the host's"},
		"a port of nowhere":                   {"none", []stageabi.Port{same}, nil, "port 80:80/tcp: a pod with --net=none can be reached from nowhere"},
		"a name":                              {"none", nil, []string{"db"}, "--net-alias needs a network that the pod joins"},
		"nothing":                             {"none", nil, nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			err := withoutNetworks(tt.mode, tt.ports, tt.aliases)
			if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}
