package progress

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestLines(t *testing.T) {
	var out bytes.Buffer
	d := New(&out)
	at := time.Unix(1000, 0)
	d.now = func() time.Time { return at }
	d.Note(Note{Kind: Resolving, Image: "docker://r/x"})
	good, bad := d.Start("sha256:0123456789ab", 3<<20), d.Start("evil\x1b[2J", 10)
	good.Add(1 << 20)
	good.Add(2 << 20)
	d.Note(Note{Kind: Retry, Blob: "sha256:0123456789ab", Text: "connection reset\nby peer"})
	at = at.Add(1500 * time.Millisecond)
	good.Done(true)
	good.Done(true)
	bad.Done(false)
	d.Close()
	want := "retry: sha256:0123456789ab connection reset?by peer\n" +
		"sha256:0123456789ab         3.0 MiB in   1.5s  2.0 MiB/s\n"
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestShortLabel(t *testing.T) {
	for in, want := range map[string]string{
		"sha256:0123456789abcdef0123": "sha256:0123456789ab",
		"example.com/reloader:1.0.0":  "...le.com/reloader:1.0.0",
		"example.com/app:1":           "example.com/app:1",
	} {
		if got := shortLabel(in); got != want {
			t.Errorf("%q is shown as %q, want %q", in, got, want)
		}
	}
}

func TestLine(t *testing.T) {
	start := time.Unix(1000, 0)
	for _, tc := range []struct {
		name        string
		width       int
		done, total int64
		want        string
	}{
		{"nothing yet", 100, 0, 1 << 20, "layer                    [                    ]        0 B of 1.0 MiB"},
		{"half way", 100, 1 << 19, 1 << 20, "layer                    [==========          ]  512.0 KiB of 1.0 MiB     256.0 KiB/s  2s left"},
		{"more than announced", 100, 1 << 21, 1 << 20, "layer                    [====================]    2.0 MiB of 1.0 MiB       1.0 MiB/s"},
		{"size unknown", 100, 1 << 20, 0, "layer                       1.0 MiB  512.0 KiB/s"},
		{"80 columns", 80, 1 << 19, 1 << 20, "layer                     50% of 1.0 MiB     256.0 KiB/s  2s left"},
		{"40 columns", 40, 1 << 19, 1 << 20, "layer  50% 2s left"},
		{"10 columns", 10, 1 << 19, 1 << 20, "layer  50"},
		{"hours and hours", 40, 1, 1 << 60, "layer   0%"},
		{"a size beyond all", 100, 1 << 62, 1<<63 - 1, "layer                    [==========          ]    4.0 EiB of 8.0 EiB       2.0 EiB/s  2s left"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			b := &Bar{label: "layer", total: tc.total, start: start}
			b.done.Store(tc.done)
			if diff := cmp.Diff(tc.want, b.line(start.Add(2*time.Second), tc.width)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestJSON(t *testing.T) {
	var out bytes.Buffer
	d := NewJSON(&out)
	at := time.Unix(1000, 0)
	d.now = func() time.Time { return at }
	d.Note(Note{Kind: Resolving, Image: "docker://r/x"})
	good, bad := d.Start("sha256:01", 100), d.Start("sha256:02", 0)
	d.mu.Lock()
	good.Add(40)
	d.show.tick(d.bars)
	d.show.tick(d.bars) // nothing new
	d.mu.Unlock()
	at = at.Add(2 * time.Second)
	good.Add(60)
	good.Done(true)
	bad.Done(false)
	d.Note(Note{Kind: Done, Image: "docker://r/x", ID: "sha256:ff"})
	d.Note(Note{Kind: Failed, Image: "docker://r/y", Text: "no \"such\"\nimage"})
	d.Close()
	want := `{"time":"1970-01-01T00:16:40Z","event":"resolving","image":"docker://r/x"}
{"time":"1970-01-01T00:16:40Z","event":"start","blob":"sha256:01","bytes":0,"total":100}
{"time":"1970-01-01T00:16:40Z","event":"start","blob":"sha256:02","bytes":0}
{"time":"1970-01-01T00:16:40Z","event":"progress","blob":"sha256:01","bytes":40,"total":100}
{"time":"1970-01-01T00:16:42Z","event":"finish","blob":"sha256:01","bytes":100,"total":100,"seconds":2}
{"time":"1970-01-01T00:16:42Z","event":"abort","blob":"sha256:02","bytes":0,"seconds":2}
{"time":"1970-01-01T00:16:42Z","event":"done","image":"docker://r/x","id":"sha256:ff"}
{"time":"1970-01-01T00:16:42Z","event":"failed","image":"docker://r/y","text":"no \"such\"\nimage"}
`
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for line := range strings.Lines(out.String()) {
		var e Event
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Errorf("%q: %v", line, err)
		}
	}
}

func TestNilShowsNothing(t *testing.T) {
	var d *Display
	b := d.Start("x", 1)
	b.Add(1)
	b.Done(true)
	d.Note(Note{Kind: Warning})
	d.Close()
}

func TestSize(t *testing.T) {
	for n, want := range map[int64]string{0: "0 B", 1023: "1023 B", 1024: "1.0 KiB", 143 << 20: "143.0 MiB", 1 << 62: "4.0 EiB"} {
		if got := Size(n); got != want {
			t.Errorf("Size(%d) = %q, want %q", n, got, want)
		}
	}
}
