package cli

import (
	"io/fs"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/raket/raket/pkg/stageabi"
	"github.com/raket/raket/stage0/cli/appargs"
)

func TestAddRunOptions(t *testing.T) {
	files := map[string]string{hostsPath: "host's /etc/hosts", resolvConfPath: "# managed\nsearch corp.example\nnameserver 10.9.9.9\nnameserver 127.0.0.1\n"}
	host := func(path string) (string, error) {
		if text, ok := files[path]; ok {
			return text, nil
		}
		return "", fs.ErrNotExist
	}
	const localhost = "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n"
	const defaultHosts = localhost + "127.0.1.1\tbox\n"
	text := func(s string) *string { return &s }
	for name, tt := range map[string]struct {
		mode       string
		opts       appargs.RunOptions
		hosts      string
		resolvConf *string
	}{
		"a pod without a network keeps the images' resolv.conf": {
			"none", appargs.RunOptions{}, defaultHosts, nil,
		},
		"a pod on the host's network has the host's name servers": {
			"host", appargs.RunOptions{}, defaultHosts, text(files[resolvConfPath]),
		},
		"a pod with a network of its own has those that it reaches, and its stage1 adds its addresses": {
			"cni", appargs.RunOptions{}, localhost, text("search corp.example\nnameserver 10.9.9.9\n"),
		},
		"dns=host is no different there": {
			"cni", appargs.RunOptions{DNS: []string{"host"}}, localhost, text("search corp.example\nnameserver 10.9.9.9\n"),
		},
		"dns=none leaves resolv.conf alone even on the host's network": {
			"host", appargs.RunOptions{DNS: []string{"none"}}, defaultHosts, nil,
		},
		"what is said of DNS makes a file of its own": {
			"host", appargs.RunOptions{
				DNS: []string{"10.0.0.1", "10.0.0.2"}, DNSSearch: []string{"a.example", "b.example"},
				DNSOpt: []string{"ndots:2"}, DNSDomain: "example",
			},
			defaultHosts,
			text("domain example\nsearch a.example b.example\nnameserver 10.0.0.1\nnameserver 10.0.0.2\noptions ndots:2\n"),
		},
		"entries come behind the pod's own": {
			"none", appargs.RunOptions{Hosts: []appargs.HostsEntry{{IP: "10.0.0.3", Names: []string{"db", "database"}}}},
			defaultHosts + "10.0.0.3\tdb database\n", nil,
		},
		"entries come behind the host's, on lines of their own": {
			"none", appargs.RunOptions{HostsFromHost: true, Hosts: []appargs.HostsEntry{{IP: "::2", Names: []string{"db"}}}},
			"host's /etc/hosts\n::2\tdb\n", nil,
		},
		"a host name given is in the hosts file": {
			"none", appargs.RunOptions{Hostname: "web"},
			localhost + "127.0.1.1\tweb\n", nil,
		},
	} {
		t.Run(name, func(t *testing.T) {
			box := stageabi.Sandbox{Hostname: "box", Network: stageabi.Network{Mode: tt.mode, CompleteHosts: tt.mode == "cni"}}
			if err := addRunOptions(&box, tt.opts, host); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.hosts, *box.Hosts); diff != "" {
				t.Errorf("hosts (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tt.resolvConf, box.ResolvConf); diff != "" {
				t.Errorf("resolv.conf (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAHostWithoutResolvConfIsNoError(t *testing.T) {
	missing := func(string) (string, error) { return "", fs.ErrNotExist }
	for _, mode := range []string{"host", "cni"} {
		box := stageabi.Sandbox{Network: stageabi.Network{Mode: mode}}
		if err := addRunOptions(&box, appargs.RunOptions{}, missing); err != nil || box.ResolvConf != nil {
			t.Errorf("%s: got %v, %v", mode, box.ResolvConf, err)
		}
		if err := addRunOptions(&box, appargs.RunOptions{DNS: []string{"host"}}, missing); err == nil {
			t.Errorf("%s: no error, though the host's file was asked for", mode)
		}
	}
}

func TestNameServersThatAPodReaches(t *testing.T) {
	stub := "# This is /run/systemd/resolve/stub-resolv.conf\nnameserver 127.0.0.53\noptions edns0 trust-ad\nsearch lan\n"
	for name, tt := range map[string]struct {
		conf, upstream string
		want           string
		ok             bool
	}{
		"systemd-resolved's stub":           {stub, "nameserver 192.0.2.1\nnameserver fe80::1%eth0\nnameserver 2001:db8::1\nsearch lan\n", "nameserver 192.0.2.1\nnameserver 2001:db8::1\nsearch lan\n", true},
		"resolved has none that is reached": {stub, "nameserver ::1\n", "", false},
		"a server on the loopback alone":    {"nameserver 127.0.0.1\noptions ndots:1\n", "", "options ndots:1\n", false},
		"one beside others":                 {"nameserver ::1\n; old\nnameserver 10.0.0.1 \nnameserver 0.0.0.0\nnameserver\n", "", "nameserver 10.0.0.1\n", true},
	} {
		t.Run(name, func(t *testing.T) {
			host := func(path string) (string, error) {
				switch {
				case path == resolvConfPath:
					return tt.conf, nil
				case path == upstreamPath && tt.upstream != "":
					return tt.upstream, nil
				}
				return "", fs.ErrNotExist
			}
			got, ok, err := hostResolvConf("cni", host)
			if err != nil || got != tt.want || ok != tt.ok {
				t.Errorf("got %q, %v, %v; want %q, %v", got, ok, err, tt.want, tt.ok)
			}
			if got, ok, err := hostResolvConf("host", host); err != nil || got != tt.conf || !ok {
				t.Errorf("on the host's network: %q, %v, %v", got, ok, err)
			}
		})
	}
}
