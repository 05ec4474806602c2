package network

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/raket/raket/pkg/flock"
	"github.com/raket/raket/pkg/stageabi"
)

func must(t *testing.T, errs ...error) {
	t.Helper()
	for _, err := range errs {
		if err != nil {
			t.Fatal(err)
		}
	}
}

// state is a state directory whose one network's plugin is a shell script that writes what
// it is asked into asked.
func state(t *testing.T, script string) (n stageabi.Network, asked string) {
	t.Helper()
	dir := t.TempDir()
	asked = filepath.Join(dir, "asked")
	must(t, os.MkdirAll(filepath.Join(dir, "state", recordsDir), 0o700),
		os.WriteFile(filepath.Join(dir, "plug"), []byte("#!/bin/sh\necho $CNI_COMMAND $CNI_IFNAME netns=$CNI_NETNS >>"+asked+"\n"+script), 0o755))
	config := json.RawMessage(`{"cniVersion":"1.1.0","name":"n","plugins":[{"type":"plug"}]}`)
	return stageabi.Network{Mode: stageabi.NetCNI, StateDir: filepath.Join(dir, "state"), PluginDirs: []string{dir}, Attachments: []stageabi.Attachment{
		{Name: "n", IfName: "eth0", Config: config}, {Name: "n", IfName: "eth1", Config: config},
	}}, asked
}

// begin makes a record of a pod whose plugins have been asked.
func begin(t *testing.T, uuid string, n stageabi.Network) *record {
	t.Helper()
	r, err := makeRecord(uuid, n)
	must(t, err, os.Mkdir(filepath.Join(r.dir, outputsDir), 0o700))
	for _, a := range n.Attachments {
		must(t, os.WriteFile(filepath.Join(r.dir, outputsDir, a.IfName), nil, 0o600))
	}
	return r
}

