package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestCommittedFilesAreCurrent holds dist/man and dist/completions to the command
// tree.
func TestCommittedFilesAreCurrent(t *testing.T) {
	scripts, err := completions()
	if err != nil {
		t.Fatal(err)
	}
	for dir, files := range map[string]map[string][]byte{"../man": manPages(), "../completions": scripts} {
		entries, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			if files[e.Name()] == nil {
				t.Errorf("%s is made from nothing: remove it", filepath.Join(dir, e.Name()))
			}
		}
		for name, want := range files {
			got, err := os.ReadFile(filepath.Join(dir, name))
			if err != nil {
				t.Error(err)
				continue
			}
			if diff := cmp.Diff(string(want), string(got)); diff != "" {
				t.Errorf("%s is not current; run: go run ./dist/gen %s dist/%s (-want +got):\n%s",
					name, filepath.Base(dir), filepath.Base(dir), diff)
			}
		}
	}
}

func TestEveryPageSaysWhatItExitsWith(t *testing.T) {
	for name, text := range manPages() {
		if name == "raket.1" || name == "raket-exit-codes.7" {
			continue
		}
		if !strings.Contains(string(text), ".SH EXIT STATUS") {
			t.Errorf("%s has no exit status", name)
		}
	}
}

func TestEscape(t *testing.T) {
	for name, tt := range map[string]struct{ in, want string }{
		"a hyphen stays one that can be copied":       {"--app", `\-\-app`},
		"a line that begins with a dot is no request": {".aci", `\&.aci`},
		"a backslash is printed":                      {`a\b`, `a\eb`},
	} {
		t.Run(name, func(t *testing.T) {
			if got := escape(tt.in); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}
