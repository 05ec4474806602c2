package unitfile_test

import (
	"bytes"
	"errors"
	"strconv"
	"strings"
	"testing"

	"github.com/coreos/go-systemd/v22/unit"
	"github.com/google/go-cmp/cmp"

	"github.com/raket/raket/pkg/unitfile"
)

// FuzzFile writes hostile text in every way there is, reads the file with another
// parser, and undoes the quoting as systemd's sources do.
func FuzzFile(f *testing.F) {
	for _, s := range nasty {
		f.Add(s, s)
	}
	f.Add("/a:b", "\xff")
	f.Fuzz(func(t *testing.T, a, b string) {
		if len(a)+len(b) > 200 { // go-systemd's parser refuses long lines
			t.Skip("longer than the other parser reads")
		}
		try := func(key string, write func(*unitfile.File), check func(value string)) {
			u := unitfile.New()
			u.Section("Service")
			write(u)
			u.Set("Group", "guard")
			text, err := u.Bytes()
			if err != nil {
				return
			}
			opts, err := unit.DeserializeOptions(bytes.NewReader(text))
			if err != nil {
				t.Fatalf("%s: %v in %q", key, err, text)
			}
			if len(opts) != 2 || opts[0].Name != key || opts[1].Name != "Group" || opts[1].Value != "guard" || bytes.Count(text, []byte("\n")) != 3 {
				t.Fatalf("%s: injected: %q", key, text)
			}
			check(opts[0].Value)
		}
		try("User", func(u *unitfile.File) { u.Set("User", a) }, func(v string) {
			if got := specifiers(t, v); got != a {
				t.Errorf("Set: %q became %q", a, got)
			}
		})
		try("Slice", func(u *unitfile.File) { u.SetRaw("Slice", a) }, func(v string) {
			if v != a {
				t.Errorf("SetRaw: %q became %q", a, v)
			}
		})
		try("After", func(u *unitfile.File) { u.Words("After", a, b) }, func(v string) {
			if diff := cmp.Diff([]string{a, b}, strings.Split(v, " ")); diff != "" {
				t.Error("Words (-want +got):\n" + diff)
			}
		})
		try("ExecStart", func(u *unitfile.File) { u.Exec("ExecStart", "-", []string{"/x" + a, a, b}) }, func(v string) {
			got := words(t, strings.TrimPrefix(v, "-"), true)
			for i := range got {
				if got[i] = specifiers(t, got[i]); i > 0 {
					got[i] = undouble(t, got[i], "$")
				}
			}
			if diff := cmp.Diff([]string{"/x" + a, a, b}, got); diff != "" {
				t.Error("Exec (-want +got):\n" + diff)
			}
		})
		try("Environment", func(u *unitfile.File) { u.Env("Environment", "A", a) }, func(v string) {
			if got := words(t, v, true); len(got) != 1 || specifiers(t, got[0]) != "A="+a {
				t.Errorf("Env: %q became %q", a, got)
			}
		})
		try("ReadOnlyPaths", func(u *unitfile.File) { u.Paths("ReadOnlyPaths", "/"+a, "/"+b) }, func(v string) {
			got := words(t, v, false)
			for i := range got {
				got[i] = specifiers(t, got[i])
			}
			if diff := cmp.Diff([]string{"/" + a, "/" + b}, got); diff != "" {
				t.Error("Paths (-want +got):\n" + diff)
			}
		})
	})
}

func FuzzErrorsSayWhetherAnythingCouldHoldTheValue(f *testing.F) {
	f.Add("/a\n")
	f.Fuzz(func(t *testing.T, s string) {
		u := unitfile.New()
		u.Section("Service")
		u.Exec("ExecStart", "", []string{"/bin/true", s})
		if err := u.Err(); err != nil && (!errors.Is(err, unitfile.ErrInexpressible) || strings.IndexByte(s, 0) < 0) && len(s) < 1000 {
			t.Errorf("argument %q: %v", s, err)
		}
	})
}

// words is extract_first_word of systemd with EXTRACT_UNQUOTE, and EXTRACT_CUNESCAPE
// if cescapes.
func words(t *testing.T, s string, cescapes bool) []string {
	var list []string
	for s = strings.TrimLeft(s, " "); s != ""; s = strings.TrimLeft(s, " ") {
		var w strings.Builder
		quote := byte(0)
		for s != "" && (quote != 0 || s[0] != ' ') {
			c := s[0]
			s = s[1:]
			switch {
			case c == '\\' && s == "":
				t.Fatal("a backslash at the end")
			case c == '\\' && !cescapes:
				w.WriteByte(s[0])
				s = s[1:]
			case c == '\\':
				var n int
				c, n = cunescape(t, s)
				w.WriteByte(c)
				s = s[n:]
			case c == quote:
				quote = 0
			case quote == 0 && (c == '"' || c == '\''):
				quote = c
			default:
				w.WriteByte(c)
			}
		}
		if quote != 0 {
			t.Fatal("an open quote")
		}
		list = append(list, w.String())
	}
	return list
}

// cunescape is systemd's, as far as the writer uses it.
func cunescape(t *testing.T, s string) (byte, int) {
	switch s[0] {
	case 'n':
		return '\n', 1
	case 't':
		return '\t', 1
	case 'r':
		return '\r', 1
	case '"', '\\':
		return s[0], 1
	case 'x':
		if len(s) >= 3 {
			if n, err := strconv.ParseUint(s[1:3], 16, 8); err == nil && n != 0 {
				return byte(n), 3
			}
		}
	}
	t.Fatalf("escape %q", s)
	return 0, 0
}

func specifiers(t *testing.T, s string) string { return undouble(t, s, "%") }

// undouble halves a character that stands for itself only when doubled.
func undouble(t *testing.T, s, char string) string {
	if strings.Contains(strings.ReplaceAll(s, char+char, ""), char) {
		t.Fatalf("%q has a single %s", s, char)
	}
	return strings.ReplaceAll(s, char+char, char)
}
