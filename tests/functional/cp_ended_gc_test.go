package functional

import (
	"slices"
	"strings"
	"testing"
)

// TestAPodIsNotCollectedWhileItsFilesAreCopied stops a copy in its middle, by a pipe that is not
// read, and collects.
func TestAPodIsNotCollectedWhileItsFilesAreCopied(t *testing.T) {
	p := newPods(t)
	t.Cleanup(func() { p.Run(t, "rm -rf /run/f-copied") })
	p.MustRun(t, "rm -rf /run/f-copied; mkdir /run/f-copied; mkfifo /run/f-copied/pipe")
	if r := p.run(t, []string{"--uuid-file-save=/run/f-copied/uuid"}, app{script: "seq 1 100000 >/big"}); r.Code != 0 {
		t.Fatalf("the app: %+v", r)
	}
	uuid := strings.TrimSpace(p.ReadFile(t, "/run/f-copied/uuid"))
	got := p.Run(t, `cd /run/f-copied; r="`+p.cmd()+`"
{ $r cp `+uuid+`:/big - >pipe; echo "cp $?"; } & copying=$!
exec 3<pipe; head -c 1000 <&3 >part
$r gc --grace-period=0s; $r list --format=json | grep -c `+uuid+`
$r rm `+uuid+` 2>&1 | sed 's/.*: //'
cat <&3 >>part; wait $copying; tar -xf part && seq 1 100000 | cmp - big && echo whole
$r gc --grace-period=0s >/dev/null && $r gc --grace-period=0s >/dev/null; $r list --format=json | grep -c `+uuid)
	lines := strings.Split(strings.TrimSpace(got.Stdout), "\n")
	if want := []string{"1", "the pod is in use by another command", "cp 0", "whole", "0"}; !slices.Equal(lines, want) {
		t.Errorf("got %q, want %q; %s", lines, want, got.Stderr)
	}
}
