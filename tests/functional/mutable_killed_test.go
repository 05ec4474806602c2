package functional

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/raket/raket/tests/testhost"
)

// walkApps kills a command about app x of a running pod with SIGKILL before its changes of what is
// on disk or mounted: in raket, or in the stage1 and in what that has in the pod. After each kill the
// next command on the pod, about another app, must find all in order. Of each walk is said where to
// kill, at which system calls, how many to pass over each time, what comes before, the command, and
// which states of x may follow, as a pattern. One pod lives through all of it.
const walkApps = `
r=%[1]q; d=%[2]q; u=%[3]s; pod=$d/pods/run/$u; kills=0; rounds=0; real=$(sed -n 's/.*"dir": *"\([^"]*\)".*/\1/p' $pod/sandbox.json | head -n 1)
disk=%[4]s; until keep=$(pgrep -fx 'sleep 4321'); do sleep 0.05; done
for c in $(cat /proc/$(cat $pod/pid)/task/$(cat $pod/pid)/children); do if test -d /proc/$c/root/raket/units; then init=$c root=/proc/$c/root; fi; done
# The pod's stage1 is one whose entrypoints for apps are killed when that is asked for.
s=$(mktemp -d /run/walk.XXXXXX); mkdir $s/rootfs; ln -s $real/manifest $s/; ln -s $real/rootfs/* $s/rootfs/
for e in app-add app-start app-stop app-rm; do
  rm $s/rootfs/$e
  printf '#!/bin/bash\nif mv %%s/ask %%s/asked 2>/dev/null; then exec strace -f -q -o %%s/trace $(cat %%s/asked) %%s "$@"; fi\nexec %%s "$@"\n' $s $s $s $s $real/rootfs/$e $real/rootfs/$e >$s/rootfs/$e
  chmod +x $s/rootfs/$e
done
sed -i "s,\"$real\",\"$s\"," $pod/sandbox.json; grep -q $s $pod/sandbox.json || echo "the pod's stage1 is not replaced"
bad() { echo "$command, killed in $where before $n of $set: $*"; }
held() {
  names=" $($r app list --no-legend $u | cut -f1 | sort | tr '\n' ' ')"
  test " $(ls -A $pod/apps | sort | tr '\n' ' ')" = "$names" || bad "the pod has $names, directories are there for $(ls -A $pod/apps | tr '\n' ' ')"
  grep -q '"change"' $pod/sandbox.json && bad "a change is under way"
  for p in $(cat $pod/pid) $init; do
    m=$(sed -n 's,^[^ ]* [^ ]* [^ ]* [^ ]* [^ ]*/raket/apps/\([^/ ]*/[^/ ]*\) .*,\1,p' /proc/$p/mountinfo | sort)
    test -z "$(echo "$m" | uniq -d)" || bad "mounted twice: $m"
    for m in $m; do case "$names" in *" ${m%%/*} "*) test ${m#*/} = rootfs || bad "$m is mounted";; *) bad "$m is mounted";; esac; done
  done
  for f in $(cd $root/raket/units && ls -d *.service *.socket *.timer ../apps/* ../filters/* 2>/dev/null); do
    f=${f##*/}; case $f in raket.*|metadata.*) ;; *) case "$names" in *" ${f%%%%.*} "*) ;; *) bad "$f is left in the pod";; esac;; esac
  done
  for v in $(ls -A $pod/volumes 2>/dev/null); do grep -q "\"name\": *\"$v\"" $pod/pod || bad "the volume $v is nobody's"; done
  groups=$(find /sys/fs/cgroup -type d -path "*/rkt-$u/?*" -not -path '*/systemd/*' -not -path '*/unified/*' | sed -n 's,.*/cgroup/\([^/]*\)/.*/\([^/.]*\)[^/]*$,\1/\2,p' | sort)
  test -z "$(echo "$groups" | uniq -d)" || bad "groups of two: $groups"
  for g in $groups; do case "$names" in *" ${g#*/} "*) ;; *) bad "the group $g is left";; esac; done
  left=$(find $pod $root/raket/units $root/raket/filters $root/raket/apps $root/etc -xdev \( -name '.tmp-*' -o -name '.new-*' -o -name '.old-*' -o -name '*.old' -o -name previous -o -name new \) | grep -v /rootfs/)
  test -z "$left" || bad "left: $left"
  test "$(pgrep -fx 'sleep 4321')" = $keep || bad "the other app has another process"
}
walk() {
  where=$1 set=$2 step=$3 before=$4 command=$5 is=$6 n=1
  while test $n -lt 400; do
    rounds=$((rounds+1)); rm -f $s/trace $s/ask*
    eval "$before" >$s/before 2>&1 </dev/null || { bad "before it: $(cat $s/before)"; return; }
    if test $where = raket; then
      eval "timeout -s KILL 30 strace -f -b execve -q -o $s/trace -e trace=$set -e inject=$set:signal=KILL:when=$n $command" >$s/out 2>&1 </dev/null
    else
      echo -etrace=$set -einject=$set:signal=KILL:when=$n >$s/ask
      eval "timeout -s KILL 30 $command" >$s/out 2>&1 </dev/null
    fi
    grep -q 'killed by SIGKILL' $s/trace || { test $n -gt 1 || bad "nothing was killed: $(cat $s/out)"; return; }
    kills=$((kills+1)); rm -f $s/ask
    $r app start $u keep >$s/next 2>&1 || bad "the next command: $(cat $s/next); this one: $(cat $s/out)"
    held
    x=$($r app list --no-legend $u | sed -n 's/^x\t//p')
    eval "case '$x' in $is) ;; *) bad \"x is ${x:-gone}; $(cat $s/out)\";; esac"
    n=$((n+step))
  done
}
%[5]s
rm -rf $s
echo "$kills kills in $rounds rounds" >&2`

