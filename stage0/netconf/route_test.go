package netconf

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
)

func TestRoutesOfTheHost(t *testing.T) {
	for line, want := range map[string]string{
		"eth0\t000200C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0":     "192.0.2.0/24 eth0",
		"tun0\t000010AC\t0100000A\t0003\t0\t0\t0\t0000F0FF\t0\t0\t0":     "172.16.0.0/12 tun0",
		"eth0\t000200C0\t00000000\t0000\t0\t0\t0\t00FFFFFF\t0\t0\t0":     "", // down
		"*\t000200C0\t00000000\t0201\t0\t0\t0\t00FFFFFF\t0\t0\t0":        "", // refused
		"Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask": "",
		"eth0\tzz": "",
	} {
		r, ok := parseRoute4(strings.Fields(line))
		if got := fmt.Sprint(r.To, " ", r.Device); ok != (want != "") || ok && got != want {
			t.Errorf("%q is %s", line, got)
		}
	}
	for line, want := range map[string]string{
		"fd000000000000000000000000000000 40 00000000000000000000000000000000 00 00000000000000000000000000000000 00000100 00000001 00000000 00000001 eth0": "fd00::/64 eth0",
		"fd000000000000000000000000000001 80 00000000000000000000000000000000 00 00000000000000000000000000000000 00000000 00000003 00000000 80200001 eth0": "",
		"fd00 40": "",
	} {
		r, ok := parseRoute6(strings.Fields(line))
		if got := fmt.Sprint(r.To, " ", r.Device); ok != (want != "") || ok && got != want {
			t.Errorf("%q is %s", line, got)
		}
	}
}

func TestANetworkTakesNothingFromTheHost(t *testing.T) {
	network := func(config string) Network {
		n, err := Parse([]byte(config), false)
		if err != nil {
			t.Fatal(err)
		}
		n.File = "/etc/raket/net.d/10-x.conf"
		return n
	}
	builtin := Builtin(Host{})[0]
	bridge := network(`{"cniVersion":"1.0.0","name":"x","type":"bridge","bridge":"br7","ipam":{"type":"host-local","subnet":"10.1.0.0/16"}}`)
	for name, tt := range map[string]struct {
		network     Network
		to, device  string
		fails, hint string
		warns       string
	}{
		"nothing":                   {network: builtin, to: "172.16.27.0/24", device: "eth0"},
		"the same":                  {builtin, "172.16.28.0/24", "eth1", "network default: its subnet 172.16.28.0/24 is in use: the host reaches 172.16.28.0/24 by eth1", "for another subnet put a network of the name default into /etc/raket/net.d (raket network inspect default shows this one)", ""},
		"a part":                    {builtin, "172.16.28.128/25", "eth1", "network default: its subnet 172.16.28.0/24 is in use: the host reaches 172.16.28.128/25 by eth1", "", ""},
		"a machine elsewhere":       {builtin, "172.16.28.9/32", "eth1", "the host reaches 172.16.28.9/32 by eth1", "", ""},
		"another pod":               {network: builtin, to: "172.16.28.9/32", device: "veth01234567"},
		"much more":                 {builtin, "172.16.0.0/12", "tun0", "", "", "network default: its subnet 172.16.28.0/24 is part of 172.16.0.0/12, which the host reaches by tun0: pods do not reach those addresses there; for another subnet put"},
		"its own bridge":            {network: bridge, to: "10.1.0.0/16", device: "br7"},
		"another's bridge":          {bridge, "10.1.0.0/16", "br8", "network x: its subnet 10.1.0.0/16 is in use: the host reaches 10.1.0.0/16 by br8", "for another subnet change /etc/raket/net.d/10-x.conf", ""},
		"the wire that pods are on": {network: network(`{"cniVersion":"1.0.0","name":"x","type":"macvlan","master":"eth0","ipam":{"type":"host-local","subnet":"10.1.0.0/16"}}`), to: "10.1.0.0/16", device: "eth0"},
	} {
		t.Run(name, func(t *testing.T) {
			warned := ""
			err := tt.network.CheckRoutes([]Route{{netip.MustParsePrefix(tt.to), tt.device}}, func(line string) { warned = line })
			if (err == nil) != (tt.fails == "") || err != nil && !strings.Contains(err.Error(), tt.fails) || !strings.HasPrefix(warned, tt.warns) || (warned == "") != (tt.warns == "") {
				t.Fatalf("got %v, warned %q", err, warned)
			}
			var u *unusable
			if errors.As(err, &u) && tt.hint != "" && u.hint != tt.hint {
				t.Errorf("hint %q", u.hint)
			}
		})
	}
}
