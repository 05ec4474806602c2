package appspec_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/raket/raket/pkg/appspec"
)

func addFiles(f *testing.F, pattern string) {
	files, err := filepath.Glob(filepath.Join("testdata", "*", pattern))
	if err != nil || len(files) == 0 {
		f.Fatalf("no %s: %v", pattern, err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
}

// FuzzImage holds any image that is accepted to giving a spec that is written and
// read back, and that sets no directive but those an image may.
func FuzzImage(f *testing.F) {
	addFiles(f, "config.json")
	addFiles(f, "manifest.json")
	f.Fuzz(func(t *testing.T, text []byte) {
		for _, from := range []func([]byte) (*appspec.App, error){appspec.FromOCI, appspec.FromAppc, appspec.FromAppcApp} {
			a, err := from(text)
			if err != nil {
				continue
			}
			spec, err := a.Resolve(appspec.Root{
				Owner: func(string) (uint32, uint32, error) { return 1, 2, nil }, Executable: func(string) bool { return true },
			})
			if err != nil {
				continue
			}
			out, err := appspec.Marshal(spec)
			if err != nil {
				t.Fatalf("%v\n%s", err, text)
			}
			reparse(t, out)
			props, err := appspec.Properties(spec)
			if err != nil {
				t.Fatal(err)
			}
			for _, p := range props {
				if p.Name != "KillSignal" && p.Name != "Type" {
					t.Errorf("an image sets %s", p.Name)
				}
			}
		}
	})
}

// FuzzParse holds any spec that is accepted to being written and read back.
func FuzzParse(f *testing.F) {
	addFiles(f, "spec*.json")
	f.Fuzz(func(t *testing.T, text []byte) {
		spec, err := appspec.Parse(text)
		if err != nil {
			return
		}
		out, err := appspec.Marshal(spec)
		if err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		reparse(t, out)
		props, err := appspec.Properties(spec)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range props {
			if strings.ContainsAny(p.Name+p.Value, "\n\r\x00") {
				t.Errorf("property %q=%q", p.Name, p.Value)
			}
		}
	})
}

func reparse(t *testing.T, text []byte) {
	spec, err := appspec.Parse(text)
	if err != nil {
		t.Fatalf("read back: %v\n%s", err, text)
	}
	again, err := appspec.Marshal(spec)
	if err != nil || !bytes.Equal(text, again) {
		t.Fatalf("written again: %v\n%s\n%s", err, text, again)
	}
}
