package functional

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestWhatPluginsAreTold(t *testing.T) {
	const all = `"capabilities":{"ips":true,"mac":true,"aliases":true,"dns":true,"portMappings":true,"bandwidth":true}`
	hold := "/srv/" + plain(t.Name()) + "/hold"
	r := newRecorded(t, map[string][]string{
		"can@0.4.0": {`"show":"yes","address":"10.1.0.2/24",` + all, `"show":"yes","address":"10.1.0.2/24","expect":"10.1.0.2/24"`},
		"cannot":    {`"show":"yes","address":"10.2.0.2/24"`},
		"slow":      {fmt.Sprintf(`"address":"10.3.0.2/24","hold":%q`, hold)},
		"old@0.4.0": {fmt.Sprintf(`"address":"10.4.0.2/24","hold":%q`, hold)},
		"full":      {`"address":"10.5.0.2/24","status":"50 no addresses are left"`},
		"ill":       {`"address":"10.6.0.2/24","status":"4 unknown CNI_COMMAND: STATUS"`, `"address":"10.6.0.2/24","status":"51 the tunnel is down"`},
		"soon":      {`"address":"10.7.0.2/24","fail":"ADD","status":"50 the daemon is starting"`},
	})
	run := func(flags ...string) {
		t.Helper()
		r.MustRun(t, r.cmd()+" "+quote(runLine(flags, app{script: "true"})...))
		r.WaitFor(t, time.Minute, "test -z \"$(ls "+r.marks+")\"")
	}
	told := func(want string) {
		t.Helper()
		if diff := cmp.Diff(want, r.said(t)); diff != "" {
			t.Error("(-want +got):\n" + diff)
		}
	}
	const added = "ADD can eth0 netns=here prev=no\n"
	const left = "DEL can eth0 netns=none prev=yes\nDEL can eth0 netns=none prev=yes\n"
	const second = "ADD can eth0 netns=here prev=yes\n  args="
	run("--net=can")
	told(added + "  args= {}\n" + second + " {}\n" + left)
	run("--net=can:IP=10.1.0.2;MAC=02:00:00:00:00:07;ROOM=9", "--net-alias=web", "--dns=192.0.2.1", "--dns-search=lan.example", "--port=8080:80")
	const rest = "IgnoreUnknown=true"
	told(added + "  args=ROOM=9;" + rest + ` {"aliases":["web"],"dns":{"searches":["lan.example"],"servers":["192.0.2.1"]},"ips":["10.1.0.2"],"mac":"02:00:00:00:00:07","portMappings":[{"containerPort":80,"hostPort":8080,"protocol":"tcp"}]}` + "\n" +
		second + "ROOM=9;" + rest + " {}\n" + left)
	run("--net=cannot:IP=10.2.0.2;MAC=02:00:00:00:00:07", "--net-alias=web", "--dns=192.0.2.1")
	told("ADD cannot eth0 netns=here prev=no\n  args=IP=10.2.0.2;MAC=02:00:00:00:00:07;" + rest + " {}\nDEL cannot eth0 netns=none prev=yes\n")

	// CNI has CHECK from 0.4.0 on, STATUS and GC from 1.1.0 on. A plugin that takes no more pods keeps those that it has.
	why := r.MustRun(t, fmt.Sprintf(`%[1]s run --quiet --uuid-file-save=%[3]s --net=old,full,ill %[2]s --exec=/bin/sleep -- 1000 & pod=$!
until test -s %[3]s; do sleep 0.05; done
%[1]s status --wait-ready=1m --uuid-file=%[3]s >/dev/null && %[1]s status --verify --uuid-file=%[3]s 2>&1 >/dev/null
%[1]s stop --uuid-file=%[3]s >/dev/null; wait $pod`, r.cmd(), busybox, r.config+"/uuid"))
	if want := ": stage1: network ill: plugin recorder is not ready: the tunnel is down"; !strings.HasSuffix(why, want) {
		t.Errorf("status --verify: %q, want %q", why, want)
	}
	r.WaitFor(t, time.Minute, "test -z \"$(ls "+r.marks+")\"")
	told(`ADD old eth0 netns=here prev=no
ADD full eth1 netns=here prev=no
ADD ill eth2 netns=here prev=no
ADD ill eth2 netns=here prev=yes
CHECK old eth0 netns=here prev=yes
CHECK full eth1 netns=here prev=yes
STATUS full  netns=none prev=no
CHECK ill eth2 netns=here prev=yes
CHECK ill eth2 netns=here prev=yes
STATUS ill  netns=none prev=no
STATUS ill  netns=none prev=no
DEL ill eth2 netns=none prev=yes
DEL ill eth2 netns=none prev=yes
DEL full eth1 netns=none prev=yes
DEL old eth0 netns=none prev=yes
`)
	// One that is not ready says why it fails.
	failed := r.Run(t, r.cmd()+" "+quote(runLine([]string{"--net=soon"}, app{script: "true"})...)).Stderr
	if want := `join network soon: plugin recorder is not ready: the daemon is starting; plugin type="recorder" failed (add): told to fail`; !strings.Contains(failed, want) {
		t.Errorf("got %q, want %q", failed, want)
	}
	if got := r.MustRun(t, r.cmd()+" network inspect full ill old | jq -r '.[].problem'"); got != "plugin recorder is not ready: no addresses are left\nplugin recorder is not ready: the tunnel is down\nnull" {
		t.Errorf("network inspect: %q", got)
	}
	told(`ADD soon eth0 netns=here prev=no
STATUS soon  netns=none prev=no
DEL soon eth0 netns=here prev=no
STATUS full  netns=none prev=no
STATUS ill  netns=none prev=no
STATUS ill  netns=none prev=no
`)
	// A start that was killed is a reason for GC.
	for name, collected := range map[string]string{"old": "", "slow": "GC slow  netns=none prev=no\n"} {
		r.MustRun(t, fmt.Sprintf(`touch %[1]s; %[2]s run --quiet --net=%[5]s %[3]s --exec=/bin/true & pod=$!
until grep -q ADD %[4]s; do sleep 0.05; done; kill -9 $pod; wait $pod; rm %[1]s
%[2]s run --quiet --net=cannot %[3]s --exec=/bin/true`, hold, r.cmd(), busybox, r.record, name))
		r.WaitFor(t, time.Minute, "test -z \"$(ls "+r.marks+")\"")
		told("ADD " + name + " eth0 netns=here prev=no\nDEL " + name + " eth0 netns=none prev=yes\n" + collected +
			"ADD cannot eth0 netns=here prev=no\n  args= {}\nDEL cannot eth0 netns=none prev=yes\n")
	}
}
