package capset

import (
	"os"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

func TestMask(t *testing.T) {
	for _, tc := range []struct {
		list []string
		want uint64
	}{
		{nil, 0},
		{[]string{"CAP_CHOWN"}, 1},
		{[]string{"CAP_SYS_ADMIN", "CAP_NET_BIND_SERVICE", "CAP_SYS_ADMIN"}, 1<<unix.CAP_SYS_ADMIN | 1<<unix.CAP_NET_BIND_SERVICE},
		{[]string{"CAP_CHECKPOINT_RESTORE"}, 1 << unix.CAP_CHECKPOINT_RESTORE},
		{[]string{"cap_chown", "CHOWN", "CAP_", ""}, 0},
	} {
		if got := Mask(tc.list); got != tc.want {
			t.Errorf("%v: %x, want %x", tc.list, got, tc.want)
		}
	}
	if len(names) != unix.CAP_LAST_CAP+1 {
		t.Errorf("%d names; the last capability is number %d", len(names), unix.CAP_LAST_CAP)
	}
}

// sets are CapInh, CapPrm, CapEff, CapBnd and CapAmb of this thread, in order.
func sets(t *testing.T) []string {
	t.Helper()
	text, err := os.ReadFile("/proc/thread-self/status")
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for line := range strings.Lines(string(text)) {
		if name, value, _ := strings.Cut(line, ":"); strings.HasPrefix(name, "Cap") {
			list = append(list, strings.TrimLeft(strings.TrimSpace(value), "0"))
		}
	}
	return list
}

func TestLimit(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("giving up capabilities needs CAP_SETPCAP")
	}
	const kill, bind, chown = 1 << unix.CAP_KILL, 1 << unix.CAP_NET_BIND_SERVICE, 1 << unix.CAP_CHOWN
	for _, tc := range []struct {
		name              string
		bounding, ambient uint64
		want              []string // inheritable, permitted, effective, bounding, ambient
	}{
		{name: "some for root", bounding: kill | chown, want: []string{"", "21", "21", "21", ""}},
		{name: "one for another user", bounding: kill | bind, ambient: bind, want: []string{"400", "420", "420", "420", "400"}},
		{name: "none", want: []string{"", "", "", "", ""}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			// Never unlocked: the thread, which cannot get them back, ends with the test.
			runtime.LockOSThread()
			if err := Limit(tc.bounding, tc.ambient); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, sets(t)); diff != "" {
				t.Error("(-want +got):\n" + diff)
			}
		})
	}
	t.Run("one that is not had", func(t *testing.T) {
		runtime.LockOSThread()
		if err := Limit(kill, 1<<63); err == nil {
			t.Error("no error")
		}
	})
	t.Run("without the right to limit", func(t *testing.T) {
		runtime.LockOSThread()
		if err := Limit(kill|chown, 0); err != nil {
			t.Fatal(err)
		}
		if err := Limit(kill, 0); err == nil {
			t.Error("no error")
		}
	})
}
