package functional

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/raket/raket/tests/testhost"
)

// recorded is a data directory whose pods join networks of the plugin tests/network/recorder.
type recorded struct {
	*pods
	config, record, marks string
}

// newRecorded configures these networks: a name, with @VERSION where it is not CNI's 1.1.0, and
// keys of each plugin of its chain.
func newRecorded(t *testing.T, networks map[string][]string) *recorded {
	t.Helper()
	p := newPods(t)
	dir := "/srv/" + plain(t.Name())
	r := &recorded{p, dir + "/config", dir + "/record", dir + "/marks"}
	p.MustRun(t, fmt.Sprintf("mkdir -p %s %s/net.d %s/paths.d %s/bin", r.marks, r.config, r.config, dir))
	p.Put(t, filepath.Join(testhost.Checkout(), "tests/network/recorder"), dir+"/bin/recorder")
	p.WriteFile(t, r.config+"/paths.d/cni.json", fmt.Sprintf(`{"rktKind":"paths","rktVersion":"v1","cni-plugins":%q}`, dir+"/bin"), 0o644)
	for name, chain := range networks {
		name, version, old := strings.Cut(name, "@")
		if !old {
			version = "1.1.0"
		}
		var plugins []string
		for i, keys := range chain {
			plugins = append(plugins, fmt.Sprintf(`{"type":"recorder","record":%q,"marks":"%s/%d-",%s}`, r.record, r.marks, i, keys))
		}
		p.WriteFile(t, r.config+"/net.d/"+name+".conflist", fmt.Sprintf(`{"cniVersion":%q,"name":%q,"plugins":[%s]}`, version, name, strings.Join(plugins, ",")), 0o644)
	}
	t.Cleanup(func() {
		if left := p.Run(t, "ls "+r.marks+" "+p.dir+"/networks/pods 2>/dev/null | grep -v :").Stdout; strings.TrimSpace(left) != "" {
			t.Errorf("joined and never left:\n%s", left)
		}
		p.Run(t, "rm -rf "+dir)
	})
	return r
}

func (r *recorded) cmd() string { return r.pods.cmd() + " --local-config=" + r.config }

// said is what the plugins have been asked since the last time.
func (r *recorded) said(t *testing.T) string {
	t.Helper()
	return r.Run(t, fmt.Sprintf("cat %[1]s; rm -f %[1]s", r.record)).Stdout
}

func TestNetworksAreJoinedInOrderAndLeftBackwards(t *testing.T) {
	r := newRecorded(t, map[string][]string{
		"one":   {`"address":"10.1.0.2/24"`, `"address":"10.1.0.3/24","expect":"10.1.0.2/24"`},
		"two":   {`"address":"10.2.0.2/24"`},
		"wrong": {`"address":"10.3.0.2/24","fail":"ADD"`},
	})
	got := r.MustRun(t, r.cmd()+" "+quote(runLine([]string{"--net=one,two", "--hostname=pod"}, app{script: "cat /etc/hosts /etc/resolv.conf; " + "ip -o link"})...))
	for _, want := range []string{"10.1.0.3\tpod\n", "10.2.0.2\tpod\n", "nameserver 192.0.2.53\n", "1: lo: <LOOPBACK,UP,LOWER_UP>"} {
		if !strings.Contains(got, want) {
			t.Errorf("the app sees %q, not %q", got, want)
		}
	}
	r.WaitFor(t, time.Minute, "test -z \"$(ls "+r.marks+")\"")
	want := "ADD one eth0 netns=here prev=no\nADD one eth0 netns=here prev=yes\nADD two eth1 netns=here prev=no\n" +
		"DEL two eth1 netns=none prev=yes\nDEL one eth0 netns=none prev=yes\nDEL one eth0 netns=none prev=yes\n"
	if diff := cmp.Diff(want, r.said(t)); diff != "" {
		t.Error("(-want +got):\n" + diff)
	}

	// One that cannot be joined undoes those before it, in the namespace that is still there.
	res := r.Run(t, r.cmd()+" "+quote(runLine([]string{"--net=one,wrong,two"}, app{script: "true"})...))
	if res.Code != 254 || !strings.Contains(res.Stderr, `join network wrong: plugin type="recorder" failed (add): told to fail`) {
		t.Errorf("exit status %d, %q", res.Code, res.Stderr)
	}
	want = "ADD one eth0 netns=here prev=no\nADD one eth0 netns=here prev=yes\nADD wrong eth1 netns=here prev=no\nSTATUS wrong  netns=none prev=no\n" +
		"DEL wrong eth1 netns=here prev=no\nDEL one eth0 netns=here prev=yes\nDEL one eth0 netns=here prev=yes\n"
	if diff := cmp.Diff(want, r.said(t)); diff != "" {
		t.Error("(-want +got):\n" + diff)
	}
}
