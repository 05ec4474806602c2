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

// peers is an app that answers calls.
func peers(at ...string) app {
	return app{name: "peer", image: peerImage, args: append([]string{"/usr/bin/peer"}, at...), flags: []string{"--type=notify"}}
}

// launch starts a pod in a unit of its own, and returns its UUID when it is ready.
func (p *pods) launch(t *testing.T, name string, flags []string, apps ...app) string {
	t.Helper()
	unit := "f-" + plain(t.Name()) + "-" + name
	file := "/run/" + unit + ".uuid"
	line := podLine(append([]string{"run", "--quiet", "--uuid-file-save=" + file}, flags...), apps...)
	t.Cleanup(func() {
		p.Run(t, fmt.Sprintf("systemctl stop %[1]s; systemctl reset-failed %[1]s; rm -f %[2]s", unit, file))
	})
	return p.MustRun(t, fmt.Sprintf("systemd-run --quiet --unit=%s -p Type=notify -p NotifyAccess=main -p KillMode=mixed -p Delegate=yes -p Slice=machine.slice -p SuccessExitStatus=133 -- %s %s && cat %s",
		unit, p.cmd(), quote(line...), file))
}

// call is a call from some place to a server, and the answer that is expected; "" is none.
type call struct{ from, to, want string }

// calls makes all calls by one command: each takes longer than it seems to get to the host.
func (p *pods) calls(t *testing.T, list []call) {
	t.Helper()
	var script strings.Builder
	for _, c := range list {
		fmt.Fprintf(&script, "%s -call %s 2>/run/f-call || echo failed: $(cat /run/f-call)\n", c.from, quote(c.to))
	}
	answers := strings.Split(p.MustRun(t, script.String()), "\n")
	if len(answers) != len(list) {
		t.Fatalf("%d calls were answered by %q", len(list), answers)
	}
	for i, c := range list {
		if answers[i] != c.want && (c.want != "" || !strings.HasPrefix(answers[i], "failed: ")) {
			t.Errorf("%s -call %s was answered %q, want %q", strings.ReplaceAll(c.from, p.dir, "DIR"), c.to, answers[i], c.want)
		}
	}
}

// inPod is where a call is made in a pod's app.
func (p *pods) inPod(uuid string) string {
	return p.cmd() + " exec --app=peer " + uuid + " -- /usr/bin/peer"
}

// peerAddresses are a pod's on its first network.
func (p *pods) peerAddresses(t *testing.T, uuid string) (four, six string) {
	t.Helper()
	out := p.MustRun(t, fmt.Sprintf(`%s exec --app=peer %s -- sh -c "ip -o address show dev eth0 scope global" | awk '{sub("/.*","",$4); print $4}' | sort`, p.cmd(), uuid))
	four, six, _ = strings.Cut(out, "\n")
	return four, six
}

