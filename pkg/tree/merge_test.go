package tree_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/raket/raket/pkg/image"
	"github.com/raket/raket/pkg/imagestore"
	"github.com/raket/raket/pkg/imagestore/imagetest"
	"github.com/raket/raket/pkg/tree"
)

// addTrees unpacks layers, each an image of its own, and returns their trees'
// names.
func addTrees(t testing.TB, layers ...files) (*tree.Store, []string) {
	t.Helper()
	dir := t.TempDir()
	s, err := imagestore.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for i, l := range layers {
		img := imagetest.New(t, l).Add(t, s, fmt.Sprintf("docker://r.example/x:%d", i))
		names = append(names, tree.Name(image.OCI, img.Layers[0].DiffID))
	}
	trees, err := tree.Open(filepath.Join(dir, "trees"))
	if err != nil {
		t.Fatal(err)
	}
	return trees, names
}

// look lists a directory: name, mode, owner and content or target.
func look(t testing.TB, dir string) []string {
	t.Helper()
	var found []string
	err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if err != nil || path == dir {
			return err
		}
		fi, err := os.Lstat(path)
		if err != nil {
			return err
		}
		name, _ := filepath.Rel(dir, path)
		line := fmt.Sprintf("%s %v %d", name, fi.Mode(), fi.Sys().(*syscall.Stat_t).Uid)
		switch {
		case fi.Mode().IsRegular():
			raw, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			line += " " + string(raw)
		case fi.Mode()&fs.ModeSymlink != 0:
			target, err := os.Readlink(path)
			if err != nil {
				return err
			}
			line += " -> " + target
		}
		found = append(found, line)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func TestMerge(t *testing.T) {
	needRoot(t)
	set := tree.NewPathSet
	bottom := files{
		{Name: "etc/", Mode: 0o700, UID: 7}, {Name: "etc/a", Body: "low"}, {Name: "etc/b", Body: "low", UID: 5, Mode: 0o4755},
		{Name: "link", Link: "etc"}, {Name: "was-dir/f", Body: "x"}, {Name: "was-file", Body: "x"},
	}
	top := files{
		{Name: "etc/a", Body: "high"}, {Name: "link/", Mode: 0o750}, {Name: "link/f", Body: "in"}, {Name: "was-dir", Body: "file"},
		{Name: "was-file/f", Body: "y"},
	}
	for name, tc := range map[string]struct {
		part func(top, bottom *tree.Part)
		want []string
	}{
		"all of both, the top's where both have it": {func(_, _ *tree.Part) {}, []string{
			"etc drwx------ 7", "etc/a -rw-r--r-- 0 high", "etc/b urwxr-xr-x 5 low", "link drwxr-x--- 0", "link/f -rw-r--r-- 0 in",
			"was-dir -rw-r--r-- 0 file", "was-file drwxr-xr-x 0", "was-file/f -rw-r--r-- 0 y",
		}},
		"its own list lets directories pass": {func(top, bottom *tree.Part) {
			top.Own, bottom.Own = set([]string{"/link/f"}), set([]string{"/nothing"})
		}, []string{"etc drwx------ 7", "link drwxr-x--- 0", "link/f -rw-r--r-- 0 in"}},
		"a list above lets nothing else pass": {func(top, bottom *tree.Part) {
			top.Own, bottom.Above = set([]string{"/none"}), []tree.PathSet{set([]string{"/etc/b", "/was-file"}), set([]string{"//etc/./b/", "/link"})}
		}, []string{"etc drwx------ 7", "etc/b urwxr-xr-x 5 low", "link drwxr-x--- 0"}},
		"what hides is what passed": {func(top, _ *tree.Part) { top.Own = set([]string{"/none"}) }, []string{
			"etc drwx------ 7", "etc/a -rw-r--r-- 0 low", "etc/b urwxr-xr-x 5 low", "link drwxr-x--- 0", "was-dir drwxr-xr-x 0",
			"was-dir/f -rw-r--r-- 0 x", "was-file -rw-r--r-- 0 x",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			s, names := addTrees(t, bottom, top)
			parts := []tree.Part{{Name: names[1]}, {Name: names[0]}}
			tc.part(&parts[0], &parts[1])
			if err := s.Merge(t.Context(), tree.RenderPrefix+"x", parts); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, look(t, s.Path(tree.RenderPrefix+"x"))); diff != "" {
				t.Errorf("merged (-want +got):\n%s", diff)
			}
			copied := t.TempDir()
			if err := s.CopyMerged(t.Context(), copied, parts); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, look(t, copied)); diff != "" {
				t.Errorf("copied (-want +got):\n%s", diff)
			}
		})
	}
}

