package imagestore_test

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/raket/raket/pkg/image"
	"github.com/raket/raket/pkg/imagestore"
	"github.com/raket/raket/pkg/imagestore/imagetest"
	"github.com/raket/raket/pkg/tree"
)

// readOnly mounts dir on itself, so that nothing in it can be changed or made.
func readOnly(t *testing.T, dir string) {
	t.Helper()
	if err := unix.Mount(dir, dir, "", unix.MS_BIND, ""); err != nil {
		t.Skipf("making a directory read-only takes a mount: %v", err)
	}
	t.Cleanup(func() { must(t, unix.Unmount(dir, 0)) })
	must(t, unix.Mount("", dir, "", unix.MS_BIND|unix.MS_REMOUNT|unix.MS_RDONLY, ""))
}

// allFiles lists what there is below a directory, with times.
func allFiles(t *testing.T, dir string) (list []string) {
	t.Helper()
	must(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		fi, err := d.Info()
		if err != nil {
			return err
		}
		list = append(list, path+fi.ModTime().String())
		return nil
	}))
	return list
}

// seeded is a writable store over a read-only one with the two layers of everything.
func seeded(t *testing.T) (seed, dir string, s *imagestore.Store, img image.Image) {
	t.Helper()
	seed, builder, img := addEverything(t)
	imagetest.New(t, []imagetest.File{{Name: "old"}}).Add(t, builder, "docker://r.example/moved:1")
	readOnly(t, seed)
	dir = t.TempDir()
	s, err := imagestore.OpenWith(dir, imagestore.Options{Seeds: []string{seed, "/nonexistent", dir}})
	must(t, err)
	return seed, dir, s, img
}

func TestImagesOfAReadOnlyStore(t *testing.T) {
	seed, dir, s, img := seeded(t)
	before := allFiles(t, seed)
	found, err := s.Lookup(parse(t, "docker://r.example/app:1"))
	must(t, err)
	if found.ID != img.ID || s.Seed(found) != seed {
		t.Fatalf("found %s in %q, want %s in %s", found.ID, s.Seed(found), img.ID, seed)
	}
	must(t, s.Touch(found))
	stack, err := s.Render(t.Context(), found)
	must(t, err)
	for _, d := range stack {
		if !strings.HasPrefix(d, seed+"/trees/") {
			t.Errorf("tree %s is not of the read-only store", d)
		}
	}
	if raw, err := (tree.View{Lowers: stack}).ReadFile("/etc/new", 100); err != nil || string(raw) != "new" {
		t.Errorf("read %q, %v", raw, err)
	}
	must(t, s.Verify(t.Context(), found))
	must(t, s.Export(t.Context(), found, filepath.Join(t.TempDir(), "x"), imagestore.ExportOptions{}))
	for name, err := range map[string]error{
		"by ID":   s.Remove(found, nil),
		"by name": func() error { _, err := s.RemoveName("docker://r.example/app:1", nil); return err }(),
	} {
		if !errors.Is(err, imagestore.ErrReadOnly) || !strings.Contains(err.Error(), seed) {
			t.Errorf("removing %s: error %v, want ErrReadOnly and %s", name, err, seed)
		}
	}
	done, err := s.GC(imagestore.GCOptions{})
	if err != nil || len(done.Images) > 0 {
		t.Errorf("collected %v, %v", done.Images, err)
	}
	if images, err := s.List(); err != nil || len(images) != 2 {
		t.Errorf("listed %d images, %v, want 2", len(images), err)
	}
	if diff := cmp.Diff(before, allFiles(t, seed)); diff != "" {
		t.Errorf("the read-only store changed (-before +after):\n%s", diff)
	}
	if left, err := filepath.Glob(dir + "/trees/[a-z]*"); err != nil || len(left) > 0 {
		t.Errorf("%v, %v: made although they are in the read-only store", left, err)
	}
}

