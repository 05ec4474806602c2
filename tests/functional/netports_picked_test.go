package functional

import (
	"fmt"
	"strings"
	"testing"

	"github.com/raket/raket/pkg/stageabi"
)

// ports are those that a pod publishes.
func (p *pods) ports(t *testing.T, uuid string) []stageabi.Port {
	t.Helper()
	return decode[struct{ Ports []stageabi.Port }](t, p.must(t, "status", "--format=json", uuid)).Ports
}

func TestPickedPorts(t *testing.T) {
	p := newPods(t)
	p.withPeer(t)
	flags := []string{"-p80", "-p", "127.0.0.1::53/udp", "--port=80-tcp:127.0.0.1:", "--publish=7000-7001", "--port=80-tcp"}
	server := peers("tcp:[::]:80", "udp:[::]:53", "tcp:[::]:7000", "tcp:[::]:7001")
	// None is picked for a pod that is only prepared.
	prepared := p.must(t, append([]string{"prepare", "--quiet"}, podLine(flags, server)...)...)
	if manifest := p.must(t, "cat-manifest", prepared); strings.Count(manifest, `"hostPort":0`) != len(flags)-1 {
		t.Errorf("a prepared pod has ports of the host: %s", manifest)
	}
	// All that the image names, but for what is published already.
	all := p.must(t, "prepare", "--quiet", "-P", "-p8080:80", peerImage)
	if got := p.MustRun(t, p.cmd()+" cat-manifest "+all+" | jq -r '.ports[] | \"\\(.hostPort):\\(.podPort.port)/\\(.podPort.protocol)\"'"); got != "8080:80/tcp\n0:53/udp" {
		t.Errorf("-P publishes %q", got)
	}
	p.must(t, "rm", prepared, all)

	seen := map[string]bool{}
	var calls []call
	for _, name := range []string{"one", "other"} {
		uuid := p.launch(t, name, append([]string{"--net=default"}, flags...), server)
		four, _ := p.peerAddresses(t, uuid)
		ports := p.ports(t, uuid)
		if len(ports) != 6 {
			t.Fatalf("%d ports: %+v", len(ports), ports)
		}
		var texts []string
		for i, want := range []struct {
			ip, protocol string
			podPort      uint16
		}{{"", "tcp", 80}, {"127.0.0.1", "udp", 53}, {"127.0.0.1", "tcp", 80}, {"", "tcp", 7000}, {"", "tcp", 7001}, {"", "tcp", 80}} {
			got := ports[i]
			if got.HostIP != want.ip || got.Protocol != want.protocol || got.PodPort != want.podPort || got.HostPort == 0 {
				t.Errorf("port %d is %+v, want %+v", i, got, want)
			}
			number := fmt.Sprintf("%d/%s", got.HostPort, got.Protocol)
			if seen[number] {
				t.Errorf("%s is there twice", number)
			}
			seen[number] = true
			at := four
			if got.Protocol == "udp" {
				at = "[::]"
			}
			calls = append(calls, call{peerPath, fmt.Sprintf("%s:127.0.0.1:%d", got.Protocol, got.HostPort), fmt.Sprintf("172.16.28.1 %s:%d", at, got.PodPort)})
			text := fmt.Sprintf("%d:%d/%s", got.HostPort, got.PodPort, got.Protocol)
			if got.HostIP != "" {
				text = got.HostIP + ":" + text
			}
			texts = append(texts, text)
		}
		want := strings.Join(texts, ",")
		if shown := p.MustRun(t, fmt.Sprintf("%[1]s status %[2]s; %[1]s list --full", p.cmd(), uuid)); !strings.Contains(shown, "ports="+want+"\n") || !strings.Contains(shown, "\t"+want) {
			t.Errorf("status and list --full do not say %s:\n%s", want, shown)
		}
	}
	p.calls(t, calls)
	for _, tt := range [][2]string{
		{"--net=host -p 80", "port 80/tcp: with --net=host the app's port 80 is the host's"},
		{"--net=default --port=htpp", `no app has a port named "htpp": there are 53-udp, 80-tcp`},
		{"--net=default --port=:80", "say which port of the host it is, or leave the colon out for a free one"},
	} {
		if r := p.Run(t, p.cmd()+" run --quiet "+tt[0]+" "+peerImage); r.Code == 0 || !strings.Contains(r.Stderr, tt[1]) {
			t.Errorf("%s: status %d, %q; want %q", tt[0], r.Code, r.Stderr, tt[1])
		}
	}
	if got := len(p.list(t)); got != 2 {
		t.Errorf("%d pods", got)
	}
}
