package functional

import (
	"strings"
	"testing"
)

func TestPodsFindEachOtherByName(t *testing.T) {
	p := newPods(t)
	p.withPeer(t)
	p.MustRun(t, `mkdir -p /etc/raket/net.d; cat >/etc/raket/net.d/10-back.conf <<E
{"cniVersion":"1.0.0","name":"back","type":"bridge","bridge":"f-back","isGateway":true,"ipam":{"type":"host-local","subnet":"10.77.0.0/24","dataDir":"/run/f-back"}}
E`)
	t.Cleanup(func() { p.MustRun(t, "rm -rf /etc/raket/net.d/10-back.conf /run/f-back; ip link delete f-back") })
	early := p.launch(t, "early", []string{"--net=default,back", "--hosts-entry=192.0.2.9=elsewhere"}, peers())
	db := p.launch(t, "db", []string{"--net=back:IP=10.77.0.40", "--net-alias=db", "--net-alias=db.example", "--hostname=db-1"}, peers("tcp:0.0.0.0:80"))
	apart := p.launch(t, "apart", []string{"--net=default"}, peers())
	late := p.launch(t, "late", []string{"--net=back"}, peers())
	early4, _ := p.peerAddresses(t, early)
	p.calls(t, []call{
		{p.inPod(early), "tcp:db:80", "10.77.0.2 10.77.0.40:80"},
		{p.inPod(late), "tcp:db.example:80", "10.77.0.41 10.77.0.40:80"},
		{p.inPod(apart), "tcp:db:80", ""},
	})
	hosts := func(uuid string) string {
		t.Helper()
		return p.must(t, "exec", "--app=peer", uuid, "--", "cat", "/etc/hosts")
	}
	if got := hosts(early); !strings.Contains(got, early4+"\trkt-"+early+"\n") || !strings.Contains(got, "10.77.0.2\trkt-"+early+"\n") || !strings.Contains(got, "192.0.2.9\telsewhere\n") {
		t.Errorf("a pod's own addresses are not in its hosts file:\n%s", got)
	}
	if got := hosts(db); !strings.Contains(got, "10.77.0.40\tdb-1 db db.example") {
		t.Errorf("hosts file:\n%s", got)
	}
	if got := p.must(t, "network", "inspect", "--pretty-print=false", "back"); !strings.Contains(got, `"uuid":"`+db+`","interface":"eth0","addresses":["10.77.0.40/24"],"names":["db","db.example"]`) {
		t.Errorf("network inspect: %s", got)
	}
	p.must(t, "stop", db)
	p.WaitFor(t, limit, "! "+p.cmd()+" exec --app=peer "+early+" -- grep -qw db.example /etc/hosts")
}

func TestNameServersThatPodsReach(t *testing.T) {
	p := newPods(t)
	p.MustRun(t, `cp -P /etc/resolv.conf /run/f-resolv.saved 2>/dev/null; rm -f /etc/resolv.conf; mkdir -p /run/systemd/resolve
printf 'nameserver 127.0.0.53\noptions edns0\nsearch lan.example\n' >/etc/resolv.conf
printf 'nameserver 192.0.2.53\nnameserver 127.0.0.1\nsearch lan.example\n' >/run/systemd/resolve/resolv.conf`)
	t.Cleanup(func() {
		p.MustRun(t, "rm -rf /etc/resolv.conf /run/systemd/resolve; if [ -e /run/f-resolv.saved ]; then mv /run/f-resolv.saved /etc/resolv.conf; fi")
	})
	show := app{script: "cat /etc/resolv.conf"}
	for name, tt := range map[string]struct {
		flags []string
		want  string
	}{
		"those that systemd-resolved asks": {[]string{"--net=default"}, "nameserver 192.0.2.53\nsearch lan.example\n"},
		"the host's network has the stub":  {[]string{"--net=host"}, "nameserver 127.0.0.53\noptions edns0\nsearch lan.example\n"},
		"what is said":                     {[]string{"--net=default", "--dns=192.0.2.1", "--dns-search=x.example"}, "search x.example\nnameserver 192.0.2.1\n"},
	} {
		if r := p.run(t, tt.flags, show); r.Code != 0 || r.Stdout != tt.want {
			t.Errorf("%s: %d %q %q, want %q", name, r.Code, r.Stdout, r.Stderr, tt.want)
		}
	}
	p.MustRun(t, "rm /run/systemd/resolve/resolv.conf")
	if r := p.run(t, []string{"--net=default", "--dns=host"}, show); r.Code != 254 || !strings.Contains(r.Stderr, "no name server in /etc/resolv.conf can be reached") {
		t.Errorf("a host without: %d %q", r.Code, r.Stderr)
	}
}

func TestNetworksThatCannotBeJoined(t *testing.T) {
	p := newPods(t)
	p.MustRun(t, `mkdir -p /run/f-conf/net.d; cd /run/f-conf/net.d
echo '{"cniVersion":"1.0.0","name":"odd","type":"sriov"}' >10-odd.conf
echo '{"cniVersion":"1.0.0","name":"lan","type":"macvlan","master":"lo","ipam":{"type":"dhcp"}}' >20-lan.conf`)
	t.Cleanup(func() { p.MustRun(t, "rm -rf /run/f-conf") })
	refused := func(want string, flags ...string) {
		t.Helper()
		r := p.raket(t, append(append([]string{"--user-config=/run/f-conf", "run", "--quiet"}, flags...), busybox, "--name=app")...)
		if first, _, _ := strings.Cut(r.Stderr, "\n"); r.Code != 254 || !strings.Contains(first, want) {
			t.Errorf("%v: %d %q, want %q", flags, r.Code, r.Stderr, want)
		}
	}
	refused("network odd: no plugin sriov in /opt/raket/bin/cni, ", "--net=odd")
	refused(`no network "lam": there are default, default-restricted, lan, odd`, "--net=lam")
	refused("network lan publishes no ports", "--net=lan", "--port=8080:80")
	refused("can be reached from nowhere", "--net=none", "--port=8080:80")
	refused(`no app has a port named "http"`, "--net=default", "--port=http:8080")
	if got := p.must(t, "--user-config=/run/f-conf", "network", "list"); !strings.Contains(got, "odd\tsriov\t-\t0\t/run/f-conf/net.d/10-odd.conf\tno plugin sriov in /opt/raket/bin/cni, ") ||
		!strings.Contains(got, "default\tptp\t172.16.28.0/24,fd") {
		t.Errorf("network list: %s", got)
	}
	p.MustRun(t, `echo '{"cniVersion":"1.0.0","name":"x","plugins":[{"ipam":{}}]}' >/run/f-conf/net.d/30-x.conflist`)
	refused("/run/f-conf/net.d/30-x.conflist: line 1: key plugins[0]: key type is missing", "--net=default")
	if got := len(p.list(t)); got != 0 {
		t.Errorf("%d pods are left", got)
	}
}
