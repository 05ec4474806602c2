package functional

import (
	"strings"
	"testing"
)

func TestNetworksThatTheHostReachesElsewhere(t *testing.T) {
	p := newPods(t)
	p.MustRun(t, "ip link add f-office type bridge; ip link set f-office up; ip address add 172.16.29.7/24 dev f-office; ip route add 172.16.0.0/12 dev f-office")
	t.Cleanup(func() { p.Run(t, "ip link delete f-office; rm -f /etc/raket/net.d/50-f.conflist") })
	const used = "network default-restricted: its subnet 172.16.29.0/24 is in use: the host reaches 172.16.29.0/24 by f-office"
	show := app{script: "ip -o -4 address show dev eth0"}
	r := p.run(t, []string{"--net=default-restricted"}, show)
	if lines := strings.Split(r.Stderr, "\n"); r.Code != 254 || len(lines) < 2 || !strings.HasSuffix(lines[0], used) ||
		lines[1] != "hint: for another subnet put a network of the name default-restricted into /etc/raket/net.d (raket network inspect default-restricted shows this one)" {
		t.Errorf("a network of the office's: %d %q", r.Code, r.Stderr)
	}
	if got := p.must(t, "network", "list"); !strings.Contains(got, strings.TrimPrefix(used, "network default-restricted: ")) {
		t.Errorf("network list: %s", got)
	}
	// What leads to much more leaves room.
	r = p.run(t, []string{"--net=default"}, show)
	if r.Code != 0 || !strings.Contains(r.Stdout, " 172.16.28.") || !strings.Contains(r.Stderr, "raket: network default: its subnet 172.16.28.0/24 is part of 172.16.0.0/12, which the host reaches by f-office: pods do not reach those addresses there; for another subnet") {
		t.Errorf("a wide route: %d %q %q", r.Code, r.Stdout, r.Stderr)
	}
	// The way out that is said.
	p.MustRun(t, "mkdir -p /etc/raket/net.d; "+p.cmd()+" network inspect default-restricted | jq '.[0].config' | sed s/172.16.29/10.97.0/ >/etc/raket/net.d/50-f.conflist")
	r = p.run(t, []string{"--net=default-restricted"}, show)
	if r.Code != 0 || !strings.Contains(r.Stdout, " 10.97.0.") || r.Stderr != "" {
		t.Errorf("another subnet: %d %q %q", r.Code, r.Stdout, r.Stderr)
	}
}