func TestWhatNoPluginWasAskedForIsNotUndone(t *testing.T) {
	n, asked := state(t, "")
	r := begin(t, "a", n)
	must(t, os.Remove(filepath.Join(r.dir, outputsDir, "eth1")), r.held.Close(), Leave(t.Context(), n.StateDir, "a"))
	if diff := cmp.Diff("DEL eth0 netns=\n", read(t, asked)); diff != "" {
		t.Error("(-want +got):\n" + diff)
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	return string(b)
}

func TestARecordIsUndoneOnceAndBackwards(t *testing.T) {
	n, asked := state(t, "")
	r := begin(t, "a", n)
	must(t, Sweep(t.Context(), n.StateDir, ""))
	if got := read(t, asked); got != "" {
		t.Errorf("while the pod lives: %q", got)
	}
	r.Joined = true
	must(t, r.write(), r.held.Close())
	must(t, Sweep(t.Context(), n.StateDir, ""), Sweep(t.Context(), n.StateDir, ""), Leave(t.Context(), n.StateDir, "a"))
	if diff := cmp.Diff("DEL eth1 netns=\nDEL eth0 netns=\n", read(t, asked)); diff != "" {
		t.Error("(-want +got):\n" + diff)
	}
	if left, _ := os.ReadDir(filepath.Join(n.StateDir, recordsDir)); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

func TestWhatAPluginFailsToUndoIsTriedAgainAlone(t *testing.T) {
	n, asked := state(t, `test $CNI_IFNAME = eth1 || test -e $0.mended || { printf %s '{"cniVersion":"1.1.0","code":11,"msg":"try\nagain"}'; exit 1; }`)
	r := begin(t, "a", n)
	r.Joined = true
	must(t, r.write(), r.held.Close())
	err := Leave(t.Context(), n.StateDir, "a")
	if err == nil || err.Error() != `pod a: leave network n: plugin plug: try again` {
		t.Errorf("error %v", err)
	}
	must(t, os.WriteFile(filepath.Join(n.PluginDirs[0], "plug.mended"), nil, 0o600), Sweep(t.Context(), n.StateDir, ""))
	if diff := cmp.Diff("DEL eth1 netns=\nDEL eth0 netns=\nDEL eth0 netns=\n", read(t, asked)); diff != "" {
		t.Error("(-want +got):\n" + diff)
	}
}

func TestAPluginThatFailsToUndoKeepsNoOtherOfItsChain(t *testing.T) {
	n, asked := state(t, "cat >>$0.in")
	dir := n.PluginDirs[0]
	must(t, os.WriteFile(filepath.Join(dir, "failing"), []byte("#!/bin/sh\necho failing >>"+asked+"\ntest -e $0.mended || { echo no such thing >&2; exit 1; }\ncat >$0.in"), 0o755))
	n.Attachments = n.Attachments[:1]
	n.Attachments[0].Config = json.RawMessage(`{"cniVersion":"1.1.0","name":"n","plugins":[{"type":"plug"},{"type":"failing"},{"type":"gone"}]}`)
	r := begin(t, "a", n)
	r.Joined = true
	at, err := r.attachment(n.Attachments[0], "")
	must(t, err, os.WriteFile(at.output(), []byte(`{"cniVersion":"1.1.0","ips":[{"address":"10.0.0.9/24"}]}`), 0o600), r.write(), r.held.Close())
	err = Leave(t.Context(), n.StateDir, "a")
	if err == nil || !strings.Contains(err.Error(), "no CNI plugin \"gone\"") || !strings.Contains(err.Error(), "plugin failing: exit status 1: no such thing") {
		t.Errorf("error %v", err)
	}
	if diff := cmp.Diff("failing\nDEL eth0 netns=\n", read(t, asked)); diff != "" {
		t.Error("(-want +got):\n" + diff)
	}
	// When it can, it is told what it did.
	must(t, os.WriteFile(filepath.Join(dir, "failing.mended"), nil, 0o600), os.WriteFile(filepath.Join(dir, "gone"), []byte("#!/bin/sh"), 0o755), Sweep(t.Context(), n.StateDir, ""))
	for _, name := range []string{"plug.in", "failing.in"} {
		if got := read(t, filepath.Join(dir, name)); !strings.Contains(got, "10.0.0.9/24") {
			t.Errorf("%s: %q", name, got)
		}
	}
	if uuids, err := records(n.StateDir); err != nil || len(uuids) > 0 {
		t.Errorf("left: %v, %v", uuids, err)
	}
}

func TestAPluginThatLacksAProgram(t *testing.T) {
	n, _ := state(t, `printf '{"code":999,"msg":"could not initialize: exec: \"iptables\": executable file not found in $PATH"}'; exit 1`)
	r := begin(t, "a", n)
	must(t, r.held.Close())
	err := Leave(t.Context(), n.StateDir, "a")
	if err == nil || !strings.Contains(err.Error(), "$PATH: install that program, or take plugin plug out of the network") {
		t.Errorf("error %v", err)
	}
}

func TestANetworkThatMayHaveLeftovers(t *testing.T) {
	n, asked := state(t, "")
	alive, killed := begin(t, "alive", n), begin(t, "killed", n)
	must(t, killed.held.Close())
	must(t, Sweep(t.Context(), n.StateDir, ""))
	if diff := cmp.Diff("DEL eth1 netns=\nDEL eth0 netns=\nGC netns=\n", read(t, asked)); diff != "" {
		t.Error("of a pod that was killed while it joined (-want +got):\n" + diff)
	}
	// Not while another pod joins: it would lose what it has just been given.
	must(t, os.Remove(asked))
	lock, err := flock.Create(filepath.Join(n.StateDir, joinLock))
	must(t, err, lock.Shared())
	killed = begin(t, "killed", n)
	must(t, killed.held.Close(), Sweep(t.Context(), n.StateDir, ""))
	if got := read(t, asked); got != "DEL eth1 netns=\nDEL eth0 netns=\n" {
		t.Errorf("while a pod joins: %q", got)
	}
	must(t, alive.held.Close(), lock.Close())
}

func TestHalfARecordIsNone(t *testing.T) {
	n, _ := state(t, "")
	half := filepath.Join(n.StateDir, recordsDir, unfinished+"123")
	must(t, os.Mkdir(half, 0o700))
	maker, err := flock.Open(half)
	must(t, err)
	_, err = maker.TryExclusive()
	must(t, err)
	for _, there := range []bool{true, false} {
		uuids, err := records(n.StateDir)
		must(t, err)
		if len(uuids) > 0 {
			t.Errorf("records %v", uuids)
		}
		if _, err := os.Stat(half); (err == nil) != there {
			t.Errorf("its maker lives: %v; it: %v", there, err)
		}
		must(t, maker.Close())
	}
}

func TestABrokenRecordKeepsNoOther(t *testing.T) {
	n, asked := state(t, "")
	must(t, os.Mkdir(filepath.Join(n.StateDir, recordsDir, "a"), 0o700), os.WriteFile(filepath.Join(n.StateDir, recordsDir, "a", recordFile), []byte("{"), 0o600))
	r := begin(t, "b", n)
	r.Joined = true
	must(t, r.write(), r.held.Close())
	if err := Sweep(t.Context(), n.StateDir, ""); err == nil {
		t.Error("no error")
	}
	if got := read(t, asked); got != "DEL eth1 netns=\nDEL eth0 netns=\n" {
		t.Errorf("asked %q", got)
	}
	uuids, err := records(n.StateDir)
	must(t, err)
	if !slices.Equal(uuids, []string{"a"}) {
		t.Errorf("records %v", uuids)
	}
}

func TestRecordsAreMadeWhileOthersTidyUp(t *testing.T) {
	n, _ := state(t, "")
	done := make(chan error)
	go func() {
		for {
			select {
			case done <- nil:
				return
			default:
				if _, err := records(n.StateDir); err != nil {
					done <- err
					return
				}
			}
		}
	}()
	for i := range 100 {
		r, err := makeRecord(fmt.Sprint(i), n)
		must(t, err)
		if ok, err := r.held.Is(filepath.Join(n.StateDir, recordsDir, fmt.Sprint(i))); !ok || err != nil {
			t.Fatalf("record %d is not what is locked: %v", i, err)
		}
		must(t, r.remove())
	}
	must(t, <-done)
}
