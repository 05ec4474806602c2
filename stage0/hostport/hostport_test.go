package hostport

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/raket/raket/pkg/podport"
	"github.com/raket/raket/pkg/stageabi"
)

// free is a port that nobody has, of a protocol at an address.
func free(t *testing.T, network, ip string) uint16 {
	t.Helper()
	if network == "udp" {
		c, err := net.ListenPacket(network, net.JoinHostPort(ip, "0"))
		if err != nil {
			t.Skip(err)
		}
		defer c.Close()
		return c.LocalAddr().(*net.UDPAddr).AddrPort().Port()
	}
	l, err := net.Listen(network, net.JoinHostPort(ip, "0"))
	if err != nil {
		t.Skip(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).AddrPort().Port()
}

func listens(network, address string) error {
	if network == "udp" {
		c, err := net.ListenPacket(network, address)
		if err == nil {
			c.Close()
		}
		return err
	}
	l, err := net.Listen(network, address)
	if err == nil {
		l.Close()
	}
	return err
}

func TestHeldPortsAreRefusedToOthers(t *testing.T) {
	for _, network := range []string{"tcp", "udp"} {
		for _, tt := range []struct {
			hostIP      string
			taken, free string // where others try
		}{
			{"", "127.0.0.1", ""},
			{"", "[::1]", ""},
			{"127.0.0.1", "127.0.0.1", "127.0.0.2"},
			{"0.0.0.0", "127.0.0.1", "[::1]"},
			{"::1", "[::1]", "127.0.0.1"},
			{"192.0.2.7", "0.0.0.0", "127.0.0.1"}, // an address that the host lacks
		} {
			t.Run(network+" "+tt.hostIP+" "+tt.taken, func(t *testing.T) {
				port := free(t, network, "")
				p := stageabi.Port{Protocol: network, HostIP: tt.hostIP, HostPort: port, PodPort: 80, Count: 1}
				if _, err := Hold([]stageabi.Port{p}); err != nil {
					t.Fatal(err)
				}
				if err := listens(network, fmt.Sprintf("%s:%d", tt.taken, port)); err == nil {
					t.Error("another had it too")
				}
				if tt.free != "" {
					if err := listens(network, fmt.Sprintf("%s:%d", tt.free, port)); err != nil {
						t.Error(err)
					}
				}
				var taken *Taken
				if _, err := Hold([]stageabi.Port{p}); !errors.As(err, &taken) {
					t.Errorf("held twice: %v", err)
				}
				if network == "tcp" {
					if c, err := net.Dial("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(int(port)))); err == nil {
						c.Close()
						t.Error("somebody listens")
					}
				}
			})
		}
	}
}

func TestFreePortsAreFoundAndHeld(t *testing.T) {
	taken := free(t, "tcp", "")
	want := []stageabi.Port{
		{Protocol: "tcp", PodPort: 80, Count: 1},
		{Protocol: "tcp", PodPort: 81, Count: 1},
		{Protocol: "udp", PodPort: 53, Count: 1},
		{Protocol: "tcp", HostIP: "127.0.0.1", PodPort: 80, Count: 1},
		{Protocol: "udp", HostIP: "192.0.2.7", PodPort: 53, Count: 1}, // an address that the host lacks
		{Protocol: "tcp", HostPort: taken, PodPort: 82, Count: 1},
	}
	got, err := Hold(want)
	if err != nil {
		t.Fatal(err)
	}
	for i, p := range got {
		if p.HostPort == 0 {
			t.Fatalf("none for %v", want[i])
		}
		at := p.HostIP
		if at == "" {
			at = "127.0.0.1"
		}
		if err := listens(p.Protocol, fmt.Sprintf("%s:%d", at, p.HostPort)); err == nil {
			t.Errorf("another had %d/%s too", p.HostPort, p.Protocol)
		}
		for _, other := range got[:i] {
			if podport.Overlap(p, other) {
				t.Errorf("%d/%s is there twice", p.HostPort, p.Protocol)
			}
		}
		p.HostPort, want[i].HostPort = 0, 0
		if p != want[i] {
			t.Errorf("%v became %v", want[i], p)
		}
	}
}

func TestWhoHasAPortIsNamed(t *testing.T) {
	name, err := os.ReadFile("/proc/self/comm")
	if err != nil {
		t.Fatal(err)
	}
	me := fmt.Sprintf("%s (process %d)", strings.TrimSpace(string(name)), os.Getpid())
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c, err := net.ListenPacket("udp", "[::]:0")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	tcp, udp := l.Addr().(*net.TCPAddr).AddrPort().Port(), c.LocalAddr().(*net.UDPAddr).AddrPort().Port()
	for _, tt := range []struct {
		port stageabi.Port
		want string
	}{
		{stageabi.Port{Protocol: "tcp", HostPort: tcp - 1, PodPort: 1, Count: 3}, fmt.Sprintf("port %d/tcp of the host is taken by %s at 127.0.0.1:%d", tcp, me, tcp)},
		{stageabi.Port{Protocol: "udp", HostIP: "127.0.0.1", HostPort: udp, PodPort: 1, Count: 1}, fmt.Sprintf("port 127.0.0.1 %d/udp of the host is taken by %s at [::]:%d", udp, me, udp)},
	} {
		if _, err := Hold([]stageabi.Port{tt.port}); err == nil || err.Error() != tt.want {
			t.Errorf("got %v, want %s", err, tt.want)
		}
	}
}

func TestParseSocket(t *testing.T) {
	for line, want := range map[string]socket{
		"   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4242 1 0000 100 0 0 10 0":  {netip.MustParseAddr("127.0.0.1"), 8080, "4242"},
		"   1: B80D0120000000000000000001000000:0050 00000000000000000000000000000000:0000 0A 0:0 00:0 0     0        0 7 1 0": {netip.MustParseAddr("2001:db8::1"), 80, "7"},
	} {
		if got, ok := parseSocket(line, true); !ok || got != want {
			t.Errorf("%q: got %v, want %v", line, got, want)
		}
	}
	for _, line := range []string{"", "  sl  local_address rem_address   st", "   0: 0100007F:1F90 0100007F:0001 01 0:0 00:0 0 0 0 7 1", "   0: xx:1F90 a:b 0A 0:0 00:0 0 0 0 7 1"} {
		if got, ok := parseSocket(line, true); ok {
			t.Errorf("%q: got %v", line, got)
		}
	}
}
