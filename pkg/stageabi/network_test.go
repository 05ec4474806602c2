package stageabi_test

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/raket/raket/pkg/stageabi"
)

func TestNetworksGoRound(t *testing.T) {
	for name, want := range map[string]stageabi.Network{
		"none": {Mode: stageabi.NetNone},
		"host": {Mode: stageabi.NetHost},
		"several, with everything": {
			Mode: stageabi.NetCNI,
			Attachments: []stageabi.Attachment{
				{Name: "default", IfName: "eth0", Config: json.RawMessage(`{"cniVersion":"1.1.0","name":"default","plugins":[{"type":"ptp"}]}`)},
				{Name: "lan", IfName: "eth1", Config: json.RawMessage(`{}`), Args: [][2]string{{"IP", "10.1.0.9"}, {"IP", "fd00::9"}},
					Capabilities: map[string]json.RawMessage{"mac": json.RawMessage(`"02:00:00:00:00:01"`), "ips": json.RawMessage(`["10.1.0.9/24"]`)}},
			},
			Ports:      []stageabi.Port{{Name: "http", Protocol: "tcp", HostIP: "::1", HostPort: 8080, PodPort: 80, Count: 3}},
			Aliases:    []string{"web", "www"},
			PluginDirs: []string{"/usr/lib/raket/cni"}, StateDir: "/var/lib/raket/networks", CompleteHosts: true, CompleteDNS: true,
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			text, err := json.Marshal(stageabi.Sandbox{Network: want})
			if err != nil {
				t.Fatal(err)
			}
			write(t, filepath.Join(dir, stageabi.SandboxFile), string(text))
			got, err := stageabi.ReadSandbox(dir)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got.Network); diff != "" {
				t.Error("(-want +got):\n" + diff)
			}
		})
	}
}

func TestWhatCameOfNetworksIsReadBack(t *testing.T) {
	dir := t.TempDir()
	if _, err := stageabi.ReadNetworkStatus(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("before the start: %v", err)
	}
	want := stageabi.NetworkStatus{
		Attachments: []stageabi.Attached{{
			Name: "default", IfName: "eth0", HostIf: "veth1", Addresses: []string{"172.16.28.2/24", "fd00::2/64"}, Gateways: []string{"172.16.28.1", "fd00::1"},
			MAC: "02:00:00:00:00:01", Routes: []stageabi.Route{{To: "0.0.0.0/0"}, {To: "::/0", Gateway: "fd00::1"}},
			DNS: stageabi.DNS{Nameservers: []string{"10.0.0.1"}, Search: []string{"example"}}, Result: json.RawMessage(`{"cniVersion":"1.1.0"}`),
		}},
		Ports: []stageabi.Port{{Protocol: "udp", HostPort: 53, PodPort: 53, Count: 1}},
	}
	if err := stageabi.WriteNetworkStatus(dir, want); err != nil {
		t.Fatal(err)
	}
	got, err := stageabi.ReadNetworkStatus(dir)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error("(-want +got):\n" + diff)
	}
	if entries, _ := os.ReadDir(dir); len(entries) != 1 {
		t.Errorf("left: %v", entries)
	}
}

func FuzzReadNetworkStatus(f *testing.F) {
	f.Add([]byte(`{"attachments":[{"name":"a","ifName":"eth0","result":{"ips":[]}}],"ports":[{"protocol":"tcp","hostPort":1,"podPort":1,"count":1}]}`))
	f.Add([]byte(`{"attachments":[null]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, stageabi.NetworkFile), text, 0o644); err != nil {
			t.Fatal(err)
		}
		s, err := stageabi.ReadNetworkStatus(dir)
		if err != nil {
			return
		}
		if err := stageabi.WriteNetworkStatus(dir, s); err != nil {
			t.Fatal(err)
		}
		again, err := stageabi.ReadNetworkStatus(dir)
		if err != nil {
			t.Fatal(err)
		}
		// White space of raw values may differ.
		one, _ := json.Marshal(s)
		other, _ := json.Marshal(again)
		if diff := cmp.Diff(string(one), string(other)); diff != "" {
			t.Error("(-want +got):\n" + diff)
		}
	})
}
