package imagestore_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/go-digest"
	"golang.org/x/sys/unix"

	"github.com/raket/raket/pkg/image"
	"github.com/raket/raket/pkg/imagestore"
	"github.com/raket/raket/pkg/imagestore/imagetest"
)

// everything is two layers with all that a layer may have.
func everything(t testing.TB) *imagetest.Image {
	capability := "\x01\x00\x00\x02\x00\x04\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"
	return imagetest.New(t,
		[]imagetest.File{
			{Name: "etc/", Mode: 0o750, UID: 3}, {Name: "etc/passwd", Body: "root"}, {Name: "etc/old", Body: "x"},
			{Name: "bin/su", Body: "su", Mode: 0o4755}, {Name: "bin/link", Link: "su"}, {Name: "bin/hard", Hard: "bin/su"},
			{Name: "bin/ping", Body: "ping", Xattrs: map[string]string{"security.capability": capability}},
			{Name: "gone/", Mode: 0o700}, {Name: "gone/x"},
		},
		[]imagetest.File{{Name: "etc/.wh.old"}, {Name: "etc/new", Body: "new"}, {Name: "gone/.wh..wh..opq"}, {Name: "gone/y"}},
	)
}

func addEverything(t *testing.T) (dir string, s *imagestore.Store, img image.Image) {
	t.Helper()
	needRoot(t)
	dir = t.TempDir()
	s, err := imagestore.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	return dir, s, everything(t).Add(t, s, "docker://r.example/app:1")
}

// treeOf is the directory of the image's nth layer, 0 being the bottom.
func treeOf(dir string, img image.Image, n int) string {
	return filepath.Join(dir, "trees", "sha256-"+img.Layers[n].DiffID.Encoded(), "fs")
}

