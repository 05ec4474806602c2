package functional

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestAPodThatIsKilledWhileItJoins(t *testing.T) {
	hold := "/srv/" + plain(t.Name()) + "/hold"
	r := newRecorded(t, map[string][]string{"slow": {fmt.Sprintf(`"address":"10.1.0.2/24","hold":%q`, hold)}, "after": {`"address":"10.2.0.2/24"`}})
	r.MustRun(t, fmt.Sprintf(`touch %[1]s; %[2]s fetch --quiet %[3]s >/dev/null
%[2]s run --quiet --net=slow,after %[3]s --exec=/bin/true & pod=$!
until grep -q ADD %[4]s; do sleep 0.05; done; kill -9 $pod; wait $pod
%[2]s gc --grace-period=0s >/dev/null & rm %[1]s; wait $!`, hold, r.cmd(), busybox, r.record))
	// The plugin went on; what it answered is known, and it was waited for. The other was never asked.
	if diff := cmp.Diff("ADD slow eth0 netns=here prev=no\nDEL slow eth0 netns=none prev=yes\n", r.said(t)); diff != "" {
		t.Error("(-want +got):\n" + diff)
	}
}

func TestAnUndoingThatIsKilledIsBegunAgain(t *testing.T) {
	hold := "/srv/" + plain(t.Name()) + "/hold"
	r := newRecorded(t, map[string][]string{"slow": {fmt.Sprintf(`"address":"10.1.0.2/24","hold":%q`, hold)}})
	r.MustRun(t, fmt.Sprintf("touch %s.DEL; %s %s", hold, r.cmd(), quote(runLine([]string{"--net=slow"}, app{script: "true"})...)))
	r.WaitFor(t, time.Minute, "grep -q DEL "+r.record)
	r.MustRun(t, "systemctl kill --signal=KILL 'raket-network-*'; rm "+hold+".DEL")
	r.MustRun(t, r.cmd()+" gc --grace-period=0s")
	if got := r.said(t); !strings.HasPrefix(got, "ADD slow") || strings.Count(got, "DEL slow eth0 netns=none prev=yes") != 2 {
		t.Errorf("asked: %s", got)
	}
}

func TestNetworksOfPodsBeforeAReboot(t *testing.T) {
	r := newRecorded(t, map[string][]string{"one": {`"address":"10.1.0.2/24"`}})
	const old = "01234567-89ab-4cde-8f01-23456789abcd"
	// What a pod of another boot leaves is the record of one of this boot, and no lock.
	got := r.MustRun(t, fmt.Sprintf(`%[1]s run --quiet --net=one %[2]s --exec=/bin/sleep -- 1000 & pod=$!
until test -e %[3]s/pods/run/*/pid; do sleep 0.05; done
cd %[3]s/networks/pods; new=$(ls); cp -a $new %[4]s; mv %[4]s/cni/results/one-$new-eth0 %[4]s/cni/results/one-%[4]s-eth0
sed -i "s/$new/%[4]s/; s/\"boot\":\"[^\"]*\"/\"boot\":\"another\"/" %[4]s/record.json; mkdir %[5]s/0-%[4]s-one-eth0
%[1]s run --quiet --net=one %[2]s --exec=/bin/echo -- second
%[1]s stop $new; wait $pod; ls`, r.cmd(), busybox, r.dir, old, r.marks))
	if !strings.Contains(got, "second\n") || strings.Contains(got, old) {
		t.Errorf("got %q", got)
	}
	r.WaitFor(t, time.Minute, "test -z \"$(ls "+r.marks+")\"")
	want := "ADD one eth0 netns=here prev=no\nDEL one eth0 netns=none prev=yes\nGC one  netns=none prev=no\nADD one eth0 netns=here prev=no\n"
	if got := r.said(t); !strings.HasPrefix(got, want) || strings.Count(got, "DEL one") != 3 || strings.Count(got, "GC") != 1 {
		t.Errorf("asked: %s", got)
	}
}

func TestAUnitWhosePodTakesTimeToEnd(t *testing.T) {
	r := newRecorded(t, map[string][]string{"one": {`"address":"10.1.0.2/24"`}})
	// systemd ends it by itself, and stops what is bound to it at once.
	slow := app{script: "trap 'sleep 1; exit' TERM; notify READY=1; while :; do sleep 0.1; done", flags: []string{"--type=notify", "--notify-access=all", "--stop-timeout=1m"}}
	r.MustRun(t, "systemd-run --quiet --unit=f-slow -p Type=notify -p NotifyAccess=main -p KillMode=mixed -p Delegate=yes -p Slice=machine.slice -p SuccessExitStatus=133 -p RuntimeMaxSec=1 -- "+
		r.cmd()+" "+quote(podLine([]string{"run", "--quiet", "--net=one"}, slow)...))
	t.Cleanup(func() { r.Run(t, "systemctl stop f-slow; systemctl reset-failed f-slow") })
	r.WaitFor(t, time.Minute, "systemctl is-failed f-slow && ! systemctl list-units --all --plain --no-legend 'raket-network-*' | grep .")
	// Without any further command of raket's.
	if got, want := r.said(t), "ADD one eth0 netns=here prev=no\nDEL one eth0 netns=none prev=yes\n"; got != want {
		t.Errorf("asked %q, want %q", got, want)
	}
}