func TestPublishedPorts(t *testing.T) {
	p := newPods(t)
	p.withPeer(t)
	p.withOutside(t)
	// Whoever needs it turns it on.
	p.MustRun(t, "sysctl -qw net.ipv4.ip_forward=0 net.ipv6.conf.all.forwarding=0")
	server := p.launch(t, "server", []string{
		"--net=default", "--port=80-tcp:8080", "-p", "8053:53/udp", "--port=9000-9002:7000-7002",
		"--port=" + hostIP4 + ":8081:80", "--publish=[" + hostIP6 + "]:8082:80",
	}, peers("tcp:[::]:80", "udp:[::]:53", "tcp:[::]:7000", "tcp:[::]:7001", "tcp:[::]:7002"))
	other := p.launch(t, "other", []string{"--net=default"}, peers())
	four, six := p.peerAddresses(t, server)
	other4, other6 := p.peerAddresses(t, other)
	gateway4, gateway6 := "172.16.28.1", six[:strings.LastIndexByte(six, ':')+1]+"1"
	far, host := "ip netns exec "+outside+" "+peerPath, peerPath
	tcp4, tcp6 := " "+four+":80", " ["+six+"]:80"
	p.calls(t, []call{
		// From outside: callers keep their addresses.
		{far, "tcp:" + hostIP4 + ":8080", outsideIP + tcp4},
		{far, "tcp:[" + hostIP6 + "]:8080", outside6 + tcp6},
		{far, "udp:" + hostIP4 + ":8053", outsideIP + " [::]:53"},
		{far, "udp:[" + hostIP6 + "]:8053", outside6 + " [::]:53"},
		{far, "tcp:" + hostIP4 + ":9001", outsideIP + " " + four + ":7001"},
		{far, "tcp:" + hostIP4 + ":8081", outsideIP + tcp4},
		{far, "tcp:[" + hostIP6 + "]:8082", outside6 + tcp6},
		{far, "tcp:" + hostIP4 + ":8082", ""},
		{far, "tcp:" + hostIP4 + ":7000", ""},
		// From the host, to any of its addresses.
		{host, "tcp:127.0.0.1:8080", gateway4 + tcp4},
		{host, "udp:127.0.0.1:8053", gateway4 + " [::]:53"},
		{host, "tcp:" + hostIP4 + ":8080", hostIP4 + tcp4},
		{host, "tcp:[" + hostIP6 + "]:8080", hostIP6 + tcp6},
		{host, "tcp:127.0.0.1:8081", ""},
		{host, "tcp:" + four + ":80", gateway4 + tcp4},
		// From another pod, by the host's address and by the pod's own.
		{p.inPod(other), "tcp:" + hostIP4 + ":8080", other4 + tcp4},
		{p.inPod(other), "tcp:[" + hostIP6 + "]:8080", other6 + tcp6},
		{p.inPod(other), "tcp:" + four + ":80", other4 + tcp4},
		// From the pod itself, by the host's address.
		{p.inPod(server), "tcp:" + hostIP4 + ":8080", gateway4 + tcp4},
		{p.inPod(server), "tcp:[" + hostIP6 + "]:8080", gateway6 + tcp6},
	})
	// The kernel does not lead on what comes from ::1: it is refused at once, so that callers
	// try the other address of localhost.
	if got := p.Run(t, peerPath+" -call 'tcp:[::1]:8080'"); !strings.Contains(got.Stderr, "connection refused") {
		t.Errorf("::1: %q %q", got.Stdout, got.Stderr)
	}
	// A pod reaches the outside world, which sees the host.
	p.MustRun(t, "ip netns exec "+outside+" systemd-run --quiet --unit=f-far -p Type=notify -p NotifyAccess=main -p NetworkNamespacePath=/run/netns/"+outside+" "+peerPath+" 'tcp:[::]:80'")
	t.Cleanup(func() { p.Run(t, "systemctl stop f-far") })
	p.calls(t, []call{
		{p.inPod(server), "tcp:" + outsideIP + ":80", hostIP4 + " " + outsideIP + ":80"},
		{p.inPod(server), "tcp:[" + outside6 + "]:80", hostIP6 + " [" + outside6 + "]:80"},
	})
	// Rules as firewalld makes them let published ports through, and nothing else.
	p.MustRun(t, `nft -f - <<E
table inet f_strict {
	chain input { type filter hook input priority filter + 10; policy drop; ct state { established, related } accept; ct status dnat accept; iifname "lo" accept; }
	chain forward { type filter hook forward priority filter + 10; policy drop; ct state { established, related } accept; ct status dnat accept; }
}
E`)
	t.Cleanup(func() { p.Run(t, "nft delete table inet f_strict") })
	p.calls(t, []call{
		{far, "tcp:" + hostIP4 + ":8080", outsideIP + tcp4},
		{far, "udp:[" + hostIP6 + "]:8053", outside6 + " [::]:53"},
		{host, "tcp:127.0.0.1:8080", gateway4 + tcp4},
		{p.inPod(other), "tcp:" + hostIP4 + ":8080", other4 + tcp4},
		{p.inPod(other), "tcp:" + four + ":80", ""},
	})
	// Nothing of it stays.
	p.must(t, "stop", server)
	if rules := p.MustRun(t, "nft list ruleset"); strings.Contains(rules, server) {
		t.Errorf("rules of the pod stay:\n%s", rules)
	}
	if got := p.Run(t, peerPath+" -call tcp:"+hostIP4+":8080"); !strings.Contains(got.Stderr, "connection refused") {
		t.Errorf("after the pod: %q %q", got.Stdout, got.Stderr)
	}
}

