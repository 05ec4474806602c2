package progress

import (
	"bytes"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestLines(t *testing.T) {
	var out bytes.Buffer
	d := New(&out)
	at := time.Unix(1000, 0)
	d.now = func() time.Time { return at }
	good, bad := d.Start("sha256:0123456789ab", 3<<20), d.Start("evil\x1b[2J", 10)
	good.Add(1 << 20)
	good.Add(2 << 20)
	at = at.Add(1500 * time.Millisecond)
	good.Done(true)
	good.Done(true)
	bad.Done(false)
	d.Close()
	want := "sha256:0123456789ab         3.0 MiB in   1.5s  2.0 MiB/s\n"
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestLine(t *testing.T) {
	start := time.Unix(1000, 0)
	for _, tc := range []struct {
		name        string
		done, total int64
		want        string
	}{
		{"nothing yet", 0, 1 << 20, "layer                    [                    ]        0 B of 1.0 MiB"},
		{"half way", 1 << 19, 1 << 20, "layer                    [==========          ]  512.0 KiB of 1.0 MiB     256.0 KiB/s  2s left"},
		{"more than announced", 1 << 21, 1 << 20, "layer                    [====================]    2.0 MiB of 1.0 MiB       1.0 MiB/s"},
		{"size unknown", 1 << 20, 0, "layer                       1.0 MiB  512.0 KiB/s"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			b := &Bar{label: "layer", total: tc.total, start: start}
			b.done.Store(tc.done)
			if diff := cmp.Diff(tc.want, b.line(start.Add(2*time.Second))); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestNilShowsNothing(t *testing.T) {
	var d *Display
	b := d.Start("x", 1)
	b.Add(1)
	b.Done(true)
	d.Close()
}

func TestSize(t *testing.T) {
	for n, want := range map[int64]string{0: "0 B", 1023: "1023 B", 1024: "1.0 KiB", 143 << 20: "143.0 MiB", 1 << 62: "4.0 EiB"} {
		if got := Size(n); got != want {
			t.Errorf("Size(%d) = %q, want %q", n, got, want)
		}
	}
}
