package stageabi

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestRecordsOfHealth(t *testing.T) {
	got, err := ParseAppHealth("status=unhealthy\nfailing=3\nbegan=1700000000.000000000\nmain=7\nexit=-1\nchecked=1700000001.500000000\n\nout\n\nput")
	want := AppHealth{Status: "unhealthy", Failing: 3, Code: -1, Checked: time.Unix(1700000001, 500000000), Output: "out\n\nput"}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	for _, bad := range []string{"", "status=healthy\n", "status\n\n", "failing=x\n\n", "checked=now\n\n"} {
		if _, err := ParseAppHealth(bad); err == nil {
			t.Errorf("%q is no record", bad)
		}
	}
}

func FuzzParseAppHealth(f *testing.F) {
	f.Add("status=healthy\nfailing=0\nexit=0\nchecked=1.2\n\nfine")
	f.Fuzz(func(t *testing.T, text string) {
		if h, err := ParseAppHealth(text); err == nil && len(h.Output) > len(text) {
			t.Error("more output than text")
		}
	})
}
