package complaint

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

func TestLine(t *testing.T) {
	open := func(name string) (*os.File, string) {
		f, err := os.Create(filepath.Join(t.TempDir(), name))
		if err != nil {
			t.Fatal(err)
		}
		var st unix.Stat_t
		if err := unix.Fstat(int(f.Fd()), &st); err != nil {
			t.Fatal(err)
		}
		return f, fmt.Sprintf("%d:%d", st.Dev, st.Ino)
	}
	for name, tc := range map[string]struct {
		stream func(own, other string) string
		want   string
	}{
		"the journal":      {func(own, _ string) string { return own }, "<3>raket: oh\n"},
		"a file beside it": {func(_, other string) string { return other }, "raket: oh\n"},
		"no journal":       {func(_, _ string) string { return "" }, "raket: oh\n"},
	} {
		t.Run(name, func(t *testing.T) {
			f, own := open("a")
			_, other := open("b")
			t.Setenv("JOURNAL_STREAM", tc.stream(own, other))
			Line(f, "raket: oh")
			if got, err := os.ReadFile(f.Name()); err != nil || string(got) != tc.want {
				t.Errorf("%q, %v; want %q", got, err, tc.want)
			}
		})
	}
	var b bytes.Buffer
	if Line(&b, "raket: oh"); b.String() != "raket: oh\n" {
		t.Errorf("%q", b.String())
	}
}
