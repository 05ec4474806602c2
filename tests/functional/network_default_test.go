package functional

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/raket/raket/tests/testhost"
)

// joined is what "raket status --format=json" says of a pod's networks.
type joined struct {
	Networks []struct {
		Name      string   `json:"netName"`
		IP        string   `json:"ip"`
		HostIf    string   `json:"hostIf"`
		Addresses []string `json:"addresses"`
	} `json:"networks"`
}

// addresses are those of a pod with one network, and the host's end of it.
func (p *pods) addresses(t *testing.T, uuid string) (v4, v6, hostIf string) {
	t.Helper()
	j := decode[joined](t, p.must(t, "status", "--format=json", uuid))
	if len(j.Networks) != 1 || len(j.Networks[0].Addresses) != 2 {
		t.Fatalf("networks %+v", j)
	}
	n := j.Networks[0]
	v6, _, _ = strings.Cut(n.Addresses[1], "/")
	if !strings.Contains(p.must(t, "list", "--full", "--no-legend"), "\tdefault:ip4="+n.IP) {
		t.Errorf("list does not show %s", n.IP)
	}
	return n.IP, v6, n.HostIf
}

// leases counts what pods hold of raket's own networks on the host: addresses, interfaces,
// rules, namespaces, and records and units that undo them.
func (p *pods) leases(t *testing.T) string {
	t.Helper()
	return p.MustRun(t, fmt.Sprintf(`count() { grep -c . || true; }
echo addresses $(find /run/raket/cni -type f ! -name 'last*' ! -name lock 2>/dev/null | count)
echo interfaces $(ip -o link | grep veth | count)
echo rules $(nft list ruleset | grep -e 'id: ' -e 'dnat to' -e 'comment "[0-9a-f-]*"$' -e 'table inet raket-' | count)
echo namespaces $(lsns --noheadings --type=net --output=NS | count)
echo records $(ls -A %s/networks/pods 2>/dev/null | count)
echo units $(systemctl list-units --all --plain --no-legend 'raket-network-*' | count)`, p.dir))
}

// expectLeases waits until pods hold no more than that: the kernel is rid of an interface or a
// namespace a little after the process whose it was.
func (p *pods) expectLeases(t *testing.T, before string) {
	t.Helper()
	after := ""
	for until := time.Now().Add(limit); time.Now().Before(until); {
		if after = p.leases(t); after == before {
			return
		}
	}
	t.Errorf("before:\n%s\nafter:\n%s", before, after)
}

// who is an app that tells everybody from where he comes, at port 80.
func who(name string) app {
	return app{name: name, script: `mkdir -p /www/cgi-bin; printf '#!/bin/sh\necho; echo from $REMOTE_ADDR\n' >/www/cgi-bin/who; chmod +x /www/cgi-bin/who
cat /proc/uptime >/www/started; exec httpd -f -p 80 -h /www`}
}

