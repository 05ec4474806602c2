package unitfile_test

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/raket/raket/pkg/unitfile"
)

func TestNamesAreEscapedAsSystemdEscapeDoes(t *testing.T) {
	escape := lookSystemd(t, "systemd-escape")
	for _, s := range []string{"plain", "a/b", ".hidden", "a.b", "a-b", `a\b`, "a b", "ü", "a\x01b", "_:A9", "/", "-"} {
		out, err := exec.CommandContext(t.Context(), escape, "--", s).Output()
		if err != nil {
			t.Fatal(err)
		}
		got, want := unitfile.EscapeName(s), strings.TrimSuffix(string(out), "\n")
		if got != want {
			t.Errorf("EscapeName(%q) = %q, systemd-escape says %q", s, got, want)
		}
		if back, err := unitfile.UnescapeName(got); err != nil || back != s {
			t.Errorf("UnescapeName(%q) = %q, %v", got, back, err)
		}
	}
	for _, s := range []string{"/", "//", "/a/b", "/a//b/", "/.a", "/a/./b", "/a-b/c d"} {
		out, err := exec.CommandContext(t.Context(), escape, "--path", "--", s).Output()
		if err != nil {
			t.Fatal(err)
		}
		got, err := unitfile.EscapePath(s)
		if want := strings.TrimSuffix(string(out), "\n"); err != nil || got != want {
			t.Errorf("EscapePath(%q) = %q, %v; systemd-escape says %q", s, got, err, want)
		}
	}
}

func TestPathsThatHaveNoUnitNameAreRefused(t *testing.T) {
	for _, s := range []string{"", "a", "/a/../b", "/.."} {
		if got, err := unitfile.EscapePath(s); err == nil {
			t.Errorf("EscapePath(%q) = %q", s, got)
		}
	}
}

func TestUnitNames(t *testing.T) {
	for name, ok := range map[string]bool{
		"a.service": true, `a\x2db@c.socket`: true, "-.mount": true, "a": false, "": false, ".service": false, "a.": false,
		"a b.service": false, "a/b.service": false, "a.ser vice": false, "a%n.service": false,
		strings.Repeat("a", 250) + ".service": false,
	} {
		if err := unitfile.NameError(name); (err == nil) != ok {
			t.Errorf("NameError(%q) = %v", name, err)
		}
	}
}

func FuzzEscapeName(f *testing.F) {
	f.Add("a/b-c")
	f.Add(".\xff\x01")
	f.Fuzz(func(t *testing.T, s string) {
		escaped := unitfile.EscapeName(s)
		if s != "" && len(escaped) < 200 && unitfile.NameError(escaped+".service") != nil {
			t.Errorf("EscapeName(%q) = %q is not a unit's name", s, escaped)
		}
		if back, err := unitfile.UnescapeName(escaped); err != nil || back != s {
			t.Errorf("%q became %q, then %q, %v", s, escaped, back, err)
		}
	})
}
