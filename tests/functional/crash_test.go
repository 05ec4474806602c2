package functional

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/raket/raket/tests/testhost"
)

// changes are the system calls by which raket changes what is on disk or mounted.
const changes = "rename,renameat,renameat2,mkdir,mkdirat,unlink,unlinkat,rmdir,symlinkat,linkat,mount,move_mount,mount_setattr,fchmodat,fchownat,ftruncate,fsync,fdatasync,syncfs,flock"

// walk kills a command with SIGKILL before its first, second, … change, on whichever thread
// that is, until the command gets through unharmed a few times in a row. After each kill the
// store must be readable, collectable to nothing, and the command must work. %[1]s is the
func (p *pods) walk(t *testing.T, stride int, before, command, check string) {
	t.Helper()
	script := fmt.Sprintf(`
r=%q; d=%q; spared=0; kills=0
bad() { echo "before change $n of set $set: $*"; }
for set in %s openat,write; do
  step=%d; [ $set = openat,write ] && step=$((step*12))
  spared=0
  for n in $(seq $((1 + RANDOM %% step)) $step 400); do
    %s
    timeout -s KILL 30 strace -f -qq -o /dev/null -e trace=$set -e inject=$set:signal=KILL:when=$n %s >/run/walk.out 2>&1 </dev/null
    if [ $? = 137 ]; then kills=$((kills+1)); spared=0; else spared=$((spared+1)); fi
    for pid in $(cat $d/pods/run/*/pid 2>/dev/null); do
      # What outlived its launcher is a pod like any other.
      kill -9 $pid 2>/dev/null
    done
    end=$((SECONDS+60))
    while $r list --no-legend --full | grep -qw running; do [ $SECONDS -lt $end ] || { bad "a pod still runs: $($r list)"; break; }; done
    $r list >/run/walk.list 2>&1 || bad "list: $(cat /run/walk.list)"
    $r gc --grace-period=0s --expire-prepared=0s >/run/walk.gc 2>&1 || bad "gc: $(cat /run/walk.gc)"
    left=$(find $d/pods -mindepth 2 -maxdepth 2); [ -z "$left" ] || bad "gc left $left"
    %s >/run/walk.again 2>&1 || bad "second try: $(cat /run/walk.again)"
    [ $spared -lt 3 ] || break
  done
done
$r gc --grace-period=0s --expire-prepared=0s >/dev/null
$r image gc >/dev/null
find $d -path '*ingest/*' -o -name '.tmp-*' -o -path '*/stage1/*' -prune -false | sed 's/^/temporary file left: /'
echo "$kills kills" >&2`, p.cmd(), p.dir, changes, stride, before, command, check)
	r := p.Do(t, testhost.Cmd{Script: script, Timeout: 10 * time.Minute})
	if r.Code != 0 || r.Stdout != "" {
		t.Errorf("status %d\n%s", r.Code, r.Stdout)
	}
	var kills int
	if _, err := fmt.Sscanf(r.Stderr[strings.LastIndex(strings.TrimSpace(r.Stderr), "\n")+1:], "%d kills", &kills); err != nil || kills == 0 {
		t.Errorf("the walk made %d kills: %s", kills, r.Stderr)
	}
	t.Logf("%d kills", kills)
}

func TestAKilledRaketLeavesNothingHalfMade(t *testing.T) {
	run := quote(runLine(nil, app{script: "exit 7"})...)
	for name, tt := range map[string]struct {
		stride                 int // every change is walked to where there are few, elsewhere other ones each time
		before, command, check string
	}{
		"fetching":  {5, "rm -rf $d/images $d/trees", "$r fetch " + busybox, "$r " + run + "; [ $? = 7 ]"},
		"preparing": {1, "true", "$r prepare --quiet " + quote(podLine(nil, app{script: "exit 7"})...), "$r run-prepared --net=none $($r prepare --quiet " + quote(podLine(nil, app{script: "exit 7"})...) + "); [ $? = 7 ]"},
		"running":   {3, "true", "$r " + run, "$r " + run + "; [ $? = 7 ]"},
		"collecting": {2, "$r " + run + "; $r prepare --quiet " + quote(podLine(nil, app{script: "exit 7"})...) + " >/dev/null",
			"$r gc --grace-period=0s --expire-prepared=0s", "$r " + run + "; [ $? = 7 ]"},
		"collecting images": {1, "$r fetch --quiet " + busybox + " >/dev/null", "$r image gc --grace-period=0s", "$r " + run + "; [ $? = 7 ]"},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPods(t)
			p.must(t, "fetch", "--quiet", busybox)
			p.walk(t, tt.stride, tt.before, tt.command, tt.check)
		})
	}
}

func TestKillingThePodFromOutside(t *testing.T) {
	p := newPods(t)
	for name, victim := range map[string]string{
		"nspawn, from a unit":    `systemctl show -P MainPID $unit`,
		"the pod's init":         groupsFunc + `; cat $(groups $unit | grep /init.scope/)`,
		"everything in the unit": `systemctl kill -s KILL $unit; echo 999999999`,
	} {
		t.Run(name, func(t *testing.T) {
			uuid, unit := p.start(t, nil, app{name: "a", script: "exec sleep 12345"}, app{name: "b", script: "exec sleep 12345"})
			p.MustRun(t, "unit="+unit+"; pid=$("+victim+"); kill -9 $pid || [ $pid = 999999999 ]")
			p.WaitFor(t, limit, "! systemctl is-active -q "+unit+"; [ $(systemctl show -P ActiveState "+unit+") = failed ]")
			p.WaitFor(t, limit, p.cmd()+" status "+uuid+" | grep -x state=exited")
			p.WaitFor(t, limit, "! pgrep -fx 'sleep 12345'")
			p.collect(t)
			if left := p.leftovers(t); left != "" {
				t.Errorf("left behind:\n%s", left)
			}
		})
	}
	t.Run("nspawn, from a shell", func(t *testing.T) {
		dir, flags := p.meeting(t, "up")
		p.MustRun(t, fmt.Sprintf("(%s %s </dev/null >/dev/null 2>&1; echo $? >%s/code) & timeout 60 cat %s/up; kill -9 $(cat %s/pods/run/*/pid); wait", p.cmd(),
			quote(runLine(flags, app{script: "echo up >/v/up; exec sleep 12345"})...), dir, dir, p.dir))
		p.WaitFor(t, limit, "! pgrep -fx 'sleep 12345'")
		if s := p.list(t); len(s) != 1 || s[0].State != "exited" {
			t.Errorf("listed: %+v", s)
		}
		if got := p.ReadFile(t, dir+"/code"); got != "137\n" {
			t.Errorf("the shell saw %q", got)
		}
		p.collect(t)
		if left := p.leftovers(t); left != "" {
			t.Errorf("left behind:\n%s", left)
		}
		// systemd hears of a scope's end from the kernel.
		p.WaitFor(t, limit, "! systemctl list-units --all --no-legend 'rkt-*' | grep .")
	})
}
