package network

import (
	"encoding/json"
	"strings"
	"testing"

	types100 "github.com/containernetworking/cni/pkg/types/100"
	"github.com/google/go-cmp/cmp"

	"github.com/raket/raket/pkg/stageabi"
)

func result(t *testing.T, text string) *types100.Result {
	t.Helper()
	r := new(types100.Result)
	if err := json.Unmarshal([]byte(text), r); err != nil {
		t.Fatal(err)
	}
	return r
}

const ofPtp = `{"cniVersion":"1.0.0","interfaces":[{"name":"veth1","mac":"02:00:00:00:00:01"},{"name":"eth0","mac":"02:00:00:00:00:02","sandbox":"/proc/1/fd/9"}],
 "ips":[{"interface":1,"address":"10.1.0.2/24","gateway":"10.1.0.1"},{"interface":1,"address":"fd00::2/64","gateway":"fd00::1"},{"interface":0,"address":"10.1.0.1/24"}],
 "routes":[{"dst":"0.0.0.0/0"},{"dst":"::/0","gw":"fd00::1"}],"dns":{"nameservers":["10.0.0.1"],"search":["a.example","b.example"],"domain":"example","options":["ndots:2"]}}`

func TestWhatResultsSay(t *testing.T) {
	for _, tc := range []struct {
		name, result string
		want         stageabi.Attached
		veth         bool
	}{
		{name: "a pair of interfaces, with addresses of both families", result: ofPtp, veth: true, want: stageabi.Attached{
			HostIf: "veth1", MAC: "02:00:00:00:00:02", Addresses: []string{"10.1.0.2/24", "fd00::2/64"}, Gateways: []string{"10.1.0.1", "fd00::1"},
			Routes: []stageabi.Route{{To: "0.0.0.0/0"}, {To: "::/0", Gateway: "fd00::1"}},
			DNS:    stageabi.DNS{Nameservers: []string{"10.0.0.1"}, Search: []string{"a.example", "b.example"}, Domain: "example", Options: []string{"ndots:2"}},
		}},
		{name: "an address that is on no interface in particular, as in results of old", result: `{"cniVersion":"1.0.0","ips":[{"address":"10.1.0.2/16"}]}`,
			want: stageabi.Attached{Addresses: []string{"10.1.0.2/16"}}},
		{name: "an address of an interface that is not there", result: `{"cniVersion":"1.0.0","ips":[{"interface":7,"address":"10.1.0.2/16"}]}`},
		{name: "a device of the host's", result: `{"cniVersion":"1.0.0","interfaces":[{"name":"eth0","mac":"02:00:00:00:00:02","sandbox":"/x"}]}`, want: stageabi.Attached{MAC: "02:00:00:00:00:02"}},
		{name: "nothing", result: `{"cniVersion":"1.0.0"}`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			res := result(t, tc.result)
			got, err := describe(stageabi.Attachment{Name: "n", IfName: "eth0"}, res)
			if err != nil {
				t.Fatal(err)
			}
			tc.want.Name, tc.want.IfName = "n", "eth0"
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Error("(-want +got):\n" + diff)
			}
			if madeVeth(res) != tc.veth {
				t.Errorf("a veth was made: %v", !tc.veth)
			}
		})
	}
	if madeVeth(nil) {
		t.Error("where nothing is known a veth was made")
	}
}

func TestAMaskOfAnotherFamilyIsRefused(t *testing.T) {
	res := result(t, ofPtp)
	res.IPs[0].Address.Mask = res.IPs[1].Address.Mask
	if _, err := describe(stageabi.Attachment{Name: "n", IfName: "eth0"}, res); err == nil || !strings.Contains(err.Error(), "join network n: the plugin says address") {
		t.Errorf("error %v", err)
	}
}

func TestHostsAndResolvConfAreCompleted(t *testing.T) {
	text, old := "127.0.0.1\tlocalhost\n", "nameserver 192.0.2.1\n"
	status := stageabi.NetworkStatus{Attachments: []stageabi.Attached{
		{Addresses: []string{"10.1.0.2/24"}},
		{Addresses: []string{"fd00::2/64"}, DNS: stageabi.DNS{Nameservers: []string{"10.0.0.1", "x\nnameserver 192.0.2.66"}, Search: []string{"a", "b"}, Domain: "d", Options: []string{"ndots:2"}}},
	}}
	for _, tc := range []struct {
		name        string
		n           stageabi.Network
		status      stageabi.NetworkStatus
		hosts, conf string
	}{
		{name: "not unless stage0 says so", status: status, hosts: text, conf: old},
		{name: "hosts, with aliases", n: stageabi.Network{CompleteHosts: true, Aliases: []string{"web"}}, status: status, hosts: text + "10.1.0.2\tpod web\nfd00::2\tpod web\n", conf: old},
		{name: "resolv.conf, by the first network that says something, and without lines that are smuggled in", n: stageabi.Network{CompleteDNS: true}, status: status,
			hosts: text, conf: "domain d\nsearch a b\nnameserver 10.0.0.1\noptions ndots:2\n"},
		{name: "resolv.conf stays where no network says anything", n: stageabi.Network{CompleteDNS: true}, hosts: text, conf: old},
	} {
		t.Run(tc.name, func(t *testing.T) {
			hosts, conf := text, old
			s := stageabi.Sandbox{Hostname: "pod", Hosts: &hosts, ResolvConf: &conf, Network: tc.n}
			Complete(&s, tc.status)
			if diff := cmp.Diff(tc.hosts, *s.Hosts); diff != "" {
				t.Error("hosts (-want +got):\n" + diff)
			}
			if diff := cmp.Diff(tc.conf, *s.ResolvConf); diff != "" {
				t.Error("resolv.conf (-want +got):\n" + diff)
			}
		})
	}
}

func TestRangesOfPortsAreWrittenOut(t *testing.T) {
	got := portMappings([]stageabi.Port{{Protocol: "tcp", HostIP: "::1", HostPort: 8000, PodPort: 80, Count: 2}, {Protocol: "udp", HostPort: 53, PodPort: 53}})
	want := []portMapping{{8000, 80, "tcp", "::1"}, {8001, 81, "tcp", "::1"}, {53, 53, "udp", ""}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error("(-want +got):\n" + diff)
	}
}

func TestForeignTextBecomesOneLine(t *testing.T) {
	for in, want := range map[string]string{
		"": "", "a\nb\t c ": "a b c", "bad \x1b[31m\xff": "bad ?[31m?", strings.Repeat("x", 500): strings.Repeat("x", 400) + "…",
	} {
		if got := oneLine([]byte(in)); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

func TestTheEnvironmentOfPlugins(t *testing.T) {
	got := pluginEnv([]string{"PATH=/bin", "NOTIFY_SOCKET=/x", "LISTEN_FDS=1", "RAKET_LOCK_FD=3", "CNI_COMMAND=ADD"})
	if diff := cmp.Diff([]string{"CNI_COMMAND=ADD", "PATH=/bin:/usr/local/sbin:/usr/sbin:/sbin"}, got); diff != "" {
		t.Error("(-want +got):\n" + diff)
	}
}
