package appcredential_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/raket/raket/pkg/appcredential"
)

func TestParse(t *testing.T) {
	for _, tc := range []struct{ name, text, want string }{
		{"a file", "load=db:/etc/db", "load=db:/etc/db"},
		{"a path that is not clean", "load=db:/etc//x/../db", "load=db:/etc/db"},
		{"a credential of the host's unit", "load=db:host.db", "load=db:host.db"},
		{"one of the same name", "load=db", "load=db:db"},
		{"standard input", "load=db:-", "load=db:-"},
		{"a pattern", "import=web.*", "import=web.*"},
		{"a value that is elsewhere", "set=db", "set=db"},
		{"a path that is relative", "load=db:etc/db", ""},
		{"a name that leaves its directory", "load=../db:/etc/db", ""},
		{"the directory itself", "load=.:/etc/db", ""},
		{"no name", "load=:/etc/db", ""},
		{"a name too long", "load=" + strings.Repeat("x", 256), ""},
		{"a line break", "load=db:/etc/\n", ""},
		{"a pattern that is none", "import=[", ""},
		{"a pattern with a path", "import=a/*", ""},
		{"no kind", "db:/etc/db", ""},
	} {
		w, err := appcredential.Parse(tc.text)
		if (err != nil) != (tc.want == "") || err == nil && w.String() != tc.want {
			t.Errorf("%s: %q, %v; want %q", tc.name, w, err, tc.want)
		}
	}
}

// A value is in no error, wherever it was written.
func TestValuesAreNotRepeated(t *testing.T) {
	for _, text := range []string{"hunter2", "hun/ter2:hunter2", ":hunter2", "hunter2\n:x", "hunter2:" + strings.Repeat("hunter2", 1<<18)} {
		_, _, err := appcredential.ParseSet(text)
		if err == nil || strings.Contains(strings.TrimPrefix(err.Error(), "credential hunter2: "), "hunter2") {
			t.Errorf("%.20q: %v", text, err)
		}
	}
	c := appcredential.Credential{ID: "x", Value: []byte("hunter2")}
	for _, format := range []string{"%v", "%+v", "%#v", "%s"} {
		if got := fmt.Sprintf(format, c); got != "x" {
			t.Errorf("%s prints %q", format, got)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"load=a:/b", "import=x*", "set=a", "load=a:-", "load=a", "load=a:b"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		w, err := appcredential.Parse(text)
		if err != nil {
			return
		}
		again, err := appcredential.Parse(w.String())
		if err != nil || again != w {
			t.Errorf("%q is read as %q, and that as %q (%v)", text, w, again, err)
		}
		if strings.Contains(w.ID, "/") || w.ID == ".." {
			t.Errorf("%q leaves its directory", w.ID)
		}
	})
}

func TestFind(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"own/db": "own", "own/web.key": "key", "own/web.cert": "cert", "store/db": "store", "store/other": "other", "store/web.key": "late",
		"file": "file", "many/a": "1", "many/b": "2", "many/.hidden": "3", "deep/below/x": "",
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	big := filepath.Join(dir, "big")
	if err := os.WriteFile(big, make([]byte, appcredential.MaxBytes), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name   string
		wishes string
		set    map[string][]byte
		want   string // ID=value…
		err    string
	}{
		{name: "nothing"},
		{name: "a file", wishes: "load=x:DIR/file", want: "x=file"},
		{name: "one's own before the host's", wishes: "load=x:db", want: "x=own"},
		{name: "the host's", wishes: "load=other", want: "other=other"},
		{name: "standard input", wishes: "load=x:-", want: "x=input"},
		{name: "a directory", wishes: "load=x:DIR/many", want: "x_a=1 x_b=2"},
		{name: "what fits a pattern, and nothing over what is named", wishes: "import=web.* load=web.key:DIR/file", want: "web.cert=cert web.key=file"},
		{name: "a pattern that nothing fits", wishes: "import=none.*"},
		{name: "a value", wishes: "set=x", set: map[string][]byte{"x": []byte("v")}, want: "x=v"},
		{name: "a value that stands in", wishes: "load=x:absent set=x", set: map[string][]byte{"x": []byte("v")}, want: "x=v"},
		{name: "a value that need not", wishes: "load=x:db set=x", set: map[string][]byte{"x": []byte("v")}, want: "x=own"},
		{name: "a file that is not there", wishes: "load=x:DIR/absent", err: "credential x: stat DIR/absent: no such file or directory"},
		{name: "a credential that is not there", wishes: "load=x:absent", err: `credential x: no credential "absent" in DIR/own, DIR/none, DIR/store (LoadCredential= in the host's unit hands one to raket)`},
		{name: "a value that was not kept", wishes: "set=x", err: "credential x: its value was not kept"},
		{name: "one twice", wishes: "load=x:db load=x:DIR/file", err: "credential x: it is given twice"},
		{name: "a directory of directories", wishes: "load=x:DIR/deep", err: "credential x: DIR/deep/below is not a file"},
		{name: "too much together", wishes: "load=x:DIR/big load=y:DIR/big", err: "more than 1024 KiB"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			wishes, err := appcredential.ParseAll(strings.Fields(strings.ReplaceAll(tc.wishes, "DIR", dir)))
			if err != nil {
				t.Fatal(err)
			}
			s := appcredential.Sources{Dirs: []string{dir + "/own", dir + "/none", dir + "/store"}, Stdin: strings.NewReader("input")}
			found, err := s.Find(wishes, tc.set)
			if tc.err != "" {
				if err == nil || !strings.Contains(err.Error(), strings.ReplaceAll(tc.err, "DIR", dir)) {
					t.Errorf("error %v, want %s", err, tc.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, c := range found {
				got = append(got, c.ID+"="+string(c.Value))
			}
			if diff := cmp.Diff(tc.want, strings.Join(got, " ")); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
	if _, err := (appcredential.Sources{}).Find([]appcredential.Wish{{Kind: appcredential.Load, ID: "x", From: "x"}}, nil); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a missing credential is %v", err)
	}
}
