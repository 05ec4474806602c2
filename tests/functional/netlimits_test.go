package functional

import (
	"fmt"
	"strings"
	"testing"
)

// limitedApp serves a file, and takes what is posted to it.
func limitedApp() app {
	return app{name: "app", script: `mkdir -p /srv/cgi-bin; cd /srv; head -c 1500000 /dev/zero >file
printf '#!/bin/sh\necho; head -c $CONTENT_LENGTH | wc -c\n' >cgi-bin/take; chmod +x cgi-bin/take
exec httpd -f -h /srv`}
}

func TestNetworksThatLimitPods(t *testing.T) {
	p := newPods(t)
	p.MustRun(t, `mkdir -p /run/f-limits/net.d; cd /run/f-limits/net.d
echo '{"cniVersion":"1.0.0","name":"slow","plugins":[{"type":"ptp","ipam":{"type":"host-local","dataDir":"/run/f-limits/leases","subnet":"10.83.0.0/24"}},{"type":"bandwidth","capabilities":{"bandwidth":true}}]}' >10-slow.conflist
echo '{"cniVersion":"1.0.0","name":"lan","type":"macvlan","master":"lo","ipam":{"type":"static"}}' >20-lan.conf`)
	t.Cleanup(func() { p.Run(t, "rm -rf /run/f-limits") })
	raket := p.cmd() + " --user-config=/run/f-limits"
	// In bits, as CNI has them.
	const rate, burst = 8_000_000, 400_000
	line := podLine([]string{"run", "--quiet", "--uuid-file-save=/run/f-limits/uuid", fmt.Sprintf("--net=slow:egressRate=8M;egressBurst=%d,default:ingressRate=8M;ingressBurst=%[1]d", burst)}, limitedApp())
	p.MustRun(t, "systemd-run --quiet --unit=f-limits -p Type=notify -p KillMode=mixed -p Delegate=yes -p SuccessExitStatus=133 -- "+raket+" "+quote(line...))
	t.Cleanup(func() { p.Run(t, "systemctl stop f-limits; systemctl reset-failed f-limits") })
	got := p.MustRun(t, `set -e; r=`+quote(raket)+`; u=$(cat /run/f-limits/uuid)
at() { $r status --format=json $u | jq -r ".networks[] | select(.netName == \"$1\").ip"; }
until curl -sf -o /dev/null -r 0-0 http://$(at slow)/file; do sleep 0.05; done
curl -sf -o /dev/null -w '%{size_download} %{time_total}\n' http://$(at slow)/file
head -c 1500000 /dev/zero >/run/f-limits/file
curl -sf -o /run/f-limits/said -H Expect: --data-binary @/run/f-limits/file -w '%{size_upload} %{time_total}\n' http://$(at default)/cgi-bin/take
cat /run/f-limits/said; $r status --verify $u >/dev/null`)
	var sent, taken, counted float64
	var sending, taking float64
	if _, err := fmt.Sscan(got, &sent, &sending, &taken, &taking, &counted); err != nil {
		t.Fatalf("%v in %q", err, got)
	}
	for name, way := range map[string]struct{ bytes, seconds float64 }{"sent": {sent, sending}, "taken": {taken, taking}} {
		if most := (burst + rate*way.seconds) / 8; way.bytes != 1_500_000 || way.bytes > most {
			t.Errorf("%s: %.0f bytes in %.3f s, want 1500000 and at most %.0f", name, way.bytes, way.seconds, most)
		}
	}
	if counted != taken {
		t.Errorf("the app has %.0f bytes of %.0f", counted, taken)
	}
	for _, tt := range [][2]string{
		{"--net=lan:egressRate=8M", "network lan cannot limit how fast a pod is: none of its plugins has the capability bandwidth"},
		{"--net=slow:egressBurst=1M", "egressBurst says nothing without egressRate"},
	} {
		if r := p.Run(t, raket+" run --quiet "+tt[0]+" "+busybox+" --exec=/bin/true"); r.Code == 0 || !strings.Contains(r.Stderr, tt[1]) {
			t.Errorf("%s: status %d, %q; want %q", tt[0], r.Code, r.Stderr, tt[1])
		}
	}
	p.MustRun(t, "systemctl stop f-limits")
	p.WaitFor(t, limit, "! ip -o link | grep bwp")
}
