package netconf

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/raket/raket/pkg/stageabi"
)

func TestParse(t *testing.T) {
	for name, tt := range map[string]struct {
		text    string
		want    string // Config
		plugins []Plugin
		subnets []string
	}{
		"a list stays as it is": {
			text:    `{"cniVersion":"1.0.0","name":"lan","disableCheck":"true","plugins":[{"type":"bridge","bridge":"br0","ipam":{"type":"host-local","ranges":[[{"subnet":"10.1.0.1/16"}],[{"subnet":"fd00::/64","rangeStart":"fd00::9"}]]}},{"type":"portmap","capabilities":{"portMappings":true,"x":false}}]}`,
			want:    `{"cniVersion":"1.0.0","disableCheck":true,"name":"lan","plugins":[{"type":"bridge","bridge":"br0","ipam":{"type":"host-local","ranges":[[{"subnet":"10.1.0.1/16"}],[{"subnet":"fd00::/64","rangeStart":"fd00::9"}]]}},{"type":"portmap","capabilities":{"portMappings":true,"x":false}}]}`,
			plugins: []Plugin{{Type: "bridge", IPAM: "host-local", Master: "br0"}, {Type: "portmap", Capabilities: []string{"portMappings"}}},
			subnets: []string{"10.1.0.0/16", "fd00::/64"},
		},
		"one plugin becomes a list, and a version from before 0.3 is raised": {
			text:    `{"name":"containers","type":"bridge","ipMasq":true,"ipam":{"type":"host-local","subnet":"10.22.0.0/16"}}`,
			want:    `{"cniVersion":"0.3.1","name":"containers","plugins":[{"name":"containers","type":"bridge","ipMasq":true,"ipam":{"type":"host-local","subnet":"10.22.0.0/16"}}]}`,
			plugins: []Plugin{{Type: "bridge", IPAM: "host-local"}}, subnets: []string{"10.22.0.0/16"},
		},
		"what a plugin's keys hold is the plugin's": {
			text:    `{"cniVersion":"0.4.0","name":"x","type":"other","backend":{"a":1},"master":7,"ipam":{}}`,
			want:    `{"cniVersion":"0.4.0","name":"x","plugins":[{"cniVersion":"0.4.0","name":"x","type":"other","backend":{"a":1},"master":7,"ipam":{}}]}`,
			plugins: []Plugin{{Type: "other"}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			n, err := Parse([]byte(tt.text), false)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, string(n.Config)); diff != "" {
				t.Errorf("config (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tt.plugins, n.Plugins); diff != "" {
				t.Errorf("plugins (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tt.subnets, n.Subnets); diff != "" {
				t.Errorf("subnets (-want +got):\n%s", diff)
			}
		})
	}
}

func TestBrokenFilesNameTheKey(t *testing.T) {
	for name, tt := range map[string]struct{ text, want string }{
		"no JSON":               {`{"name":`, "line 1: not JSON: unexpected end of JSON input"},
		"no name":               {`{"type":"ptp"}`, "line 1: key name is missing"},
		"a name of --net":       {`{"name":"host","type":"ptp"}`, `key name: "host" means something else to --net`},
		"a name with a slash":   {`{"name":"../x","type":"ptp"}`, `key name: "../x" is no name of a network`},
		"a number for a name":   {`{"name":1,"type":"ptp"}`, "key name: must be a string"},
		"a key twice":           {"{\"name\":\"a\",\n\"name\":\"b\",\"type\":\"ptp\"}", "line 2: key name: stands twice"},
		"an unknown key":        {`{"name":"a","plugin":[],"plugins":[]}`, "key plugin: a network has no such key"},
		"no type":               {`{"name":"a","plugins":[{"type":"ptp"},{"ipam":{}}]}`, "key plugins[1]: key type is missing"},
		"a path for a type":     {`{"name":"a","type":"../../bin/sh"}`, `key type: "../../bin/sh" is no name of a plugin`},
		"an address as subnet":  {`{"name":"a","type":"ptp","ipam":{"type":"host-local","subnet":"10.1.0.0"}}`, `key ipam.subnet: "10.1.0.0" is no subnet`},
		"a range without list":  {`{"name":"a","type":"ptp","ipam":{"type":"host-local","ranges":[{"subnet":"10.1.0.0/16"}]}}`, "key ipam.ranges[0]: must be an array"},
		"no plugin for IPAM":    {`{"name":"a","type":"ptp","ipam":{"subnet":"10.1.0.0/16"}}`, "key ipam: key type is missing"},
		"a version to come":     {`{"cniVersion":"2.0.0","name":"a","type":"ptp"}`, `key cniVersion: version "2.0.0" is not known`},
		"a word for a boolean":  {`{"name":"a","type":"ptp","capabilities":{"portMappings":"yes"}}`, "key capabilities.portMappings: must be true or false"},
		"what callers say":      {`{"name":"a","type":"ptp","runtimeConfig":{}}`, "key runtimeConfig: is said by who calls the plugin"},
		"plugins that are none": {`{"name":"a","plugins":{}}`, "key plugins: must be an array"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := Parse([]byte(tt.text), false); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}

// write makes a file below dir.
func write(t *testing.T, dir, name, text string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func ptpNamed(name, subnet string) string {
	return `{"cniVersion":"1.0.0","name":"` + name + `","plugins":[{"type":"ptp","ipam":{"type":"host-local","subnet":"` + subnet + `"}}]}`
}

func TestLaterLayersWin(t *testing.T) {
	foreign, vendor, local := t.TempDir(), t.TempDir(), t.TempDir()
	write(t, foreign, "10-a.conflist", ptpNamed("a", "10.0.1.0/24"))
	write(t, foreign, "11-again.conf", ptpNamed("a", "10.0.9.0/24"))
	write(t, foreign, "12-default.conf", ptpNamed("default", "10.0.2.0/24"))
	write(t, foreign, "20-broken.conf", `{}`)
	write(t, foreign, "README.txt", "no network")
	write(t, vendor, "50-b.json", ptpNamed("b", "10.0.3.0/24"))
	write(t, vendor, "30-c.conf", `{"cniVersion":"1.0.0","name":"c","type":"ptp","someKey":[1]}`)
	write(t, local, "90-b.conf", ptpNamed("b", "10.0.4.0/24"))
	layers := []Layer{{foreign, true}, {vendor, false}, {filepath.Join(local, "nowhere"), false}, {local, false}}
	s, err := Load(layers, Builtin(Host{}))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, n := range s.All() {
		got = append(got, n.Name+" "+strings.Join(n.Subnets, ","))
	}
	want := []string{"a 10.0.1.0/24", "c ", "b 10.0.4.0/24", "default 172.16.28.0/24", "default-restricted 172.16.29.0/24"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if len(s.Broken) != 1 || !strings.Contains(s.Broken[0].Err.Error(), foreign+"/20-broken.conf: line 1: key name is missing") {
		t.Errorf("broken: %v", s.Broken)
	}

	write(t, local, "10-default.conf", ptpNamed("default", "10.0.5.0/24"))
	s, err = Load(layers, Builtin(Host{}))
	if err != nil {
		t.Fatal(err)
	}
	if n, err := s.Find("default"); err != nil || n.Subnets[0] != "10.0.5.0/24" {
		t.Errorf("the host's own default: %v, %v", n, err)
	}
}

func TestPluginsInFilesOfTheirOwn(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "a.conflist", `{"cniVersion":"1.1.0","name":"a","plugins":[{"type":"ptp"}]}`)
	write(t, dir, "a/20-portmap.conf", `{"type":"portmap","capabilities":{"portMappings":true}}`)
	write(t, dir, "a/10-tuning.conf", `{"type":"tuning"}`)
	write(t, dir, "b.conflist", `{"cniVersion":"1.1.0","name":"b","loadOnlyInlinedPlugins":true,"plugins":[{"type":"ptp"}]}`)
	write(t, dir, "b/10-tuning.conf", `{"type":"tuning"}`)
	write(t, dir, "c.conflist", `{"cniVersion":"1.1.0","name":"c","plugins":[]}`)
	write(t, dir, "d.conflist", `{"cniVersion":"1.1.0","name":"d"}`)
	s, err := Load([]Layer{{Dir: dir}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	a, errA := s.Find("a")
	b, errB := s.Find("b")
	if errA != nil || errB != nil {
		t.Fatal(errA, errB)
	}
	if got, want := strings.Join(a.PluginNames(), " "), "ptp tuning portmap"; got != want {
		t.Errorf("a has %q, want %q", got, want)
	}
	if want := `{"cniVersion":"1.1.0","loadOnlyInlinedPlugins":true,"name":"a","plugins":[{"type":"ptp"},{"type":"tuning"},{"type":"portmap","capabilities":{"portMappings":true}}]}`; string(a.Config) != want {
		t.Errorf("a is %s", a.Config)
	}
	if got := strings.Join(b.PluginNames(), " "); got != "ptp" {
		t.Errorf("b has %q", got)
	}
	if len(s.Broken) != 2 {
		t.Errorf("broken: %v", s.Broken)
	}
}

// plugins makes a directory with programs of these names.
func plugins(t *testing.T, names ...string) string {
	dir := t.TempDir()
	for _, n := range names {
		if err := os.Chmod(write(t, dir, n, "#!/bin/true"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestResolve(t *testing.T) {
	dir := t.TempDir()
	foreign := t.TempDir()
	write(t, foreign, "kube.conf", ptpNamed("kube", "10.9.0.0/24"))
	write(t, dir, "10-lan.conf", `{"cniVersion":"1.0.0","name":"lan","type":"macvlan","master":"eth7","ipam":{"type":"static"}}`)
	write(t, dir, "20-br.conf", `{"cniVersion":"1.0.0","name":"br","type":"bridge","ipam":{"type":"host-local","subnet":"10.3.0.0/24"}}`)
	write(t, dir, "30-pub.conflist", `{"cniVersion":"1.0.0","name":"pub","plugins":[{"type":"ptp"},{"type":"portmap","capabilities":{"portMappings":true,"x":true}}]}`)
	write(t, dir, "40-pub2.conflist", `{"cniVersion":"1.0.0","name":"pub2","plugins":[{"type":"ptp"},{"type":"portmap","capabilities":{"portMappings":true,"x":true}}]}`)
	write(t, dir, "45-rated.conflist", `{"cniVersion":"1.0.0","name":"rated","plugins":[{"type":"ptp"},{"type":"bandwidth","ingressRate":8000,"ingressBurst":16000,"capabilities":{"bandwidth":true}}]}`)
	write(t, dir, "46-slow.conflist", `{"cniVersion":"1.0.0","name":"slow","plugins":[{"type":"macvlan"},{"type":"bandwidth","capabilities":{"bandwidth":true}}]}`)
	write(t, dir, "50-odd.conf", `{"cniVersion":"1.0.0","name":"odd","type":"sriov","ipam":{"type":"whereabouts"}}`)
	s, err := Load([]Layer{{foreign, true}, {Dir: dir}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	dirs := []string{plugins(t, "ptp", "bridge", "macvlan", "static", "host-local", "portmap", "bandwidth"), "/nowhere"}
	t.Setenv("PATH", plugins(t, "nft"))
	port := []stageabi.Port{{Protocol: "tcp", HostPort: 80, PodPort: 80, Count: 1}}
	for name, tt := range map[string]struct {
		choices []Choice
		ports   []stageabi.Port
		want    []string // NAME IFNAME ARGS
		config  string   // part of the last one's
		limits  string   // of the last one's capabilities
		fails   string
	}{
		"several, with arguments": {
			choices: []Choice{{Name: "br", Args: [][2]string{{"IP", "10.3.0.9"}, {"X", "y"}, {"IP", "fd00::9"}}}, {Name: "lan"}},
			want:    []string{"br eth0 [[IP 10.3.0.9,fd00::9] [X y] [IgnoreUnknown true]]", "lan eth1 []"},
		},
		"another program's, named": {
			choices: []Choice{{Name: "kube"}, {Name: "lan"}},
			want:    []string{"kube eth0 []", "lan eth1 []"},
		},
		"a bridge is given what publishes ports": {
			choices: []Choice{{Name: "lan"}, {Name: "br"}}, ports: port, want: []string{"lan eth0 []", "br eth1 []"},
			config: `{"backend":"nftables","capabilities":{"portMappings":true},"conditionsV6":["ip6 daddr != ::1"],"type":"portmap"}]}`,
		},
		"only the first of two publishes": {
			choices: []Choice{{Name: "pub"}, {Name: "pub2"}}, ports: port, want: []string{"pub eth0 []", "pub2 eth1 []"},
			config: `{"capabilities":{"x":true},"type":"portmap"}`,
		},
		"what has the capability is told limits": {
			choices: []Choice{{Name: "slow", Args: [][2]string{{"egressRate", "8M"}, {"IP", "10.3.0.9"}}}}, want: []string{"slow eth0 [[IP 10.3.0.9] [IgnoreUnknown true]]"},
			config: `{"type":"macvlan"},{"type":"bandwidth","capabilities":{"bandwidth":true}}]}`, limits: `{"egressRate":8000000,"egressBurst":800000}`,
		},
		"a bridge is given what limits": {
			choices: []Choice{{Name: "br", Args: [][2]string{{"ingressRate", "1M"}, {"ingressBurst", "64k"}}}}, ports: port, want: []string{"br eth0 []"},
			config: `"type":"portmap"},{"capabilities":{"bandwidth":true},"type":"bandwidth"}]}`, limits: `{"ingressRate":1000000,"ingressBurst":64000}`,
		},
		"a network that cannot limit":     {choices: []Choice{{Name: "lan", Args: [][2]string{{"ingressRate", "1M"}}}}, fails: "network lan cannot limit how fast a pod is"},
		"a network with limits":           {choices: []Choice{{Name: "rated", Args: [][2]string{{"ingressRate", "1M"}}}}, fails: "network rated has limits of its own, which its plugin bandwidth keeps to"},
		"a network that cannot publish":   {choices: []Choice{{Name: "lan"}}, ports: port, fails: "network lan publishes no ports"},
		"an unknown network":              {choices: []Choice{{Name: "lam"}}, fails: `no network "lam": there are br, kube, lan, odd, pub, pub2, rated, slow`},
		"plugins that are not there":      {choices: []Choice{{Name: "odd"}}, fails: "network odd: no plugin sriov, whereabouts in " + dirs[0] + ", /nowhere"},
		"one twice":                       {choices: []Choice{{Name: "br"}, {Name: "br"}}, fails: `network "br" is given twice`},
		"arguments for all":               {choices: []Choice{{Name: All, Args: [][2]string{{"a", "b"}}}}, fails: "name them"},
		"all, of which one lacks plugins": {choices: []Choice{{Name: All}}, fails: "network odd: no plugin"},
	} {
		t.Run(name, func(t *testing.T) {
			net, err := s.Resolve(Request{Choices: tt.choices, Ports: tt.ports, PluginDirs: dirs, Host: Host{NFTables: true}})
			if (err == nil) != (tt.fails == "") || err != nil && !strings.Contains(err.Error(), tt.fails) {
				t.Fatalf("got %v, want %q", err, tt.fails)
			}
			if err != nil {
				return
			}
			var got []string
			for _, a := range net.Attachments {
				args := "[]"
				if a.Args != nil {
					args = strings.ReplaceAll(strings.Trim(strings.Join(strings.Fields(fmt.Sprint(a.Args)), " "), " "), "  ", " ")
				}
				got = append(got, a.Name+" "+a.IfName+" "+args)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if last := string(net.Attachments[len(net.Attachments)-1].Config); !strings.Contains(last, tt.config) {
				t.Errorf("config %s, want %s in it", last, tt.config)
			}
			if limits := string(net.Attachments[len(net.Attachments)-1].Capabilities["bandwidth"]); limits != tt.limits {
				t.Errorf("limits %s, want %s", limits, tt.limits)
			}
		})
	}
}

func TestAllAreThoseOfRaket(t *testing.T) {
	foreign, local := t.TempDir(), t.TempDir()
	write(t, foreign, "10-kube.conf", ptpNamed("kube", "10.9.0.0/24"))
	write(t, local, "20-lan.conf", ptpNamed("lan", "10.8.0.0/24"))
	s, err := Load([]Layer{{foreign, true}, {Dir: local}}, Builtin(Host{}))
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", plugins(t, "nft"))
	net, err := s.Resolve(Request{Choices: []Choice{{Name: All}}, PluginDirs: []string{plugins(t, "ptp", "host-local", "portmap")}})
	if err != nil {
		t.Fatal(err)
	}
	if a := net.Attachments; len(a) != 2 || a[0].Name != "lan" || a[1].Name != Default || a[1].IfName != "eth1" {
		t.Errorf("got %+v", a)
	}
	if _, err := s.Resolve(Request{Choices: []Choice{{Name: All}}, PluginDirs: []string{plugins(t, "ptp")}}); err == nil {
		t.Error("no error without plugins")
	}
	write(t, local, "broken.conf", "{}")
	if s, err = Load([]Layer{{foreign, true}, {Dir: local}}, Builtin(Host{})); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Resolve(Request{Choices: []Choice{{Name: Default}}}); err == nil || !strings.Contains(err.Error(), "broken.conf: line 1: key name is missing") {
		t.Errorf("a broken file of the host's own: %v", err)
	}
}

func TestANetworkNeedsThePrograms(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	dirs := []string{plugins(t, "ptp", "host-local", "portmap")}
	if err := Builtin(Host{})[0].Check(dirs); err != nil {
		t.Errorf("where stage1 masquerades: %v", err)
	}
	err := Builtin(Host{IPTables: true})[0].Check(dirs)
	if want := "network default: its plugin ptp needs iptables, which is not installed"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %q", err, want)
	}
}

func TestANetworkNeedsTheDaemonOfItsPlugin(t *testing.T) {
	dir, bin := t.TempDir(), plugins(t, "bridge", "dhcp")
	path := dir + "/dhcp.sock"
	n, err := Parse(fmt.Appendf(nil, `{"cniVersion":"1.0.0","name":"lan","type":"bridge","ipam":{"type":"dhcp","daemonSocketPath":%q}}`, path), false)
	if err != nil {
		t.Fatal(err)
	}
	refused := func(why string) {
		t.Helper()
		err := n.Check([]string{bin})
		want := fmt.Sprintf("network lan: nobody listens at %s, where its plugin dhcp asks for addresses: %s", path, why)
		var u *unusable
		if !errors.As(err, &u) || u.what != want || u.hint != "start the daemon: "+bin+"/dhcp daemon -socketpath "+path {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	refused("no such file or directory")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	if err := n.Check([]string{bin}); err != nil {
		t.Error(err)
	}
	// Who listens was not called.
	if err := l.(*net.UnixListener).SetDeadline(time.Now()); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Accept(); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("the daemon was called: %v", err)
	}
	l.(*net.UnixListener).SetUnlinkOnClose(false)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	refused("connection refused")
}

func TestBuiltinNetworks(t *testing.T) {
	for name, tt := range map[string]struct {
		host Host
		want []string // of default
		not  []string
	}{
		"nftables and IPv6": {
			Host{NFTables: true, IPTables: true, IPv6: true, MachineID: "x"},
			[]string{`{"type":"raket-masquerade"}`, `"172.16.28.0/24"`, `"dst":"::/0"`}, []string{"firewall", "iptables", "ipMasq", "portMappings"},
		},
		"iptables alone, no IPv6":  {Host{IPTables: true}, []string{`"ipMasqBackend":"iptables"`}, []string{"::", "nftables", "raket-masquerade"}},
		"firewalld":                {Host{NFTables: true, Firewalld: true}, []string{`{"backend":"firewalld","type":"firewall"}`}, nil},
		"iptables beside nftables": {Host{NFTables: true, IPTables: true}, []string{`{"type":"raket-masquerade"},{"type":"raket-forward"}`}, []string{"firewall"}},
	} {
		t.Run(name, func(t *testing.T) {
			list := Builtin(tt.host)
			for _, part := range tt.want {
				if !strings.Contains(string(list[0].Config), part) {
					t.Errorf("%s is not in %s", part, list[0].Config)
				}
			}
			for _, part := range tt.not {
				if strings.Contains(string(list[0].Config), part) {
					t.Errorf("%s is in %s", part, list[0].Config)
				}
			}
			if c := string(list[1].Config); strings.Contains(c, "ipMasq") || strings.Contains(c, "0.0.0.0/0") || list[1].Name != Restricted {
				t.Errorf("%s leads on: %s", Restricted, c)
			}
		})
	}
	a, b := Host{MachineID: "a"}.localPrefix(1), Host{MachineID: "b"}.localPrefix(1)
	if a == b || !a.Addr().IsPrivate() || a == (Host{MachineID: "a"}).localPrefix(2) || a.Bits() != 64 {
		t.Errorf("local prefixes: %v, %v", a, b)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(ptpNamed("a", "10.0.0.0/8")), false)
	f.Add([]byte(`{"name":"a","type":"ptp","capabilities":{"x":true},"ipam":{"type":"host-local","ranges":[[{"subnet":"::/1"}]]}}`), true)
	f.Add([]byte(`{"cniVersions":["1.1.0"],"name":"a","disableGC":"true","plugins":[{"type":"x","backend":1}]}`), true)
	f.Fuzz(func(t *testing.T, text []byte, lenient bool) {
		n, err := Parse(text, lenient)
		if err != nil {
			if strings.ContainsAny(err.Error(), "\n\x00") {
				t.Errorf("%q is not one line", err)
			}
			return
		}
		// What is handed on is read as strictly as what raket is given, and means the same.
		again, err := Parse(n.Config, false)
		if err != nil {
			t.Fatalf("%s: %v", n.Config, err)
		}
		if diff := cmp.Diff(n.Plugins, again.Plugins); diff != "" || again.Name != n.Name || !json.Valid(again.Config) {
			t.Errorf("%s and %s: %s", n.Config, again.Config, diff)
		}
		if err := n.publishNothing(); err != nil || n.publishes() {
			t.Errorf("publishes still: %v", err)
		}
	})
}
