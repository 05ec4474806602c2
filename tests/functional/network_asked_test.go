package functional

import (
	"fmt"
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

	// CNI has CHECK from 0.4.0 on, and GC from 1.1.0 on, for which a start that was killed is a reason.
	r.MustRun(t, fmt.Sprintf(`%[1]s run --quiet --uuid-file-save=%[3]s --net=old %[2]s --exec=/bin/sleep -- 1000 & pod=$!
until test -s %[3]s; do sleep 0.05; done
%[1]s status --wait-ready=1m --uuid-file=%[3]s >/dev/null && %[1]s status --verify --uuid-file=%[3]s >/dev/null
%[1]s stop --uuid-file=%[3]s; wait $pod`, r.cmd(), busybox, r.config+"/uuid"))
	r.WaitFor(t, time.Minute, "test -z \"$(ls "+r.marks+")\"")
	told("ADD old eth0 netns=here prev=no\nCHECK old eth0 netns=here prev=yes\nDEL old eth0 netns=none prev=yes\n")
	for name, collected := range map[string]string{"old": "", "slow": "GC slow  netns=none prev=no\n"} {
		r.MustRun(t, fmt.Sprintf(`touch %[1]s; %[2]s run --quiet --net=%[5]s %[3]s --exec=/bin/true & pod=$!
until grep -q ADD %[4]s; do sleep 0.05; done; kill -9 $pod; wait $pod; rm %[1]s
%[2]s run --quiet --net=cannot %[3]s --exec=/bin/true`, hold, r.cmd(), busybox, r.record, name))
		r.WaitFor(t, time.Minute, "test -z \"$(ls "+r.marks+")\"")
		told("ADD " + name + " eth0 netns=here prev=no\nDEL " + name + " eth0 netns=none prev=yes\n" + collected +
			"ADD cannot eth0 netns=here prev=no\n  args= {}\nDEL cannot eth0 netns=none prev=yes\n")
	}
}
