package prepare

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/raket/raket/pkg/appspec"
	"github.com/raket/raket/pkg/podmanifest"
)

func TestSocketActivatedPorts(t *testing.T) {
	port := func(name, protocol string, n, count uint16, activated bool) appspec.Port {
		return appspec.Port{Name: name, Protocol: protocol, Port: n, Count: count, SocketActivated: activated}
	}
	for _, tc := range []struct {
		name    string
		ports   []appspec.Port
		exposed string
		want    []string
		err     string
	}{
		{name: "no ports"},
		{name: "a port that the app opens itself", ports: []appspec.Port{port("http", "tcp", 80, 1, false)}},
		{name: "two", ports: []appspec.Port{port("http", "tcp", 80, 1, true), port("dns", "udp", 53, 1, true)},
			want: []string{"activated:tcp:80,name=http", "activated:udp:53,name=dns"}},
		{name: "a range", ports: []appspec.Port{port("rtp", "udp", 5000, 2, true)}, want: []string{"activated:udp:5000,name=rtp", "activated:udp:5001,name=rtp"}},
		{name: "another port on the host", ports: []appspec.Port{port("http", "tcp", 80, 1, true)}, exposed: `{"name":"http","hostPort":8080}`,
			want: []string{"activated:tcp:8080,name=http"}},
		{name: "another port of the pod", ports: []appspec.Port{port("http", "tcp", 80, 1, true)}, exposed: `{"name":"https","hostPort":8080}`,
			want: []string{"activated:tcp:80,name=http"}},
		{name: "a protocol without sockets of systemd's", ports: []appspec.Port{port("x", "sctp", 80, 1, true)}, err: "port x: socketActivated is for tcp and udp"},
		{name: "more than a process has descriptors for", ports: []appspec.Port{port("x", "tcp", 1, 60000, true)}, err: "port x: more than 256"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			m, err := podmanifest.Parse([]byte(`{"acKind":"PodManifest","acVersion":"0.8.11","apps":[],"ports":[` + tc.exposed + `]}`))
			if err != nil {
				t.Fatal(err)
			}
			got, err := activated(tc.ports, m)
			if tc.err != "" {
				if err == nil || !strings.Contains(err.Error(), tc.err) {
					t.Errorf("error %v, want one with %q", err, tc.err)
				}
				return
			}
			if diff := cmp.Diff(tc.want, got); err != nil || diff != "" {
				t.Errorf("error %v (-want +got):\n%s", err, diff)
			}
		})
	}
}