func differences(done imagestore.Checked) []string {
	var lines []string
	for _, d := range done.Differences {
		lines = append(lines, d.String())
	}
	return lines
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestCheckFindsWhatDiffers(t *testing.T) {
	for name, tc := range map[string]struct {
		do   func(t *testing.T, lower, upper string)
		want []string // of LOWER and UPPER
	}{
		"nothing": {func(*testing.T, string, string) {}, nil},
		"one byte of a file, its size and time as before": {func(t *testing.T, lower, _ string) {
			fi, err := os.Stat(lower + "/etc/passwd")
			must(t, err)
			must(t, os.WriteFile(lower+"/etc/passwd", []byte("rooT"), 0))
			must(t, os.Chtimes(lower+"/etc/passwd", fi.ModTime(), fi.ModTime()))
		}, []string{`LOWER "etc/passwd": content differs`}},
		"a file that is longer": {func(t *testing.T, lower, _ string) {
			must(t, os.WriteFile(lower+"/etc/passwd", []byte("root and me"), 0))
		}, []string{`LOWER "etc/passwd": content differs`, `LOWER "etc/passwd": time differs`}},
		"a mode, the set-user-ID bit among it": {func(t *testing.T, lower, _ string) {
			must(t, os.Chmod(lower+"/bin/su", 0o755))
		}, []string{`LOWER "bin/hard": mode differs`, `LOWER "bin/su": mode differs`}},
		"an owner": {func(t *testing.T, lower, _ string) {
			must(t, os.Chown(lower+"/etc", 4, 0))
		}, []string{`LOWER "etc": owner differs`}},
		"an attribute": {func(t *testing.T, lower, _ string) {
			must(t, unix.Removexattr(lower+"/bin/ping", "security.capability"))
		}, []string{`LOWER "bin/ping": xattr differs`}},
		"a link": {func(t *testing.T, lower, _ string) {
			must(t, os.Remove(lower+"/bin/link"))
			must(t, os.Symlink("sh", lower+"/bin/link"))
			must(t, os.Lchown(lower+"/bin/link", 0, 0))
		}, []string{`LOWER "bin": time differs`, `LOWER "bin/link": content differs`, `LOWER "bin/link": time differs`}},
		"a hard link that became a copy": {func(t *testing.T, lower, _ string) {
			must(t, os.Remove(lower+"/bin/hard"))
			must(t, os.WriteFile(lower+"/bin/hard", []byte("su"), 0))
			must(t, unix.Chmod(lower+"/bin/hard", 0o4755))
			for _, n := range []string{"/bin/hard", "/bin"} {
				must(t, os.Chtimes(lower+n, time.Unix(1_600_000_000, 0), time.Unix(1_600_000_000, 0)))
			}
		}, []string{`LOWER "bin": time differs`, `LOWER "bin/su": hard link differs`}},
		"a file that is gone, and one too many with a name that is none for terminals": {func(t *testing.T, lower, _ string) {
			must(t, os.Rename(lower+"/etc/passwd", lower+"/etc/\x1b[31m\n"))
		}, []string{`LOWER "etc": time differs`, `LOWER "etc/\x1b[31m\n": not in the image`, `LOWER "etc/passwd": missing`}},
		"a directory that is gone": {func(t *testing.T, lower, _ string) {
			must(t, os.RemoveAll(lower+"/bin"))
		}, []string{`LOWER "bin": missing`}},
		"a whiteout that is a file": {func(t *testing.T, _, upper string) {
			must(t, os.Remove(upper+"/etc/old"))
			must(t, os.WriteFile(upper+"/etc/old", nil, 0o600))
		}, []string{`UPPER "etc": time differs`, `UPPER "etc/old": type differs`}},
		"a mark of an opaque directory": {func(t *testing.T, _, upper string) {
			must(t, unix.Removexattr(upper+"/gone", "trusted.overlay.opaque"))
		}, []string{`UPPER "gone": xattr differs`}},
		"the root": {func(t *testing.T, lower, _ string) {
			must(t, os.Chmod(lower, 0o777))
		}, []string{`LOWER ".": mode differs`}},
		"a tree that is gone": {func(t *testing.T, lower, _ string) {
			must(t, os.RemoveAll(filepath.Dir(lower)))
		}, []string{`LOWER: missing`}},
		"what was noted of a tree": {func(t *testing.T, lower, _ string) {
			must(t, os.WriteFile(filepath.Dir(lower)+"/meta.json", []byte("{}"), 0o600))
		}, []string{`LOWER "(meta.json)": content differs`}},
	} {
		t.Run(name, func(t *testing.T) {
			dir, s, img := addEverything(t)
			lower, upper := treeOf(dir, img, 0), treeOf(dir, img, 1)
			tc.do(t, lower, upper)
			name := func(d string) string { return "tree " + filepath.Base(filepath.Dir(d)) }
			var want []string
			for _, w := range tc.want {
				want = append(want, strings.NewReplacer("LOWER", name(lower), "UPPER", name(upper)).Replace(w))
			}
			done, err := s.Check(t.Context(), img, imagestore.CheckOptions{})
			must(t, err)
			if diff := cmp.Diff(want, differences(done)); diff != "" {
				t.Fatalf("differences (-want +got):\n%s", diff)
			}
			_, err = s.Check(t.Context(), img, imagestore.CheckOptions{Repair: true})
			must(t, err)
			done, err = s.Check(t.Context(), img, imagestore.CheckOptions{})
			must(t, err)
			if diff := cmp.Diff([]string(nil), differences(done)); diff != "" {
				t.Errorf("differences after the repair (-want +got):\n%s", diff)
			}
			left, err := os.ReadDir(filepath.Join(dir, "trees/.ingest"))
			if err != nil || len(left) > 0 {
				t.Errorf("%v, %v are left", left, err)
			}
		})
	}
}

func TestCheckFindsBadBlobs(t *testing.T) {
	for name, tc := range map[string]struct {
		blob func(image.Image) digest.Digest
		of   string
	}{
		"manifest": {func(i image.Image) digest.Digest { return i.ID }, "manifest"},
		"config":   {func(i image.Image) digest.Digest { return i.Config }, "config"},
		"a layer":  {func(i image.Image) digest.Digest { return i.Layers[1].Digest }, "layer"},
	} {
		for how, damage := range map[string]func(path string) error{
			"content differs": func(path string) error {
				raw, err := os.ReadFile(path)
				if err != nil {
					return err
				}
				raw[len(raw)/2] ^= 1
				return os.WriteFile(path, raw, 0)
			},
			"missing": os.Remove,
		} {
			t.Run(name+" "+how, func(t *testing.T) {
				_, s, img := addEverything(t)
				id := tc.blob(img)
				must(t, damage(s.BlobPath(id)))
				done, err := s.Check(t.Context(), img, imagestore.CheckOptions{Repair: true})
				must(t, err)
				if diff := cmp.Diff([]string{tc.of + " " + id.String() + ": " + how}, differences(done)); diff != "" {
					t.Errorf("differences (-want +got):\n%s", diff)
				}
				if done.Unchecked == "" || len(done.Unrepaired()) != 1 {
					t.Errorf("an image without a %s is said to be whole: %+v", tc.of, done)
				}
				if s.HasBlob(id) {
					t.Error("a bad blob is still there, and will not be fetched again")
				}
				again := everything(t).Add(t, s, "docker://r.example/app:1")
				if err := s.Verify(t.Context(), again); err != nil {
					t.Errorf("after it was fetched again: %v", err)
				}
			})
		}
	}
}

func TestRepairLeavesARunningPodAlone(t *testing.T) {
	dir, s, img := addEverything(t)
	other := imagetest.New(t, []imagetest.File{{Name: "f"}}).Add(t, s, "docker://r.example/other:1")
	path := treeOf(dir, img, 0) + "/etc/passwd"
	must(t, os.WriteFile(path, []byte("changed"), 0))
	running := func(id digest.Digest) imagestore.InUse {
		return func() (map[digest.Digest][]string, error) { return map[digest.Digest][]string{id: {"uuid-1"}}, nil }
	}
	_, err := s.Check(t.Context(), img, imagestore.CheckOptions{Repair: true, Running: running(img.ID)})
	if !errors.Is(err, imagestore.ErrInUse) || !strings.Contains(err.Error(), "uuid-1") {
		t.Fatalf("error %v, want ErrInUse and the pod", err)
	}
	if raw, err := os.ReadFile(path); err != nil || !bytes.Equal(raw, []byte("changed")) {
		t.Errorf("the tree of a running pod was changed: %q, %v", raw, err)
	}
	_, err = s.Check(t.Context(), img, imagestore.CheckOptions{Repair: true, Running: running(other.ID)})
	must(t, err)
	must(t, s.Verify(t.Context(), img))
}

func TestCheckOfAPatch(t *testing.T) {
	dir, s, img := addEverything(t)
	patches, err := filepath.Glob(dir + "/trees/patch-*/fs/etc")
	if err != nil || len(patches) != 1 {
		t.Fatalf("patches are %v, %v", patches, err)
	}
	must(t, os.Chmod(patches[0], 0o777))
	done, err := s.Check(t.Context(), img, imagestore.CheckOptions{Repair: true})
	must(t, err)
	name := filepath.Base(filepath.Dir(filepath.Dir(patches[0])))
	if diff := cmp.Diff([]string{"tree " + name + ` "etc": mode differs`}, differences(done)); diff != "" {
		t.Errorf("differences (-want +got):\n%s", diff)
	}
	must(t, s.Verify(t.Context(), img))
}
