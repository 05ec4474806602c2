package tree_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/raket/raket/pkg/imagestore"
	"github.com/raket/raket/pkg/imagestore/imagetest"
	"github.com/raket/raket/pkg/tree"
)

func needRoot(t testing.TB) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("unpacking sets owners and trusted attributes: needs root")
	}
}

type files = []imagetest.File

// render unpacks an image and returns its stack.
func render(t testing.TB, layers ...files) []string {
	t.Helper()
	s, err := imagestore.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	img := imagetest.New(t, layers...).Add(t, s, "docker://r.example/x:1")
	stack, err := s.Render(t.Context(), img)
	if err != nil {
		t.Fatal(err)
	}
	return stack
}

func TestReadFile(t *testing.T) {
	needRoot(t)
	stack := render(t,
		files{
			{Name: "etc/"}, {Name: "etc/passwd", Body: "lower"}, {Name: "etc/gone", Body: "x"}, {Name: "opaque/old", Body: "x"},
			{Name: "swapped/f", Body: "x"}, {Name: "file", Body: "x"}, {Name: "usr/lib/real", Body: "real"}, {Name: "lib", Link: "usr/lib"},
		},
		files{
			{Name: "etc/passwd", Body: "upper"}, {Name: "etc/.wh.gone"}, {Name: "opaque/.wh..wh..opq"}, {Name: "opaque/new", Body: "new"},
			{Name: "swapped", Body: "now a file"}, {Name: "file/", Mode: 0o700}, {Name: "abs", Link: "/etc/../etc/passwd"}, {Name: "rel", Link: "lib/../lib/real"},
			{Name: "out", Link: "../../../../../../etc/hostname"}, {Name: "loop", Link: "loop"}, {Name: "dangling", Link: "/nothing"},
			{Name: "etc/pw", Link: "passwd"}, {Name: "usr/link", Link: "lib"},
		})
	v := tree.View{Lowers: stack}
	for path, want := range map[string]string{
		"etc/passwd": "upper", "/etc//./passwd": "upper", "../../etc/passwd": "upper", "opaque/new": "new", "swapped": "now a file",
		"lib/real": "real", "abs": "upper", "rel": "real", "etc/pw": "upper", "usr/link/real": "real", "usr/link/../../etc/pw": "upper",
	} {
		raw, err := v.ReadFile(path, 100)
		if err != nil {
			t.Error(err)
		}
		if string(raw) != want {
			t.Errorf("%s is %q, want %q", path, raw, want)
		}
	}
	for path, want := range map[string]error{
		"etc/gone": fs.ErrNotExist, "opaque/old": fs.ErrNotExist, "swapped/f": syscall.ENOTDIR, "file": syscall.EISDIR, "none": fs.ErrNotExist,
		"out": fs.ErrNotExist, "loop": syscall.ELOOP, "dangling": fs.ErrNotExist, "etc": syscall.EISDIR, "": syscall.EISDIR, "file/x": fs.ErrNotExist,
	} {
		if raw, err := v.ReadFile(path, 100); !errors.Is(err, want) {
			t.Errorf("%s: %q, error %v, want %v", path, raw, err, want)
		}
	}
	if _, err := v.ReadFile("etc/passwd", 4); !errors.Is(err, tree.ErrTooLarge) {
		t.Errorf("error %v, want ErrTooLarge", err)
	}
}

