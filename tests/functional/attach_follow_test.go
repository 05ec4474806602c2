package functional

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// What clients see of an app's pipes and terminals, the log has as it comes, wherever that is: who follows
// it loses nothing, and ends with the pod.
func TestFollowingAnAppWhoseStreamsClientsHold(t *testing.T) {
	p := newPods(t)
	for _, log := range []string{"journal", "file"} {
		t.Run(log, func(t *testing.T) {
			dir, flags := p.meeting(t, "go")
			uuid, _ := p.start(t, append(flags, "--log="+log, "--exit-policy=all-ended"),
				app{name: "held", script: "echo one; echo two >&2; read x </v/go; seq 1000 1299; printf end", flags: []string{"--stdout=stream", "--stderr=stream"}},
				app{name: "other", script: "echo three", flags: []string{"--stdout=tty"}})
			unit := "f-held-" + log
			p.MustRun(t, fmt.Sprintf("systemd-run -q --unit=%[1]s -p StandardOutput=file:%[2]s/one -p StandardError=file:%[2]s/said sh -c '%[3]s logs --follow %[4]s held'; systemd-run -q --unit=%[1]s-client -p StandardOutput=file:%[2]s/client sh -c '%[3]s attach --app=held %[4]s'",
				unit, dir, p.cmd(), uuid))
			t.Cleanup(func() {
				p.Run(t, fmt.Sprintf("systemctl stop %[1]s %[1]s-client; systemctl reset-failed %[1]s %[1]s-client", unit))
			})
			// The client is there when it has what was said before it came.
			p.WaitFor(t, limit, "grep -x two "+dir+"/one && grep -x two "+dir+"/client")
			p.MustRun(t, "echo >"+dir+"/go")
			p.WaitFor(t, limit, "! systemctl is-active -q "+unit+" && ! systemctl is-active -q "+unit+"-client")
			want := []string{"end", "one", "two"}
			for n := range 300 {
				want = append(want, strconv.Itoa(1000+n))
			}
			slices.Sort(want)
			for _, file := range []string{"one", "client"} {
				got := strings.Fields(p.ReadFile(t, dir+"/"+file))
				if got[len(got)-1] != "end" {
					t.Errorf("%s: the last is %q", file, got[len(got)-1])
				}
				slices.Sort(got)
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("%s (-want +got):\n%s", file, diff)
				}
			}
			if said := p.ReadFile(t, dir+"/said"); said != "" {
				t.Errorf("it complained: %s", said)
			}
			if got := strings.Fields(p.must(t, "logs", uuid, "held")); len(got) != len(want) {
				t.Errorf("when the pod has ended the log has %d lines of %d", len(got), len(want))
			}
			if got := p.must(t, "logs", uuid, "other"); got != "three" {
				t.Errorf("the log of the terminal is %q", got)
			}
		})
	}
	// What is nowhere nobody can follow.
	uuid, _ := p.start(t, []string{"--net=none", "--log=none"}, app{script: "exec sleep 5701", flags: []string{"--stdout=stream"}})
	if r := p.raket(t, "logs", "--follow", uuid); r.Code != 254 || !strings.Contains(r.Stderr, "the pod was started with --log=none: its output is nowhere") {
		t.Errorf("without a log: %+v", r)
	}
}
