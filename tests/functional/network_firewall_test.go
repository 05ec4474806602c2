package functional

import (
	"strings"
	"testing"

	"github.com/raket/raket/tests/images"
	"github.com/raket/raket/tests/testhost"
)

// dockersRules are what Docker leaves: nothing is forwarded but for its own containers.
const dockersRules = `for i in iptables ip6tables; do
$i -P FORWARD DROP; $i -N DOCKER-USER; $i -N DOCKER
$i -A FORWARD -j DOCKER-USER; $i -A FORWARD -o docker0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
$i -A FORWARD -o docker0 -j DOCKER; $i -A FORWARD -i docker0 -j ACCEPT; $i -A DOCKER-USER -j RETURN
done`

func TestHostsWithFirewalls(t *testing.T) {
	h := testhost.Start(t, testhost.Options{})
	h.Install(t, "firewalld", "iptables")
	h.MustRun(t, `for i in iptables iptables-save ip6tables ip6tables-save; do ln -sf xtables-nft-multi /usr/sbin/$i; done
cd /usr/share/polkit-1/actions; ln -s org.fedoraproject.FirewallD1.server.policy.choice org.fedoraproject.FirewallD1.policy; systemctl try-restart polkit`)
	program, err := images.Program(t.Context(), "peer")
	if err != nil {
		t.Fatal(err)
	}
	p := podsOn(t, h)
	name := putImage(t, h, "peer-image", images.Busybox().Layer(program).Ports("80/tcp", "53/udp"))
	p.must(t, "fetch", "--quiet", name)
	p.MustRun(t, p.cmd()+" image extract --rootfs-only "+quote(name)+" /srv/functional/x && cp /srv/functional/x/usr/bin/peer "+peerPath)
	p.withOutside(t)
	p.MustRun(t, "systemd-run --quiet --unit=f-far -p Type=notify -p NotifyAccess=main -p NetworkNamespacePath=/run/netns/"+outside+" "+peerPath+" 'tcp:[::]:80'")
	far, host := "ip netns exec "+outside+" "+peerPath, peerPath

	// all has what the default network promises, whatever the host's rules.
	all := func(t *testing.T) (client string) {
		t.Helper()
		server := p.launch(t, "server", []string{"--net=default", "--port=8080:80"}, peers("tcp:[::]:80"))
		client = p.launch(t, "client", []string{"--net=default"}, peers())
		four, six := p.peerAddresses(t, server)
		client4, client6 := p.peerAddresses(t, client)
		p.calls(t, []call{
			{p.inPod(client), "tcp:" + outsideIP + ":80", hostIP4 + " " + outsideIP + ":80"},
			{p.inPod(client), "tcp:[" + outside6 + "]:80", hostIP6 + " [" + outside6 + "]:80"},
			{far, "tcp:" + hostIP4 + ":8080", outsideIP + " " + four + ":80"},
			{far, "tcp:[" + hostIP6 + "]:8080", outside6 + " [" + six + "]:80"},
			{host, "tcp:127.0.0.1:8080", "172.16.28.1 " + four + ":80"},
			{p.inPod(client), "tcp:" + four + ":80", client4 + " " + four + ":80"},
			{p.inPod(client), "tcp:[" + six + "]:80", client6 + " [" + six + "]:80"},
			{p.inPod(client), "tcp:" + hostIP4 + ":8080", client4 + " " + four + ":80"},
		})
		return client
	}
	verify := func(t *testing.T, client, want string) {
		t.Helper()
		if r := p.raket(t, "status", "--verify", client); r.Code == 0 || !strings.Contains(r.Stderr, want) {
			t.Errorf("status --verify: %d %q, want %q", r.Code, r.Stderr, want)
		}
	}
	gone := func(t *testing.T, show, what string) {
		t.Cleanup(func() { p.WaitFor(t, limit, "! "+show+" | grep "+what) })
	}

	t.Run("firewalld in its default zone", func(t *testing.T) {
		gone(t, "firewall-cmd --zone=trusted --list-sources", "172.16.28")
		p.MustRun(t, "systemctl start firewalld && firewall-cmd --state")
		client := all(t)
		// Pods of the restricted network see the host and each other.
		server := p.launch(t, "restricted", []string{"--net=default-restricted"}, peers("tcp:[::]:80"))
		other := p.launch(t, "other", []string{"--net=default-restricted"}, peers())
		four, _ := p.peerAddresses(t, server)
		other4, _ := p.peerAddresses(t, other)
		p.calls(t, []call{{p.inPod(other), "tcp:" + four + ":80", other4 + " " + four + ":80"}})
		// firewalld forgets what was not written down; what is written down stays.
		p.MustRun(t, "firewall-cmd --reload")
		p.calls(t, []call{{p.inPod(client), "tcp:" + outsideIP + ":80", ""}})
		p.MustRun(t, "firewall-cmd --permanent --zone=trusted --add-source=172.16.28.0/24 && firewall-cmd --reload")
		p.calls(t, []call{{p.inPod(client), "tcp:" + outsideIP + ":80", hostIP4 + " " + outsideIP + ":80"}})
		p.MustRun(t, "firewall-cmd --permanent --zone=trusted --remove-source=172.16.28.0/24 && firewall-cmd --reload")
	})
	p.MustRun(t, "systemctl stop firewalld")
	t.Run("iptables that drop what is forwarded", func(t *testing.T) {
		gone(t, "iptables-save", "raket-")
		gone(t, "ip6tables-save", "raket-")
		p.MustRun(t, dockersRules)
		client := all(t)
		p.must(t, "status", "--verify", client)
		// What the administrator refuses stays refused.
		p.MustRun(t, "iptables -I DOCKER-USER -d "+outsideIP+" -j REJECT")
		p.calls(t, []call{{p.inPod(client), "tcp:" + outsideIP + ":80", ""}})
		p.MustRun(t, "iptables -F FORWARD")
		verify(t, client, "network default: chain FORWARD of iptables has lost the pod's rules: start it again")
	})
	p.MustRun(t, "for i in iptables ip6tables; do $i -F; $i -X; $i -P FORWARD ACCEPT; done")
	// Who has such rules may still have the newer program by the plain name.
	t.Run("iptables of the older implementation that drop what is forwarded", func(t *testing.T) {
		gone(t, "iptables-legacy-save", "raket-")
		gone(t, "ip6tables-legacy-save", "raket-")
		p.MustRun(t, strings.Replace(dockersRules, "iptables ip6tables", "iptables-legacy ip6tables-legacy", 1))
		client := all(t)
		p.must(t, "status", "--verify", client)
		p.MustRun(t, "iptables-legacy -F FORWARD")
		verify(t, client, "network default: chain FORWARD of iptables-legacy has lost the pod's rules: start it again")
	})
}