func TestTheDefaultNetwork(t *testing.T) {
	p := newPods(t)
	image := p.socketsImage(t)
	before := p.leases(t)
	web := who("web")
	web.flags = []string{"--restart=always"}
	uuid, unit := p.start(t, []string{"--net=default"}, web, app{name: "udp", image: image, args: []string{"/usr/bin/sockets"}, flags: []string{"--socket=listen:udp:[::]:5353,name=echo"}})
	v4, v6, hostIf := p.addresses(t, uuid)
	if !strings.HasPrefix(v4, "172.16.28.") || !strings.HasPrefix(v6, "fd") {
		t.Errorf("addresses %s and %s", v4, v6)
	}
	get := func(ip string) string { return fmt.Sprintf("http://%s/cgi-bin/who", ip) }
	up := fmt.Sprintf("curl -gfsS -o /dev/null %s", get(v4))
	p.WaitFor(t, time.Minute, up)

	t.Run("is reached from the host", func(t *testing.T) {
		if got := p.MustRun(t, "curl -gfsS "+get(v4)+" "+get("["+v6+"]")); !strings.Contains(got, "from ") || strings.Count(got, "from ") != 2 {
			t.Errorf("%q", got)
		}
		for _, ip := range []string{v4, "[" + v6 + "]"} {
			if got := p.call(t, "udp:"+ip+":5353"); got != "echo" {
				t.Errorf("by UDP %q", got)
			}
		}
	})
	t.Run("connects pods, which see each other's addresses", func(t *testing.T) {
		got := p.output(t, fmt.Sprintf("ip -o addr show dev eth0; wget -qO- %s; wget -qO- %s; ping -c1 -q 172.16.28.1 >&2", get(v4), get("["+v6+"]")), "--net=default")
		from := 0
		for line := range strings.Lines(got) {
			if ip, ok := strings.CutPrefix(strings.TrimSpace(line), "from "); ok {
				from++
				if !strings.Contains(got, " "+strings.TrimPrefix(strings.Trim(ip, "[]"), "::ffff:")+"/") {
					t.Errorf("a pod came from %s; it has %s", ip, got)
				}
			}
		}
		if from != 2 {
			t.Errorf("answers: %s", got)
		}
	})
	t.Run("leads out, masqueraded, where another network is routed", func(t *testing.T) {
		p.MustRun(t, `ip netns add outside && ip link add out0 type veth peer name out1 netns outside && ip addr add 192.0.2.1/24 dev out0 && ip link set out0 up
ip -n outside addr add 192.0.2.2/24 dev out1; ip -n outside link set out1 up; ip -n outside route add default via 192.0.2.1
mkdir -p /srv/outside/cgi-bin; printf '#!/bin/sh\necho; echo from $REMOTE_ADDR\n' >/srv/outside/cgi-bin/who; chmod +x /srv/outside/cgi-bin/who
mkdir -p /srv/outside/config/net.d; cat >/srv/outside/config/net.d/10-routed.conf <<'EOF'
{"cniVersion":"0.3.1","name":"routed","type":"ptp","ipam":{"type":"host-local","subnet":"10.99.0.0/24","dataDir":"/run/raket/cni","routes":[{"dst":"0.0.0.0/0"}]}}
EOF
systemd-run -q --unit=f-outside ip netns exec outside busybox httpd -f -p 80 -h /srv/outside`)
		t.Cleanup(func() {
			p.Run(t, "systemctl stop f-outside; ip netns del outside; ip link del out0; rm -rf /srv/outside")
		})
		p.WaitFor(t, time.Minute, "curl -fsS -o /dev/null "+get("192.0.2.2"))
		if got := p.output(t, "wget -qO- "+get("192.0.2.2"), "--net=default"); !strings.Contains(got, "192.0.2.1]") {
			t.Errorf("by the default network %q", got)
		}
		r := p.Run(t, p.cmd()+" --local-config=/srv/outside/config "+quote(runLine([]string{"--net=routed"}, app{script: "wget -qO- " + get("192.0.2.2")})...))
		if !strings.Contains(r.Stdout, "10.99.0.") {
			t.Errorf("by a network that is routed %q, %q", r.Stdout, r.Stderr)
		}
		if r := p.run(t, []string{"--net=default-restricted"}, app{script: "ip route; timeout 3 wget -qO- " + get("192.0.2.2")}); r.Code == 0 || strings.Contains(r.Stdout, "default via") {
			t.Errorf("by the restricted network %q", r.Stdout)
		}
	})
	t.Run("outlives every start of an app", func(t *testing.T) {
		first := p.MustRun(t, "curl -gfsS http://"+v4+"/started")
		p.MustRun(t, "kill -9 "+p.pidOf(t, unit, "web"))
		p.WaitFor(t, time.Minute, fmt.Sprintf("new=$(curl -gfsS http://%s/started) && test \"$new\" != %s", v4, quote(strings.TrimSpace(first))))
		if again, _, _ := p.addresses(t, uuid); again != v4 {
			t.Errorf("its address is %s, and was %s", again, v4)
		}
	})
	t.Run("can be verified", func(t *testing.T) {
		p.must(t, "status", "--verify", uuid)
		p.MustRun(t, "ip link del "+hostIf)
		if r := p.raket(t, "status", "--verify", uuid); r.Code == 0 || !strings.Contains(r.Stderr, "network default: ") {
			t.Errorf("exit status %d, %q", r.Code, r.Stderr)
		}
	})
	p.MustRun(t, "systemctl stop "+unit)
	// Without any further command of raket's.
	p.WaitFor(t, time.Minute, fmt.Sprintf("test -z \"$(ls -A %s/networks/pods)\" && ! systemctl list-units --all --plain --no-legend 'raket-network-*' | grep -q .", p.dir))
	p.expectLeases(t, before)
}

