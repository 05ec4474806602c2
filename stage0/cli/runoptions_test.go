package cli

import (
	"io/fs"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/raket/raket/pkg/stageabi"
	"github.com/raket/raket/stage0/cli/appargs"
)

func TestAddRunOptions(t *testing.T) {
	host := func(path string) (string, error) { return "host's " + path, nil }
	const defaultHosts = "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n127.0.1.1\tbox\n"
	text := func(s string) *string { return &s }
	for name, tt := range map[string]struct {
		opts       appargs.RunOptions
		hosts      string
		resolvConf *string
	}{
		"a pod without a network keeps the images' resolv.conf": {
			appargs.RunOptions{Net: "none"}, defaultHosts, nil,
		},
		"a pod on the host's network has the host's name servers": {
			appargs.RunOptions{Net: "host"}, defaultHosts, text("host's /etc/resolv.conf"),
		},
		"dns=none leaves resolv.conf alone even on the host's network": {
			appargs.RunOptions{Net: "host", DNS: []string{"none"}}, defaultHosts, nil,
		},
		"what is said of DNS makes a file of its own": {
			appargs.RunOptions{
				Net: "host", DNS: []string{"10.0.0.1", "10.0.0.2"}, DNSSearch: []string{"a.example", "b.example"},
				DNSOpt: []string{"ndots:2"}, DNSDomain: "example",
			},
			defaultHosts,
			text("domain example\nsearch a.example b.example\nnameserver 10.0.0.1\nnameserver 10.0.0.2\noptions ndots:2\n"),
		},
		"entries come behind the pod's own": {
			appargs.RunOptions{Hosts: []appargs.HostsEntry{{IP: "10.0.0.3", Names: []string{"db", "database"}}}},
			defaultHosts + "10.0.0.3\tdb database\n", nil,
		},
		"entries come behind the host's, on lines of their own": {
			appargs.RunOptions{HostsFromHost: true, Hosts: []appargs.HostsEntry{{IP: "::2", Names: []string{"db"}}}},
			"host's /etc/hosts\n::2\tdb\n", nil,
		},
		"a host name given is in the hosts file": {
			appargs.RunOptions{Hostname: "web"},
			"127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n127.0.1.1\tweb\n", nil,
		},
	} {
		t.Run(name, func(t *testing.T) {
			box := stageabi.Sandbox{Hostname: "box", Network: stageabi.Network{Mode: stageabi.NetNone}}
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
	box := stageabi.Sandbox{}
	if err := addRunOptions(&box, appargs.RunOptions{Net: "host"}, missing); err != nil || box.ResolvConf != nil {
		t.Errorf("got %v, %v", box.ResolvConf, err)
	}
	if err := addRunOptions(&box, appargs.RunOptions{DNS: []string{"host"}}, missing); err == nil {
		t.Error("no error, though the host's file was asked for")
	}
}
