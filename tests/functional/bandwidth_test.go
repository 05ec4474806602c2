package functional

import (
	"fmt"
	"strings"
	"testing"

	"github.com/raket/raket/tests/images"
)

// flood is what an app could send at once.
type flood struct {
	passed, refused int // bytes, datagrams
	seconds         float64
}

// within says that a limit of so many bytes a second was kept, and was all that was.
func (f flood) within(t *testing.T, what string, rate int) {
	t.Helper()
	const leastBucket = 128 << 10
	if most := float64(max(rate, leastBucket)) + float64(rate)*f.seconds; float64(f.passed) > most || f.passed == 0 {
		t.Errorf("%s: %d bytes passed in %g seconds, of at most %.0f", what, f.passed, f.seconds, most)
	}
	if f.refused == 0 {
		t.Errorf("%s: all that was sent passed", what)
	}
}

// trafficImage is busybox with the program traffic.
func (p *pods) trafficImage(t *testing.T) string {
	t.Helper()
	traffic, err := images.Program(t.Context(), "traffic")
	if err != nil {
		t.Fatal(err)
	}
	return putImage(t, p.Host, "traffic", images.Busybox().Layer(traffic))
}

// tables are those of nf_tables in a pod's network that limit something.
func (p *pods) tables(t *testing.T, uuid string) string {
	t.Helper()
	return p.MustRun(t, fmt.Sprintf("pid=$(cat %s/pods/run/%s/pid); nsenter -t $(cat /proc/$pid/task/$pid/children) -n nft list tables | sort | tr '\\n' ' '", p.dir, uuid))
}

func TestNetworkBandwidth(t *testing.T) {
	p := newPods(t)
	image := p.trafficImage(t)
	const rate = 200_000
	sleeps := []string{"/bin/sleep", "1000"}
	limited := []string{fmt.Sprintf("--network-bandwidth=%d", rate)}
	uuid, _ := p.start(t, []string{"--net=default"},
		app{name: "held", image: image, args: sleeps, flags: append([]string{"--user=4242", "--restart=always"}, limited...)},
		app{name: "rooted", image: image, args: sleeps, flags: append([]string{"--property=PrivateTmp=yes"}, limited...)},
		app{name: "free", image: image, args: sleeps})
	v4, _, _ := p.addresses(t, uuid)
	exec := func(app string, args ...string) string {
		t.Helper()
		return p.must(t, append([]string{"exec", "--app=" + app, uuid}, args...)...)
	}
	// send has an app send more than it may to each of some addresses.
	send := func(app string, to ...string) []flood {
		t.Helper()
		floods := make([]flood, len(to))
		lines := strings.Split(exec(app, "/bin/sh", "-c", "for a in "+strings.Join(to, " ")+"; do traffic send 1500 $a:9 || exit; done"), "\n")
		for i := range floods {
			f := &floods[i]
			if _, err := fmt.Sscan(lines[min(i, len(lines)-1)], &f.passed, &f.refused, &f.seconds); err != nil || len(lines) != len(to) {
				t.Fatalf("got %q, %v", lines, err)
			}
		}
		return floods
	}
	const gateway = "172.16.28.1"
	held := send("held", gateway, "127.0.0.1", v4)
	held[0].within(t, "app held", rate)
	send("rooted", gateway)[0].within(t, "app rooted", rate)
	// What stays in the pod is not limited, whatever its address, nor is an app that nobody limits.
	for i, f := range append(held[1:], send("free", gateway)...) {
		if f.refused != 0 {
			t.Errorf("flood %d is limited: %+v", i, f)
		}
	}

	t.Run("of what is received", func(t *testing.T) {
		const size, rate = 500_000, rate
		sink := fmt.Sprintf("exec --app=held %s /usr/bin/traffic sink :7000", uuid)
		out := p.MustRun(t, fmt.Sprintf(`%s %s >/run/f-sink & until read from _ </proc/uptime && (exec 3>/dev/tcp/%s/7000 && head -c %d /dev/zero >&3) 2>/dev/null; do sleep 0.02; done; wait $! && echo $from $(cat /run/f-sink)`,
			p.cmd(), sink, v4, size))
		var from, to float64
		var n int
		if _, err := fmt.Sscan(out, &from, &n, &to); err != nil || n != size {
			t.Fatalf("got %q", out)
		}
		const tick = 0.02
		if most := rate + rate*(to-from+tick); float64(n) > most {
			t.Errorf("%d bytes came in %g seconds, of at most %.0f", n, to-from, most)
		}
	})

	// The group is another one after each start.
	before := p.tables(t, uuid)
	if before != "table inet raket-bandwidth-held table inet raket-bandwidth-rooted " {
		t.Errorf("tables %q", before)
	}
	p.must(t, "app", "kill", "--signal=KILL", uuid, "held")
	p.WaitFor(t, limit, fmt.Sprintf(`grep -qx runs=1 %s/pods/run/%s/status/held && %s exec --app=held %s true`, p.dir, uuid, p.cmd(), uuid))
	send("held", gateway)[0].within(t, "app held, started again", rate)

	p.must(t, append(append([]string{"app", "update", "--quiet", uuid, "free", image, "--exec=/bin/sleep"}, limited...), "--", "1000")...)
	send("free", gateway)[0].within(t, "app free, updated", rate)

	p.must(t, "app", "stop", uuid, "held")
	p.must(t, "app", "stop", uuid, "rooted")
	if after := p.tables(t, uuid); after != "table inet raket-bandwidth-free " {
		t.Errorf("tables %q after two apps ended", after)
	}
}

