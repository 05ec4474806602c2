package unitgen_test

import (
	"encoding/json"
	"errors"
	"flag"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/raket/raket/pkg/appspec"
	"github.com/raket/raket/stage1/unitgen"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// cases are the directories of testdata: pod.json is what the units are generated
// from, units holds them.
func cases(t *testing.T) []string {
	t.Helper()
	entries, err := os.ReadDir("testdata")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// generate makes the units of a case, and checks that its specs are ones that
// could have been prepared.
func generate(t *testing.T, name string) map[string][]byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name, "pod.json"))
	if err != nil {
		t.Fatal(err)
	}
	var p unitgen.Pod
	if err := json.Unmarshal(text, &p); err != nil {
		t.Fatal(err)
	}
	for _, a := range p.Apps {
		if err := appspec.Check(a.Spec); err != nil {
			t.Fatalf("app %s: %v", a.Name, err)
		}
	}
	units, err := unitgen.Generate(p)
	if err != nil {
		t.Fatal(err)
	}
	return units
}

func TestUnits(t *testing.T) {
	for _, name := range cases(t) {
		t.Run(name, func(t *testing.T) {
			got := map[string]string{}
			for unit, text := range generate(t, name) {
				got[unit] = string(text)
			}
			dir := filepath.Join("testdata", name, "units")
			if *update {
				writeUnits(t, dir, got)
			}
			want := map[string]string{}
			entries, err := os.ReadDir(dir)
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				t.Fatal(err)
			}
			for _, e := range entries {
				text, err := os.ReadFile(filepath.Join(dir, e.Name()))
				if err != nil {
					t.Fatal(err)
				}
				want[e.Name()] = string(text)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error("units (-want +got), -update rewrites them:\n" + diff)
			}
		})
	}
}

func writeUnits(t *testing.T, dir string, units map[string]string) {
	t.Helper()
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for unit, text := range units {
		if err := os.WriteFile(filepath.Join(dir, unit), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
