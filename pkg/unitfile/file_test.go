package unitfile_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/raket/raket/pkg/unitfile"
)

func TestValuesAreWrittenSoThatSystemdReadsThemBack(t *testing.T) {
	for name, tc := range map[string]struct {
		write func(*unitfile.File)
		want  string
	}{
		"plain text has its specifiers escaped":     {func(f *unitfile.File) { f.Set("Description", "100% done") }, "Description=100%% done"},
		"raw text keeps them":                       {func(f *unitfile.File) { f.SetRaw("Description", "pod %i") }, "Description=pod %i"},
		"an empty value resets":                     {func(f *unitfile.File) { f.Set("ExecStart", "") }, "ExecStart="},
		"words are joined":                          {func(f *unitfile.File) { f.Words("After", "a.service", "b@c.target") }, "After=a.service b@c.target"},
		"arguments have dollars and specifiers off": {func(f *unitfile.File) { f.Exec("ExecStart", "", []string{"/bin/sh", "-c", "echo $HOME 5%"}) }, `ExecStart="/bin/sh" "-c" "echo $$HOME 5%%"`},
		"a colon prefix leaves dollars alone":       {func(f *unitfile.File) { f.Exec("ExecStart", "-:", []string{"/bin/sh", "$a"}) }, `ExecStart=-:"/bin/sh" "$a"`},
		"any byte but NUL is an argument":           {func(f *unitfile.File) { f.Exec("ExecStart", "", []string{"/x", "a\nb\t\r\x01\"\\\xff", "", ";"}) }, `ExecStart="/x" "a\nb\t\r\x01\"\\\xff" "" ";"`},
		"environment is quoted":                     {func(f *unitfile.File) { f.Env("Environment", "A", "b \"c\" %n\n$d") }, `Environment="A=b \"c\" %%n\n$d"`},
		"paths are quoted without C escapes":        {func(f *unitfile.File) { f.Paths("ReadOnlyPaths", "-/a b", `/c\d"e`, "/f%g") }, `ReadOnlyPaths="-/a b" "/c\\d\"e" "/f%%g"`},
		"a colon in a bind is inside quotes":        {func(f *unitfile.File) { f.Bind("BindPaths", unitfile.Bind{Source: "/a:b", Target: "/c"}) }, `BindPaths="/a:b":"/c":norbind`},
		"a bind goes to the same place by default": {func(f *unitfile.File) {
			f.Bind("BindReadOnlyPaths", unitfile.Bind{Source: "/a", Recursive: true, IgnoreMissing: true})
		}, `BindReadOnlyPaths="-/a":"/a":rbind`},
	} {
		t.Run(name, func(t *testing.T) {
			f := unitfile.New()
			f.Section("Service")
			tc.write(f)
			text, err := f.Bytes()
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff("[Service]\n"+tc.want+"\n", string(text)); diff != "" {
				t.Error("text (-want +got):\n" + diff)
			}
		})
	}
}

func TestWhatHasNoFormInAUnitIsRefused(t *testing.T) {
	for name, tc := range map[string]struct {
		write        func(*unitfile.File)
		inexpressive bool // ErrInexpressible is in the chain
	}{
		"newline in a value":                 {func(f *unitfile.File) { f.Set("User", "a\nExecStart=/bin/evil") }, true},
		"newline in a raw value":             {func(f *unitfile.File) { f.SetRaw("User", "a\nb") }, true},
		"carriage return in a value":         {func(f *unitfile.File) { f.SetRaw("User", "a\rb") }, true},
		"NUL in a value":                     {func(f *unitfile.File) { f.Set("User", "a\x00b") }, true},
		"line continuation":                  {func(f *unitfile.File) { f.SetRaw("User", `a\`) }, true},
		"white space that systemd strips":    {func(f *unitfile.File) { f.Set("User", "a ") }, true},
		"a value that is not UTF-8":          {func(f *unitfile.File) { f.Set("User", "\xff") }, true},
		"a line longer than systemd reads":   {func(f *unitfile.File) { f.Set("User", strings.Repeat("a", 1<<20)) }, true},
		"a directive name with a newline":    {func(f *unitfile.File) { f.Set("User=a\nGroup", "b") }, false},
		"a directive name that is a comment": {func(f *unitfile.File) { f.Set("#User", "b") }, false},
		"a section name with a bracket":      {func(f *unitfile.File) { f.Section("A]\n[B"); f.Set("User", "a") }, false},
		"NUL in an argument":                 {func(f *unitfile.File) { f.Exec("ExecStart", "", []string{"/a", "\x00"}) }, true},
		"a relative executable":              {func(f *unitfile.File) { f.Exec("ExecStart", "", []string{"a"}) }, false},
		"an executable that is a prefix":     {func(f *unitfile.File) { f.Exec("ExecStart", "", []string{"+/a"}) }, false},
		"an executable with a quote":         {func(f *unitfile.File) { f.Exec("ExecStart", "", []string{`/a"b`}) }, true},
		"an executable with a newline":       {func(f *unitfile.File) { f.Exec("ExecStart", "", []string{"/a\nb"}) }, true},
		"an unknown prefix":                  {func(f *unitfile.File) { f.Exec("ExecStart", "/", []string{"/a"}) }, false},
		"an empty command":                   {func(f *unitfile.File) { f.Exec("ExecStart", "", nil) }, false},
		"a name that systemd does not take":  {func(f *unitfile.File) { f.Env("Environment", "a.b", "c") }, true},
		"a variable that is not UTF-8":       {func(f *unitfile.File) { f.Env("Environment", "A", "\xff") }, true},
		"a word that is two":                 {func(f *unitfile.File) { f.Words("After", "a b") }, true},
		"a word that is a specifier":         {func(f *unitfile.File) { f.Words("After", "a%n") }, true},
		"a path with a newline":              {func(f *unitfile.File) { f.Paths("ReadOnlyPaths", "/a\nb") }, true},
		"a relative path":                    {func(f *unitfile.File) { f.Paths("ReadOnlyPaths", "a") }, false},
		"a path that climbs":                 {func(f *unitfile.File) { f.Bind("BindPaths", unitfile.Bind{Source: "/a/../b"}) }, false},
	} {
		t.Run(name, func(t *testing.T) {
			f := unitfile.New()
			f.Section("Service")
			tc.write(f)
			f.Set("Group", "0") // nothing after the first error counts
			var out bytes.Buffer
			n, err := f.WriteTo(&out)
			if err == nil || n != 0 || out.Len() != 0 {
				t.Fatalf("wrote %q", out.String())
			}
			if got := errors.Is(err, unitfile.ErrInexpressible); got != tc.inexpressive {
				t.Errorf("error %q: ErrInexpressible %v, want %v", err, got, tc.inexpressive)
			}
		})
	}
}

func TestADirectiveNeedsASection(t *testing.T) {
	f := unitfile.New()
	f.Set("User", "0")
	if f.Err() == nil {
		t.Error("no error")
	}
}