func TestNetworkBandwidthOfASandbox(t *testing.T) {
	p := newPods(t)
	uuid, _ := p.sandbox(t, "--net=default", "--log=file")
	p.add(t, uuid, app{name: "a", script: "exec sleep 1000", flags: []string{"--network-bandwidth=1M"}})
	p.must(t, "app", "start", uuid, "a")
	if got := p.tables(t, uuid); got != "table inet raket-bandwidth-a " {
		t.Errorf("tables %q", got)
	}
	p.must(t, "app", "stop", uuid, "a")
	p.must(t, "app", "rm", uuid, "a")
	if got := p.tables(t, uuid); got != "" {
		t.Errorf("tables %q, of an app that is gone", got)
	}
}

// notLimited begins the reason why not.
const notLimited = "not limited as asked, by resource/network-bandwidth: "

func TestNetworkBandwidthThatCannotBeLimited(t *testing.T) {
	p := newPods(t)
	const flag = "--network-bandwidth=200k"
	for name, tt := range map[string]struct {
		pod        []string
		complaints []string
	}{
		"no network to limit": {pod: []string{flag, "--net=none"}},
		"the host's network":  {pod: []string{flag, "--net=host"}, complaints: []string{"app app: " + notLimited + "the network is the host's", "the pod: " + notLimited + "the network is the host's"}},
		"flavour fly":         {pod: []string{"--stage1-name=fly", "--net=host"}, complaints: []string{"app app: " + notLimited + "the network is the host's"}},
	} {
		t.Run(name, func(t *testing.T) {
			r := p.run(t, tt.pod, app{script: "echo ran", flags: []string{flag}})
			if r.Code != 0 || r.Stdout != "ran\n" || strings.Count(r.Stderr, notLimited) != len(tt.complaints) {
				t.Errorf("got %+v", r)
			}
			for _, want := range tt.complaints {
				if !strings.Contains(r.Stderr, "raket: "+want+"\n") {
					t.Errorf("said %q, and not %q", r.Stderr, want)
				}
			}
		})
	}
	t.Run("an app of a running pod that was not to limit any", func(t *testing.T) {
		uuid, _ := p.start(t, []string{"--net=default"}, app{script: "exec sleep 1000"})
		r := p.raket(t, update(uuid, "app", "exec sleep 1001", flag)...)
		if want := "raket: app app: " + notLimited + "the pod was started without CAP_NET_ADMIN (--capability=CAP_NET_ADMIN)\n"; r.Code != 0 || r.Stderr != want {
			t.Errorf("got %+v, want %q", r, want)
		}
	})
}

// All apps together can be limited whoever the pod's users are, and one by one they cannot.
func TestNetworkBandwidthOfAPod(t *testing.T) {
	p := newPods(t)
	const rate = 200_000
	// One after the other, under one limit: between the first datagram and the last is the pod's life.
	script := `for i in 1 2; do traffic send 1500 172.16.28.1:9; done`
	var f, sum flood
	r := p.run(t, []string{"--net=default", "--private-users", fmt.Sprintf("--network-bandwidth=%d", rate)}, app{image: p.trafficImage(t), script: "read a _ </proc/uptime; " + script + "; read b _ </proc/uptime; echo 0 $a $b", flags: []string{"--network-bandwidth=1"}})
	lines := strings.Split(strings.TrimSpace(r.Stdout), "\n")
	if r.Code != 0 || len(lines) != 3 || strings.Count(r.Stderr, notLimited) != 1 || !strings.Contains(r.Stderr, "raket: app app: "+notLimited+"a pod with users of its own has no rights over its network\n") {
		t.Fatalf("got %+v", r)
	}
	for _, line := range lines[:2] {
		if _, err := fmt.Sscan(line, &f.passed, &f.refused, &f.seconds); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		sum.passed, sum.refused = sum.passed+f.passed, sum.refused+f.refused
	}
	var from, to float64
	if _, err := fmt.Sscan(lines[2], &sum.seconds, &from, &to); err != nil {
		t.Fatalf("%q: %v", lines[2], err)
	}
	sum.seconds = to - from + 0.02 // of a clock that has hundredths
	sum.within(t, "the pod", rate)
}
