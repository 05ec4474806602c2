package functional

import (
	"fmt"
	"testing"
)

// Who holds an app's streams goes after what records the app's end.
func TestTheEndOfAnAppWithStreamsIsRecorded(t *testing.T) {
	p := newPods(t)
	uuid, unit := p.start(t, []string{"--net=none", "--exit-policy=none"}, app{script: "exec sleep 1000", flags: []string{"--stdout=stream"}})
	p.must(t, "app", "restart", uuid, "app")
	p.must(t, "app", "stop", uuid, "app")
	p.MustRun(t, fmt.Sprintf("grep -qx runs=2 %s/pods/run/%s/status/app", p.dir, uuid))
	if r := p.Run(t, "journalctl -o cat -p err -u "+unit+" | grep 'Failed at step'"); r.Stdout != "" {
		t.Errorf("the journal has %s", r.Stdout)
	}
}