func TestAKilledChangeOfAnAppIsBroughtToAnEnd(t *testing.T) {
	p := newPods(t)
	_, flags := p.meeting(t)
	uuid, _ := p.start(t, append(flags, "--log=file"), app{name: "keep", script: "exec sleep 4321"})
	add := "$r app add --quiet --volume=v$rounds,kind=empty --mount=volume=v$rounds,target=/w $u " + quote(app{name: "x", script: "exec sleep 1234", flags: []string{"--mount=volume=meet,target=/v", "--seccomp=mode=remove,errno=EPERM,swapon", "--after=keep", "--device=/dev/null:/dev/x", "--memory=90M"}}.line()...)
	update := "$r app update --quiet --settle=10ms $u x " + busybox + " -- -c 'exec sleep 2345'"
	gone := "! $r app status $u x || $r app rm $u x"
	runs := "{ $r app status $u x || " + add + "; } && $r app start $u x"
	var walks strings.Builder
	const inPod = "renameat,renameat2,move_mount,unlinkat,umount2,flock"
	for _, w := range []struct {
		where, set          string
		step                int
		before, command, is string
	}{
		{"raket", "$disk", 3, gone, add, `""|created`},
		{"stage1", inPod, 3, gone, add, `""|created`},
		{"stage1", "mount,mkdirat,sendmsg", 6, gone, add, `""|created`},
		{"raket", "$disk", 4, runs, update, "running"},
		{"stage1", inPod, 3, runs, update, "running"},
		{"stage1", "write", 15, runs, update, "running"},
		{"raket", "$disk", 3, runs, "$r app stop $u x", "exited|running"},
		{"stage1", inPod, 2, runs, "$r app stop $u x", "exited"},
		{"raket", "$disk", 4, runs, "$r app rm $u x", `""|exited|running`},
		{"stage1", inPod, 2, runs, "$r app rm $u x", `""|exited`},
	} {
		fmt.Fprintf(&walks, "walk %s %q %d %s %s %s\n", w.where, w.set, w.step, quote(w.before), quote(w.command), quote(w.is))
	}
	r := p.Do(t, testhost.Cmd{Script: fmt.Sprintf(walkApps, p.cmd(), p.dir, uuid, changes, walks.String()), Timeout: 10 * time.Minute})
	if r.Code != 0 || r.Stdout != "" {
		t.Errorf("status %d\n%s%s", r.Code, r.Stdout, r.Stderr)
	}
	var kills int
	if _, err := fmt.Sscanf(r.Stderr[strings.LastIndex(strings.TrimSpace(r.Stderr), "\n")+1:], "%d kills", &kills); err != nil || kills < 15 {
		t.Errorf("the walks made %d kills: %s", kills, r.Stderr)
	}
	t.Log(r.Stderr[strings.LastIndex(strings.TrimSpace(r.Stderr), "\n")+1:])
}