func TestMergeSharesAndCopyDoesNot(t *testing.T) {
	needRoot(t)
	s, names := addTrees(t, files{{Name: "f", Body: "original"}})
	parts := []tree.Part{{Name: names[0]}}
	if err := s.Merge(t.Context(), "render-y", parts); err != nil {
		t.Fatal(err)
	}
	if !sameFile(t, filepath.Join(s.Path(names[0]), "f"), filepath.Join(s.Path("render-y"), "f")) {
		t.Error("a merged file is a copy")
	}
	copied := t.TempDir()
	if err := s.CopyMerged(t.Context(), copied, parts); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(copied, "f"), []byte("changed"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := look(t, s.Path(names[0])); !slices.ContainsFunc(got, func(l string) bool { return strings.HasSuffix(l, "original") }) {
		t.Errorf("writing to a copy changed the tree: %q", got)
	}
}

func sameFile(t testing.TB, a, b string) bool {
	t.Helper()
	x, err := os.Stat(a)
	if err != nil {
		t.Fatal(err)
	}
	y, err := os.Stat(b)
	if err != nil {
		t.Fatal(err)
	}
	return os.SameFile(x, y)
}

func TestMergeKeepsHolesAndHardLinks(t *testing.T) {
	needRoot(t)
	s, names := addTrees(t, files{{Name: "d/sparse", Body: "x"}})
	// As a layer with a sparse file would unpack.
	f := filepath.Join(s.Path(names[0]), "d/sparse")
	if err := os.Truncate(f, 64<<20); err != nil {
		t.Fatal(err)
	}
	if err := os.Link(f, filepath.Join(s.Path(names[0]), "other")); err != nil {
		t.Fatal(err)
	}
	copied := t.TempDir()
	if err := s.CopyMerged(t.Context(), copied, []tree.Part{{Name: names[0]}}); err != nil {
		t.Fatal(err)
	}
	fi, err := os.Stat(filepath.Join(copied, "d/sparse"))
	if err != nil {
		t.Fatal(err)
	}
	st := fi.Sys().(*syscall.Stat_t)
	if st.Size != 64<<20 || st.Blocks*512 > 1<<20 || st.Nlink != 2 {
		t.Errorf("size %d, %d bytes on disk, %d links", st.Size, st.Blocks*512, st.Nlink)
	}
}

func TestMergeLeavesNothingBehindWhenItFails(t *testing.T) {
	needRoot(t)
	s, names := addTrees(t, files{{Name: "f", Body: "x"}})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Merge(ctx, "render-z", []tree.Part{{Name: names[0]}}); err == nil {
		t.Fatal("no error")
	}
	if err := s.Merge(t.Context(), "render-z", []tree.Part{{Name: names[0]}, {Name: "sha256-missing"}}); err == nil {
		t.Fatal("no error")
	}
	if s.Has("render-z") {
		t.Error("half a tree is visible")
	}
	left, err := os.ReadDir(filepath.Join(s.Dir(), ".ingest"))
	if err != nil || len(left) > 0 {
		t.Errorf("left in the making: %v, %v", left, err)
	}
}

// FuzzPathSet: a path is found in every spelling that means it from the root.
func FuzzPathSet(f *testing.F) {
	f.Add("/etc/../etc//x/")
	f.Fuzz(func(t *testing.T, p string) {
		want := strings.TrimPrefix(filepath.Clean("/"+p), "/")
		if set := tree.NewPathSet([]string{p}); !set[want] {
			raw, _ := json.Marshal(set)
			t.Errorf("%q is in %s, want %q", p, raw, want)
		}
	})
}