func TestLayersOfAReadOnlyStoreAreNotFetched(t *testing.T) {
	seed, dir, s, base := seeded(t)
	shared := everything(t)
	again := imagetest.Derived(t, shared, []imagetest.File{{Name: "gone/own", Body: "own"}})
	var asked []string
	lock, err := s.FetchLock()
	must(t, err)
	verified := again.Verified(t)
	must(t, s.AddLayers(t.Context(), verified, func(l image.VerifiedLayer) imagestore.LayerSource {
		return imagestore.LayerSource{Open: func(context.Context) (io.ReadCloser, error) {
			asked = append(asked, l.Layer().Digest.String())
			return io.NopCloser(strings.NewReader(string(again.Blobs[l.Layer().Digest]))), nil
		}}
	}))
	img, err := s.Commit(t.Context(), verified, parse(t, "docker://r.example/derived:1"), []string{"docker://r.example/derived:1"})
	must(t, err)
	must(t, lock.Close())
	if diff := cmp.Diff([]string{again.Layers[2].String()}, asked); diff != "" {
		t.Errorf("layers asked for (-want +got):\n%s", diff)
	}
	stack, err := s.Render(t.Context(), img)
	must(t, err)
	var homes []string
	for _, d := range stack {
		if home := filepath.Dir(filepath.Dir(filepath.Dir(d))); !slices.Contains(homes, home) {
			homes = append(homes, home)
		}
	}
	slices.Sort(homes)
	want := []string{dir, seed}
	slices.Sort(want)
	if diff := cmp.Diff(want, homes); diff != "" {
		t.Errorf("stores of the stack (-want +got):\n%s", diff)
	}
	mnt := filepath.Join(t.TempDir(), "m")
	must(t, os.Mkdir(mnt, 0o755))
	if err := unix.Mount("overlay", mnt, "overlay", unix.MS_RDONLY, "lowerdir="+strings.Join(stack, ":")); err != nil {
		t.Skipf("mounting the stack: %v", err)
	}
	defer func() { must(t, unix.Unmount(mnt, 0)) }()
	for name, want := range map[string]string{"/gone/own": "own", "/etc/new": "new", "/etc/passwd": "root"} {
		if raw, err := os.ReadFile(mnt + name); err != nil || string(raw) != want {
			t.Errorf("%s is %q, %v, want %q", name, raw, err, want)
		}
	}
	// What goes leaves what the seed has.
	done, err := s.GC(imagestore.GCOptions{})
	if err != nil || len(done.Images) != 1 {
		t.Errorf("collected %v, %v", done.Images, err)
	}
	if _, err := s.Lookup(parse(t, base.ID.String())); err != nil {
		t.Error(err)
	}
}

func TestNamesOverAReadOnlyStore(t *testing.T) {
	seed, _, s, base := seeded(t)
	newer := imagetest.New(t, []imagetest.File{{Name: "newer"}}).Add(t, s, "docker://r.example/moved:1")
	got, err := s.Lookup(parse(t, "docker://r.example/moved:1"))
	if err != nil || got.ID != newer.ID {
		t.Errorf("found %s, %v, want what was fetched last, %s", got.ID, err, newer.ID)
	}
	// The same image in both is one, with the names of both.
	everything(t).Add(t, s, "docker://r.example/app:mine")
	got, err = s.Lookup(parse(t, base.ID.String()))
	must(t, err)
	if diff := cmp.Diff([]string{"docker://r.example/app:1", "docker://r.example/app:mine"}, got.Names); diff != "" {
		t.Errorf("names (-want +got):\n%s", diff)
	}
	if s.Seed(got) != seed {
		t.Errorf("it is in %q, want the read-only store", s.Seed(got))
	}
	must(t, s.Remove(got, nil))
	got, err = s.Lookup(parse(t, base.ID.String()))
	must(t, err)
	if diff := cmp.Diff([]string{"docker://r.example/app:1"}, got.Names); diff != "" {
		t.Errorf("names after removing it from the writable store (-want +got):\n%s", diff)
	}
}

func TestReadOnlyStoreWithoutTrees(t *testing.T) {
	needRoot(t)
	seed, _, img := addEverything(t)
	must(t, os.RemoveAll(filepath.Join(seed, "trees")))
	must(t, os.RemoveAll(filepath.Join(seed, "images/records/.list")))
	readOnly(t, seed)
	dir := t.TempDir()
	s, err := imagestore.OpenWith(dir, imagestore.Options{Seeds: []string{seed}})
	must(t, err)
	stack, err := s.Render(t.Context(), img)
	must(t, err)
	if !strings.HasPrefix(stack[0], dir) {
		t.Errorf("the tree is %s, want one in %s", stack[0], dir)
	}
	if _, err := s.GC(imagestore.GCOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(stack[0]); err != nil {
		t.Errorf("collected a tree that an image of the read-only store needs: %v", err)
	}
	if cached, err := filepath.Glob(dir + "/images/records/.list-*"); err != nil || len(cached) != 1 {
		t.Errorf("lists of the read-only store's records are %v, %v, want one", cached, err)
	}
}
