package functional

import (
	"fmt"
	"strings"
	"testing"
)

// A host that runs many pods has no inotify instance left one day, and systemd says nothing of it.
func TestAPodWithoutInotifyInstancesIsRefused(t *testing.T) {
	p := newPods(t)
	r := p.Run(t, fmt.Sprintf("strace -f -qq -o /dev/null -e trace=inotify_init1 -e inject=inotify_init1:error=EMFILE:when=3+ %s run --quiet --net=none %s --exec=/bin/true", p.cmd(), busybox))
	want := "raket: stage1: too few inotify instances are left for a pod, which takes 6 to start and keeps 3: raise the host's sysctl fs.inotify.max_user_instances, which is "
	if r.Code != 254 || !strings.HasPrefix(r.Stderr, want) || strings.Count(r.Stderr, "\n") != 1 {
		t.Errorf("got %+v, want %q", r, want)
	}
}
