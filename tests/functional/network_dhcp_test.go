package functional

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/raket/raket/tests/testhost"
)

// dhcpServer has one address to give, for ten minutes, and wants to be asked again after two
// seconds (option 58, RFC 2132).
const dhcpServer = `ip netns add f-lease
ip link add f-lan type bridge; ip link set f-lan up
ip link add f-wire type veth peer name eth0 netns f-lease; ip link set f-wire master f-lan up
ip -n f-lease address add 10.78.0.1/24 dev eth0; ip -n f-lease link set eth0 up
cat >/run/f-udhcpd.conf <<E
start 10.78.0.50
end 10.78.0.50
interface eth0
lease_file /run/f-leases
option subnet 255.255.255.0
option router 10.78.0.1
option lease 600
option 0x3a 00000002
E
touch /run/f-leases
systemd-run --quiet --unit=f-udhcpd ip netns exec f-lease busybox udhcpd -f /run/f-udhcpd.conf
mkdir -p /etc/raket/net.d
echo '{"cniVersion":"1.0.0","name":"lan","type":"bridge","bridge":"f-lan","ipam":{"type":"dhcp"}}' >/etc/raket/net.d/10-lan.conf`

// installDHCP puts the units that come with raket on the host.
func installDHCP(t *testing.T, h *testhost.Host) {
	t.Helper()
	for _, unit := range []string{"raket-dhcp.socket", "raket-dhcp.service"} {
		text, err := os.ReadFile(filepath.Join(testhost.Checkout(), "dist/units", unit))
		if err != nil {
			t.Fatal(err)
		}
		h.WriteFile(t, "/run/systemd/system/"+unit, strings.ReplaceAll(string(text), "/usr/local/lib/raket/", testhost.BinDir+"/"), 0o644)
	}
	t.Cleanup(func() {
		h.Run(t, "systemctl stop raket-dhcp.socket raket-dhcp.service; rm -f /run/systemd/system/raket-dhcp.*; systemctl daemon-reload")
	})
	h.MustRun(t, "systemctl daemon-reload; systemctl start raket-dhcp.socket")
}

func TestAddressesByDHCP(t *testing.T) {
	p := newPods(t)
	p.MustRun(t, dhcpServer)
	t.Cleanup(func() {
		p.Run(t, "systemctl stop f-udhcpd; ip link delete f-wire; ip link delete f-lan; ip netns delete f-lease; rm -f /run/f-udhcpd.conf /run/f-leases /etc/raket/net.d/10-lan.conf")
	})
	r := p.run(t, []string{"--net=lan"}, app{script: "true"})
	if lines := strings.Split(r.Stderr, "\n"); r.Code != 254 || len(lines) < 2 ||
		!strings.Contains(lines[0], "network lan: nobody listens at /run/cni/dhcp.sock, where its plugin dhcp asks for addresses: no such file or directory") ||
		!strings.HasPrefix(lines[1], "hint: systemctl enable --now raket-dhcp.socket;") {
		t.Errorf("without the daemon: %d %q", r.Code, r.Stderr)
	}
	installDHCP(t, p.Host)
	// Looking does not start the daemon.
	if got := p.must(t, "network", "list"); !strings.Contains(got, "lan\tbridge\t-\t0\t/etc/raket/net.d/10-lan.conf\tready\n") {
		t.Errorf("network list: %s", got)
	}
	if got := p.Run(t, "systemctl is-active raket-dhcp.service").Stdout; got != "inactive\n" {
		t.Errorf("the daemon is %q before anybody wants an address", got)
	}
	before := p.leases(t)
	uuid := p.launch(t, "one", []string{"--net=lan"}, app{script: "ip route >/routes; exec notify READY=1 -- sleep 1000", flags: []string{"--type=notify"}})
	if got := p.must(t, "list", "--no-legend"); !strings.Contains(got, "\tlan:ip4=10.78.0.50") {
		t.Errorf("list: %s", got)
	}
	if got := p.must(t, "exec", uuid, "--", "cat", "/routes"); !strings.Contains(got, "default via 10.78.0.1 dev eth0") {
		t.Errorf("routes: %s", got)
	}
	said := func(since, words string) string {
		return "journalctl --unit=raket-dhcp --output=cat --since=@" + since + " | grep -q '" + uuid + "/lan/eth0: " + words + "'"
	}
	p.WaitFor(t, limit, said("0", "lease renewed"))
	// A new daemon knows no leases. Who asks whether all is well has it take them up again.
	restarted := p.MustRun(t, "systemctl restart raket-dhcp.service && test -S /run/cni/dhcp.sock && date +%s.%N")
	p.must(t, "status", "--verify", uuid)
	p.WaitFor(t, limit, said(restarted, "lease renewed"))
	p.must(t, "stop", uuid)
	// The server has it back.
	p.WaitFor(t, limit, "systemctl kill --kill-who=all --signal=USR1 f-udhcpd; busybox dumpleases -f /run/f-leases | grep '10.78.0.50 .*expired'")
	p.expectLeases(t, before)
}