func TestViewWithMounts(t *testing.T) {
	needRoot(t)
	host := t.TempDir()
	write := func(name, body string) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(filepath.Join(host, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(host, name), []byte(body), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("vol/f", "in the volume")
	write("vol/sub/hidden", "x")
	write("other/g", "in another")
	write("file", "a file")
	for name, target := range map[string]string{"vol/up": "../etc/passwd", "vol/abs": "/v/f", "vol/out": "../../../file", "link": "file"} {
		if err := os.Symlink(target, filepath.Join(host, name)); err != nil {
			t.Fatal(err)
		}
	}
	v := tree.View{Lowers: render(t, files{
		{Name: "etc/passwd", Body: "image"}, {Name: "v/f", Body: "below"}, {Name: "run/"}, {Name: "var/run", Link: "/run"}, {Name: "app", Link: "v/f"},
	})}
	for _, m := range [][2]string{
		{"/v", "vol"}, {"/v/sub", "other"}, {"/var/run/sock/", "other"}, {"/made/for/it", "vol"}, {"/single", "link"}, {"/single", "file"}, {"/etc/../etc/hosts", "file"},
	} {
		if err := v.Mount(m[0], filepath.Join(host, m[1])); err != nil {
			t.Fatal(err)
		}
	}
	for path, want := range map[string]string{
		"/v/f": "in the volume", "/app": "in the volume", "/v/up": "image", "/v/abs": "in the volume", "/v/sub/g": "in another", "/v/sub/../f": "in the volume",
		"/run/sock/g": "in another", "/var/run/sock/g": "in another", "/made/for/it/f": "in the volume", "/single": "a file", "/etc/hosts": "a file", "/etc/passwd": "image",
	} {
		raw, err := v.ReadFile(path, 100)
		if string(raw) != want || err != nil {
			t.Errorf("%s is %q, error %v, want %q", path, raw, err, want)
		}
	}
	for path, want := range map[string]error{
		"/v/out": fs.ErrNotExist, "/v/sub/hidden": fs.ErrNotExist, "/made/none": fs.ErrNotExist, "/single/x": syscall.ENOTDIR, "/made/for": syscall.EISDIR, "/v": syscall.EISDIR,
	} {
		if raw, err := v.ReadFile(path, 100); !errors.Is(err, want) {
			t.Errorf("%s: %q, error %v, want %v", path, raw, err, want)
		}
	}
	for _, dir := range []string{"/made", "/made/for", "/v/sub", "/"} {
		if st, err := v.Stat(dir); err != nil || !st.Mode.IsDir() {
			t.Errorf("%s: mode %v, error %v, want a directory", dir, st.Mode, err)
		}
	}
	if err := v.Mount("/etc/passwd/x", host); !errors.Is(err, syscall.ENOTDIR) {
		t.Errorf("error %v, want ENOTDIR", err)
	}
}

// view describes each file below dir.
func view(t testing.TB, dir string) map[string]string {
	t.Helper()
	lines := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		fi, err := os.Lstat(path)
		if err != nil {
			return err
		}
		st := fi.Sys().(*syscall.Stat_t)
		line := fmt.Sprintf("%s %d:%d", fi.Mode(), st.Uid, st.Gid)
		if fi.Mode().IsRegular() {
			raw, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			line += " " + string(raw)
		}
		lines[strings.TrimPrefix(path, dir)] = line
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return lines
}

// TestOverlay holds the trees against the kernel's own view of them, and that
// against the layers unpacked one over the other.
func TestOverlay(t *testing.T) {
	needRoot(t)
	for _, tc := range []struct {
		name   string
		layers []files
		patch  bool
	}{
		{"one layer", []files{{{Name: "a/b", Body: "x"}}}, false},
		{"a whiteout and an opaque directory", []files{
			{{Name: "a/"}, {Name: "a/b", Body: "x"}, {Name: "c/"}, {Name: "c/d"}},
			{{Name: "a/"}, {Name: "a/.wh.b"}, {Name: "c/"}, {Name: "c/.wh..wh..opq"}, {Name: "c/e"}},
		}, false},
		{"an implied directory keeps the mode and owner below it", []files{
			{{Name: "tmp/", Mode: 0o1777}, {Name: "var/", Mode: 0o750, UID: 3, GID: 4}, {Name: "var/lib/", Mode: 0o700, UID: 5}},
			{{Name: "tmp/x", Body: "1"}, {Name: "var/lib/y", Body: "2"}, {Name: "new/z", Body: "3"}},
		}, true},
		{"an implied directory below one that is whited out", []files{
			{{Name: "d/", Mode: 0o700}, {Name: "d/e/", Mode: 0o711}},
			{{Name: ".wh.d"}},
			{{Name: "d/f"}},
		}, false},
		{"implied twice", []files{
			{{Name: "d/", Mode: 0o700}}, {{Name: "d/a"}}, {{Name: "d/b"}}, {{Name: "e/"}},
		}, true},
		{"described again above", []files{
			{{Name: "d/", Mode: 0o700}}, {{Name: "d/a"}}, {{Name: "d/", Mode: 0o755}},
		}, false},
		{"no layers", nil, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s, err := imagestore.Open(t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			img := imagetest.New(t, tc.layers...).Add(t, s, "docker://r.example/x:1")
			stack, err := s.Render(t.Context(), img)
			if err != nil {
				t.Fatal(err)
			}
			if want := max(1, len(tc.layers)); (len(stack) == want+1) != tc.patch || len(stack) < want {
				t.Errorf("a stack of %d trees for %d layers", len(stack), len(tc.layers))
			}
			flat := t.TempDir()
			if err := os.Chmod(flat, 0o755); err != nil {
				t.Fatal(err)
			}
			if err := s.UnpackInto(t.Context(), flat, img); err != nil {
				t.Fatal(err)
			}
			merged := t.TempDir()
			lowers := strings.Join(stack, ":")
			if len(stack) == 1 {
				lowers += ":" + t.TempDir() // overlayfs wants two without an upper
			}
			if err := unix.Mount("overlay", merged, "overlay", unix.MS_RDONLY, "lowerdir="+lowers); err != nil {
				t.Skipf("mounting an overlay: %v", err)
			}
			defer func() {
				if err := unix.Unmount(merged, 0); err != nil {
					t.Error(err)
				}
			}()
			if diff := cmp.Diff(view(t, flat), view(t, merged)); diff != "" {
				t.Errorf("flat and overlay differ (-flat +overlay):\n%s", diff)
			}
		})
	}
}
