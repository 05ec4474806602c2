package functional

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/raket/raket/tests/images"
)

// peerPath is the program peer on the host, and peerImage the image with it.
const (
	peerPath  = "/srv/functional/peer"
	peerImage = "oci:/srv/functional/peer-image:" + images.Tag
)

// The outside world is a network namespace of the host's, one wire away.
const (
	outside   = "outside"
	hostIP4   = "198.51.100.1"
	hostIP6   = "2001:db8:1::1"
	outsideIP = "198.51.100.2"
	outside6  = "2001:db8:1::2"
)

var peerOnce sync.Once

// withPeer puts the program peer on the host, and into an image whose ports have names.
func (p *pods) withPeer(t *testing.T) {
	t.Helper()
	peerOnce.Do(func() {
		program, err := images.Program(t.Context(), "peer")
		if err != nil {
			t.Fatal(err)
		}
		name := putImage(t, p.Host, "peer-image", images.Busybox().Layer(program).Ports("80/tcp", "53/udp"))
		p.must(t, "fetch", "--quiet", name)
		p.MustRun(t, fmt.Sprintf("%s image extract --rootfs-only %s /srv/functional/x && cp /srv/functional/x/usr/bin/peer %s && rm -rf /srv/functional/x", p.cmd(), quote(name), peerPath))
	})
}

// withOutside makes the outside world for as long as t runs.
func (p *pods) withOutside(t *testing.T) {
	t.Helper()
	p.MustRun(t, fmt.Sprintf(`set -e; ip netns add %[1]s
ip link add wire type veth peer name eth0 netns %[1]s
ip address add %[2]s/24 dev wire; ip address add %[3]s/64 dev wire nodad; ip link set wire up
n='ip -n %[1]s'; $n address add %[4]s/24 dev eth0; $n address add %[5]s/64 dev eth0 nodad; $n link set eth0 up; $n link set lo up`,
		outside, hostIP4, hostIP6, outsideIP, outside6))
	t.Cleanup(func() { p.MustRun(t, "ip link delete wire; ip netns delete "+outside) })
}

// server is an app that answers with the caller's address.
func server(at ...string) app {
	return app{name: "server", image: peerImage, args: append([]string{"/usr/bin/peer"}, at...), flags: []string{"--type=notify"}}
}

// hear makes a call by a command that stands before the program, and returns the answer.
func (p *pods) hear(t *testing.T, prefix, to string) (string, bool) {
	t.Helper()
	r := p.Run(t, prefix+" "+peerPath+" -call "+quote(to))
	return strings.TrimSpace(r.Stdout), r.Code == 0
}

// address is the pod's first address of a family.
func (p *pods) address(t *testing.T, uuid, family string) string {
	t.Helper()
	return p.MustRun(t, fmt.Sprintf(`nsenter -t $(cat %s/pods/run/%s/pid) -n true; %s exec --app=server %s -- ip -%s -o address show dev eth0 scope global | awk '{sub("/.*","",$4); print $4; exit}'`, p.dir, uuid, p.cmd(), uuid, family))
}

func TestPublishedPorts(t *testing.T) {
	p := newPods(t)
	p.withPeer(t)
	p.withOutside(t)
	p.MustRun(t, "sysctl -qw net.ipv4.ip_forward=0 net.ipv6.conf.all.forwarding=0")
	uuid, _ := p.start(t, []string{
		"--net=default", "--port=80-tcp:8080", "-p", "8053:53/udp", "--port=9000-9002:7000-7002",
		"--port=" + hostIP4 + ":8081:80", "--publish=[" + hostIP6 + "]:8082:80",
	}, server("tcp:[::]:80", "udp:[::]:53", "tcp:[::]:7000", "tcp:[::]:7001", "tcp:[::]:7002"))
	four, six := p.MustRun(t, p.cmd()+" exec --app=server "+uuid+" -- ip -4 -o address show dev eth0 | awk '{print $4}'"), p.MustRun(t, p.cmd()+" exec --app=server "+uuid+" -- ip -6 -o address show dev eth0 scope global | awk '{print $4}'")
	four, _, _ = strings.Cut(four, "/")
	six, _, _ = strings.Cut(six, "/")
	t.Log(four, six)
	fromOutside := "ip netns exec " + outside
	other, _ := p.start(t, []string{"--net=default"}, app{name: "other", image: peerImage, args: []string{"/bin/sleep", "inf"}})
	inOther, inItself := p.cmd()+" exec --app=other "+other+" --", p.cmd()+" exec --app=server "+uuid+" --"
	_ = inOther
	_ = inItself
	for _, tt := range []struct{ from, to string }{
		{fromOutside, "tcp:" + hostIP4 + ":8080"},
		{fromOutside, "tcp:[" + hostIP6 + "]:8080"},
		{fromOutside, "udp:" + hostIP4 + ":8053"},
		{fromOutside, "udp:[" + hostIP6 + "]:8053"},
		{fromOutside, "tcp:" + hostIP4 + ":9001"},
		{fromOutside, "tcp:" + hostIP4 + ":8081"},
		{fromOutside, "tcp:[" + hostIP6 + "]:8082"},
		{fromOutside, "tcp:" + hostIP4 + ":8082"},
		{"", "tcp:127.0.0.1:8080"},
		{"", "tcp:127.0.0.1:8081"},
		{"", "udp:127.0.0.1:8053"},
		{"", "tcp:" + hostIP4 + ":8080"},
		{"", "tcp:[" + hostIP6 + "]:8080"},
		{"", "tcp:[::1]:8080"},
		{"", "tcp:" + four + ":80"},
	} {
		got, ok := p.hear(t, tt.from, tt.to)
		t.Log(tt.from, tt.to, got, ok)
	}
	for _, in := range []string{"other " + other, "server " + uuid} {
		for _, to := range []string{"tcp:" + hostIP4 + ":8080", "tcp:[" + hostIP6 + "]:8080", "udp:" + hostIP4 + ":8053", "tcp:" + four + ":80", "tcp:127.0.0.1:8080"} {
			r := p.Run(t, p.cmd()+" exec --app="+in+" -- /usr/bin/peer -call "+quote(to))
			t.Log(in, to, r.Stdout, r.Stderr, r.Code)
		}
	}
	t.Log(p.MustRun(t, "nft list ruleset; ip route; cat /proc/sys/net/ipv4/conf/*/route_localnet"))
}