func TestTakenPortsAreRefusedByName(t *testing.T) {
	p := newPods(t)
	p.withPeer(t)
	p.MustRun(t, "systemd-run --quiet --unit=f-taker -p Type=notify -p NotifyAccess=main "+peerPath+" tcp:127.0.0.1:8090 'udp:[::]:8091'")
	t.Cleanup(func() { p.Run(t, "systemctl stop f-taker") })
	p.WriteFile(t, "/run/systemd/system/f-taken.service", "[Service]\nExecStart=/bin/true\n", 0o644)
	t.Cleanup(func() { p.Run(t, "rm -f /run/systemd/system/f-taken.service") })
	p.socket(t, "f-taken.socket", "f-taken.service", "ListenStream=8092")
	server := p.launch(t, "server", []string{"--port=8093:80", "-p8095:53/udp", "--port=8097:7000/sctp"}, peers("tcp:[::]:80", "udp:[::]:53"))
	refused := func(port, want, hint string) {
		t.Helper()
		r := p.raket(t, "run", "--quiet", "--net=default", "--port="+port, peerImage, "--name=peer")
		lines := strings.Split(strings.TrimSpace(r.Stderr), "\n")
		if r.Code != 254 || len(lines) != 2 || !strings.HasSuffix(lines[0], want) || lines[1] != "hint: "+hint {
			t.Errorf("--port=%s: status %d, %q; want %q and %q", port, r.Code, r.Stderr, want, hint)
		}
	}
	pid := p.show(t, "f-taker.service", "MainPID")
	refused("8090:80", "port 8090/tcp of the host is taken by peer (process "+pid+") at 127.0.0.1:8090", "publish it on another address alone, as --port=ADDRESS:8090:80/tcp")
	refused("8089-8091:53-55/udp", "port 8091/udp of the host is taken by peer (process "+pid+") at [::]:8091", "publish another one")
	refused("80-tcp:8092", "port 8092/tcp of the host is taken by f-taken.socket at [::]:8092", "publish another one")
	refused("8093:80", "port 8093/tcp of the host is taken by pod "+server, "publish another one")
	refused("8095:80/udp", "port 8095/udp of the host is taken by pod "+server+" at [::]:8095", "publish another one")
	refused("8097:80/sctp", "port 8097/sctp of the host is taken by pod "+server, "publish another one")
	if rules := p.MustRun(t, "nft list ruleset"); !strings.Contains(rules, "sctp dport 8097 dnat to 172.16.28.") {
		t.Errorf("no rule for SCTP:\n%s", rules)
	}
	// Nobody else takes a published port either, and what was refused has left nothing.
	if r := p.Run(t, "timeout 5 "+peerPath+" tcp:127.0.0.1:8093"); !strings.Contains(r.Stderr, "address already in use") {
		t.Errorf("another had the port: %d %q", r.Code, r.Stderr)
	}
	if got := len(p.list(t)); got != 1 {
		t.Errorf("%d pods", got)
	}
	p.calls(t, []call{{peerPath, "tcp:127.0.0.1:8090", "127.0.0.1 127.0.0.1:8090"}})
	// When the pod has ended, the port is free.
	p.must(t, "stop", "--force", server)
	p.launch(t, "next", []string{"--port=8093:80"}, peers("tcp:[::]:80"))
	// A port of the host's socket is the socket's, and reaches the app through it.
	image := p.socketsImage(t)
	unit := p.unitOf(t, "/opt/raket/bin/raket", []string{"Sockets=f-own.socket"}, []string{"--net=default", "--port=8094:80"}, app{image: image, args: []string{"/usr/bin/sockets"}})
	p.socket(t, "f-own.socket", unit, "ListenStream=8094", "FileDescriptorName=own")
	if got := p.call(t, "tcp:127.0.0.1:8094"); got != "own" {
		t.Errorf("the socket's port was answered by %q", got)
	}
	if rules := p.MustRun(t, "nft list ruleset"); strings.Contains(rules, "8094") {
		t.Errorf("a rule takes the socket's port:\n%s", rules)
	}
}
