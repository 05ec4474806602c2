package podnames

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/raket/raket/pkg/approot"
	"github.com/raket/raket/pkg/flock"
	"github.com/raket/raket/pkg/stageabi"
)

// host has pods that live while their locks are held.
type host struct {
	*testing.T
	run, state string
	locks      map[string]*flock.Lock
}

func newHost(t *testing.T) *host {
	h := &host{T: t, run: filepath.Join(t.TempDir(), "run"), state: filepath.Join(t.TempDir(), "networks"), locks: map[string]*flock.Lock{}}
	if err := os.Mkdir(h.run, 0o755); err != nil {
		t.Fatal(err)
	}
	return h
}

// start starts a pod; networks are NAME=ADDRESS.
func (h *host) start(uuid string, names []string, networks ...string) {
	h.Helper()
	dir := filepath.Join(h.run, uuid)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		h.Fatal(err)
	}
	l, err := flock.Open(dir)
	if err != nil {
		h.Fatal(err)
	}
	if ok, err := l.TryExclusive(); !ok || err != nil {
		h.Fatal(ok, err)
	}
	h.locks[uuid] = l
	h.Cleanup(func() { l.Close() })
	var status stageabi.NetworkStatus
	for _, n := range networks {
		name, ip, _ := strings.Cut(n, "=")
		status.Attachments = append(status.Attachments, stageabi.Attached{Name: name, Addresses: []string{ip + "/24"}})
	}
	if err := stageabi.WriteNetworkStatus(dir, status); err != nil {
		h.Fatal(err)
	}
	if err := Share(dir, stageabi.Network{StateDir: h.state, Aliases: names}, status, "own "+uuid+"\n"); err != nil {
		h.Fatal(err)
	}
}

func (h *host) end(uuid string) {
	h.Helper()
	if err := h.locks[uuid].Close(); err != nil {
		h.Fatal(err)
	}
}

// want says what stands behind the mark in a pod's hosts file.
func (h *host) want(uuid string, lines ...string) {
	h.Helper()
	text := "own " + uuid + "\n"
	if len(lines) > 0 {
		text += mark + strings.Join(lines, "\n") + "\n"
	}
	got, err := os.ReadFile(filepath.Join(h.run, uuid, approot.HostsFile))
	if err != nil || string(got) != text {
		h.Errorf("%s has %q, %v; want %q", uuid, got, err, text)
	}
}

func TestPodsFindEachOther(t *testing.T) {
	h := newHost(t)
	h.start("client", nil, "default=10.0.0.2", "lan=10.1.0.2")
	h.want("client")
	before, err := os.Stat(filepath.Join(h.run, "client", approot.HostsFile))
	if err != nil {
		t.Fatal(err)
	}
	h.start("db", []string{"db", "database"}, "default=10.0.0.3", "back=10.2.0.3")
	h.want("client", "10.0.0.3\tdb database")
	h.want("db")
	h.start("web", []string{"web"}, "lan=10.1.0.4")
	h.want("client", "10.0.0.3\tdb database", "10.1.0.4\tweb")
	h.want("db")
	h.start("late", nil, "default=10.0.0.5")
	h.want("late", "10.0.0.3\tdb database")
	after, err := os.Stat(filepath.Join(h.run, "client", approot.HostsFile))
	if err != nil || !os.SameFile(before, after) {
		t.Error("the file that the apps have mounted was replaced")
	}
	all, err := os.ReadFile(filepath.Join(h.state, "hosts"))
	if want := mark + "10.0.0.3\tdb database\n10.1.0.4\tweb\n10.2.0.3\tdb database\n"; err != nil || string(all) != want {
		t.Errorf("for the host: %q, %v", all, err)
	}
}

func TestEndedPodsAreForgotten(t *testing.T) {
	h := newHost(t)
	h.start("client", nil, "default=10.0.0.2")
	h.start("db", []string{"db"}, "default=10.0.0.3")
	h.start("db2", []string{"db"}, "default=10.0.0.4")
	h.want("client", "10.0.0.3\tdb", "10.0.0.4\tdb")
	h.end("db")
	// Another pod has the address before anybody has said that the first one ended.
	h.start("thief", nil, "default=10.0.0.3")
	h.want("client", "10.0.0.4\tdb")
	h.end("db2")
	if err := os.RemoveAll(filepath.Join(h.run, "db2")); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := Refresh(h.state); err != nil {
			t.Fatal(err)
		}
		h.want("client")
	}
	if err := Refresh(filepath.Join(h.state, "nowhere")); err != nil {
		t.Error(err)
	}
}

func TestHostsFilesThatAppsHaveWrittenInto(t *testing.T) {
	h := newHost(t)
	h.start("client", nil, "default=10.0.0.2")
	file := filepath.Join(h.run, "client", approot.HostsFile)
	if err := os.WriteFile(file, []byte("own client\n"+mark+strings.Repeat("x", 3<<20)), 0o644); err != nil {
		t.Fatal(err)
	}
	h.start("db", []string{"db"}, "default=10.0.0.3")
	h.want("client", "10.0.0.3\tdb")
	// A record that makes no sense is of no pod.
	if err := os.WriteFile(filepath.Join(h.state, "names", "torn"), []byte(`{"pod":"rel`), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := Refresh(h.state); err != nil {
		t.Fatal(err)
	}
	h.want("client", "10.0.0.3\tdb")
}