func TestManyPodsAtATime(t *testing.T) {
	p := newPods(t)
	before := p.leases(t)
	const pods = 20
	got := p.MustRun(t, fmt.Sprintf(`%s fetch --quiet %s >/dev/null
for i in $(seq %d); do %s run --quiet --net=default %s --exec=/bin/sh -- -c 'ip -o -4 addr show dev eth0' >/tmp/many.$i 2>&1 || echo "pod $i ended with $?" & done
wait; cat /tmp/many.*; rm /tmp/many.*`, p.cmd(), busybox, pods, p.cmd(), busybox))
	seen := map[string]bool{}
	for line := range strings.Lines(got) {
		if f := strings.Fields(line); len(f) > 3 {
			seen[f[3]] = true
		}
	}
	if strings.Count(got, " inet ") != pods {
		t.Errorf("not every pod has an address: %s", got)
	}
	// An address can be had again as soon as its pod has left.
	if len(seen) < 2 || strings.Contains(got, "ended with") {
		t.Errorf("addresses %v", seen)
	}
	p.collect(t)
	p.expectLeases(t, before)
}

func TestWhatCrashedPodsLeaveOfTheirNetworks(t *testing.T) {
	p := newPods(t)
	before := p.leases(t)
	// A whole start takes about as long as the first; the others are killed anywhere in it and
	// a little later.
	const pods = 200
	res := p.Do(t, testhost.Cmd{Timeout: 15 * time.Minute, Script: fmt.Sprintf(`%[1]s fetch --quiet %[2]s >/dev/null
start=$(echo ${EPOCHREALTIME/./}); %[1]s run --quiet --net=default %[2]s --exec=/bin/true >/dev/null; whole=$(( ${EPOCHREALTIME/./} - start ))
one() {
	%[1]s run --quiet --net=default --port=$((20000 + $1)):80 %[2]s --exec=/bin/sleep -- 1000 >/dev/null 2>/tmp/crashed.$1 </dev/null &
	wait=$(( RANDOM * RANDOM %% (whole * 3 / 2) ))
	sleep $((wait / 1000000)).$(printf %%06d $((wait %% 1000000)))
	kill -9 $! || echo "pod $1 had ended"
	wait $! 2>/dev/null
}
for i in $(seq %[3]d); do one $i & (( i %% 4 )) || wait; done 2>&1
wait
echo of %[3]d: $(ls %[4]s/pods/run | wc -l) were started, $(find %[4]s/pods/run -maxdepth 2 -name network.json | wc -l) had joined their networks`, p.cmd(), busybox, pods, p.dir)})
	t.Log(strings.TrimSpace(res.Stdout))
	if res.Code != 0 || strings.Contains(res.Stdout, "had ended") {
		t.Errorf("pods ended before they were killed: %s", p.Run(t, "cat /tmp/crashed.*").Stdout)
	}
	p.collect(t)
	p.WaitFor(t, time.Minute, "! systemctl list-units --all --plain --no-legend 'raket-network-*' | grep -q .")
	p.expectLeases(t, before)
}
