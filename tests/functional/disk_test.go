package functional

import (
	"cmp"
	"fmt"
	"regexp"
	"strings"
	"testing"
)

var unrecorded = regexp.MustCompile(`(?m)^raket: record how "app" ended: .*\n`)

// TestAFullDisk works in a file system of a few megabytes with ever more room in it, until
// what is asked for succeeds.
func TestAFullDisk(t *testing.T) {
	for name, tt := range map[string]struct {
		before, command string
		code            int // of success
	}{
		"fetching":  {"true", "fetch --quiet " + busybox, 0},
		"preparing": {"fetch --quiet " + busybox, "prepare --quiet " + quote(podLine(nil, app{script: "exit 7"})...), 0},
		"running":   {"fetch --quiet " + busybox, quote(runLine(nil, app{script: "exit 7"})...), 7},
		"copying":   {"fetch --quiet " + busybox, quote(runLine([]string{"--no-overlay"}, app{script: "exit 7"})...), 7},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPods(t)
			disk := p.MustRun(t, "f=$(mktemp /srv/disk.XXXXXX); truncate -s 40M $f; mkfs.ext4 -q -m 0 $f; mkdir -p "+p.dir+"; mount -o loop $f "+p.dir+"; echo $f")
			t.Cleanup(func() { p.Run(t, "umount "+p.dir+"; rm -f "+disk) })
			if tt.before != "true" {
				p.MustRun(t, p.cmd()+" "+tt.before)
			}
			failed := 0
			for free := 0; ; free += 1200 { // KiB
				if free > 20<<10 {
					t.Fatal("it fails with 20 MB of room")
				}
				p.MustRun(t, fmt.Sprintf("cd %[1]s; rm -f fill; have=$(df --output=avail -k . | tail -1); n=$((have-%[2]d)); [ $n -le 0 ] || fallocate -l ${n}K fill || true", p.dir, free))
				r := p.Run(t, p.cmd()+" "+tt.command+"; exit $?")
				if r.Code == tt.code {
					break
				}
				failed++
				// That the end of an app could not be noted is worth a line of its own.
				expectRefusal(t, r.Code, cmp.Or(unrecorded.ReplaceAllString(r.Stderr, ""), r.Stderr), "no space left on device")
				if s := p.list(t); len(s) != 0 && (len(s) != 1 || s[0].State == "running") {
					t.Errorf("with %d KiB of room a failure left %+v", free, s)
				}
				p.MustRun(t, fmt.Sprintf("rm -f %s/fill; %[2]s gc --grace-period=0s --expire-prepared=0s && %[2]s image gc", p.dir, p.cmd()))
				if left := p.leftovers(t); strings.Contains(left, "/pods/") {
					t.Errorf("with %d KiB of room a failure left, after gc:\n%s", free, left)
				}
				if left := p.MustRun(t, "find "+p.dir+" -path '*ingest/*' -o -name '.tmp-*'"); left != "" {
					t.Errorf("with %d KiB of room a failure left, after gc:\n%s", free, left)
				}
			}
			if failed == 0 {
				t.Error("it succeeded without any room")
			}
			p.MustRun(t, "rm -f "+p.dir+"/fill")
			if r := p.run(t, nil, app{script: "exit 7"}); r.Code != 7 {
				t.Errorf("with room again: %+v", r)
			}
			p.collect(t)
			p.MustRun(t, "umount "+p.dir)
		})
	}
}
