package appc_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha512"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/appc/spec/pkg/acirenderer"
	"github.com/appc/spec/schema"
	"github.com/appc/spec/schema/types"
	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/go-digest"

	"github.com/raket/raket/pkg/image"
	"github.com/raket/raket/pkg/imagestore"
	"github.com/raket/raket/pkg/imagestore/imagetest"
	"github.com/raket/raket/pkg/tree"
	"github.com/raket/raket/stage0/fetch/appc"
)

func aciID(t testing.TB, raw []byte) string {
	t.Helper()
	return fmt.Sprintf("sha512-%x", sha512.Sum512(gunzip(t, raw)))
}

func gunzip(t testing.TB, raw []byte) []byte {
	t.Helper()
	z, err := gzip.NewReader(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	plain, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return plain
}

// files makes entries of names: "dir/", "file=content", "link->target".
func files(names ...string) []imagetest.File {
	var list []imagetest.File
	for _, n := range names {
		if name, target, ok := strings.Cut(n, "->"); ok {
			list = append(list, imagetest.File{Name: name, Link: target})
			continue
		}
		name, body, _ := strings.Cut(n, "=")
		list = append(list, imagetest.File{Name: name, Body: body})
	}
	return list
}

// images are published as example.com/NAME, by NAME; "a" is what is fetched.
type images map[string]aciDoc

func (i images) publish(t testing.TB, f *fetcher) map[string][]byte {
	t.Helper()
	built := map[string][]byte{}
	for name, d := range i {
		d.name = "example.com/" + name
		built[name] = d.build(t)
		f.publish(d.name, "latest", built[name])
	}
	return built
}

func needs(names ...string) []map[string]any {
	var list []map[string]any
	for _, n := range names {
		list = append(list, need("example.com/"+n))
	}
	return list
}

// TestRendersAsTheSpecificationsRenderer holds what is rendered against appc's
// own renderer.
func TestRendersAsTheSpecificationsRenderer(t *testing.T) {
	for name, set := range map[string]images{
		"no dependencies":   {"a": {files: files("etc/", "etc/x=a")}},
		"a whitelist alone": {"a": {files: files("etc/", "etc/x=a", "etc/y=a", "empty/"), whitelist: []string{"/etc/x"}}},
		"one dependency":    {"a": {needs: needs("b"), files: files("etc/", "etc/x=a")}, "b": {files: files("etc/", "etc/x=b", "etc/y=b")}},
		"the order of the specification: B, D, C, A": {
			"a": {needs: needs("b", "c"), files: files("1=a")},
			"b": {files: files("1=b", "2=b", "3=b", "4=b")},
			"c": {needs: needs("d"), files: files("1=c", "2=c")},
			"d": {files: files("1=d", "2=d", "3=d")},
		},
		"a dependency on two ways: D, B, D, C, A": {
			"a": {needs: needs("b", "c")}, "b": {needs: needs("d"), files: files("x=b", "y=b")},
			"c": {needs: needs("d"), files: files("y=c")}, "d": {files: files("x=d", "y=d", "z=d")},
		},
		"files, directories and links in each other's place": {
			"a": {needs: needs("b"), files: files("was-dir=a", "was-link/", "was-link/f=a", "was-file/", "was-file/f=a", "now-link->etc")},
			"b": {files: files("was-dir/", "was-dir/f=b", "etc/", "etc/f=b", "was-link->etc", "was-file=b", "now-link/", "now-link/f=b")},
		},
		"a whitelist above a dependency": {
			"a": {needs: needs("b"), files: files("x=a", "y=a"), whitelist: []string{"/x", "/etc", "/etc/x", "/sub/dir/f", "/empty/"}},
			"b": {files: files("etc/", "etc/x=b", "etc/y=b", "y=b", "sub/", "sub/dir/", "sub/dir/f=b", "sub/dir/g=b", "empty/", "other/")},
		},
		"a whitelist of the dependency's own": {
			"a": {needs: needs("b"), files: files("x=a")},
			"b": {files: files("x=b", "y=b", "z=b"), whitelist: []string{"/y"}},
		},
		"both": {
			"a": {needs: needs("b"), files: files("x=a"), whitelist: []string{"/x", "/y"}},
			"b": {files: files("x=b", "y=b", "z=b"), whitelist: []string{"/y", "/z"}},
		},
		"what a whitelist leaves out hides nothing": {
			"a": {needs: needs("b", "c"), files: files("n=a")},
			"b": {files: files("f=b", "d/", "d/f=b")},
			"c": {files: files("f=c", "d=c"), whitelist: []string{"/none"}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFetcher(t)
			built := set.publish(t, f)
			img := f.fetch(t, "example.com/a")
			want := reference(t, built)
			dir := t.TempDir()
			if err := f.store.UnpackInto(t.Context(), dir, img); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, contents(t, dir)); diff != "" {
				t.Errorf("unpacked (-want +got):\n%s", diff)
			}
			lowers, err := f.store.Render(t.Context(), img)
			if err != nil {
				t.Fatal(err)
			}
			for path, body := range want {
				if raw, err := (tree.View{Lowers: lowers}).ReadFile(path, 1<<20); strings.HasPrefix(body, "=") && string(raw) != body[1:] {
					t.Errorf("rendered %s is %q, %v, want %q", path, raw, err, body)
				}
			}
			for path := range everything(t, built) {
				if want[path] != "" || !strings.HasPrefix(want[filepath.Dir(path)]+"/", "/") {
					continue // or below what is no directory now
				}
				if _, err := (tree.View{Lowers: lowers}).Stat(path); !errors.Is(err, fs.ErrNotExist) {
					t.Errorf("%s is there: %v", path, err)
				}
			}
		})
	}
}

// TestWhitelistsOfEachImageCount: the specification has a file filtered by the
// whitelists of its image and of all that depend on it. Its renderer heeds the
// topmost only, and takes a neighbour's for one above.
func TestWhitelistsOfEachImageCount(t *testing.T) {
	f := newFetcher(t)
	images{
		"a": {needs: needs("b", "c"), files: files("a=a"), whitelist: []string{"/a", "/b", "/c", "/d", "/e"}},
		"b": {files: files("b=b", "d=b")},
		"c": {needs: needs("d"), files: files("c=c"), whitelist: []string{"/c", "/d"}},
		"d": {files: files("d=d", "e=d")},
	}.publish(t, f)
	dir := t.TempDir()
	if err := f.store.UnpackInto(t.Context(), dir, f.fetch(t, "example.com/a")); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"a": "=a", "b": "=b", "c": "=c", "d": "=d"}
	if diff := cmp.Diff(want, contents(t, dir)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// contents has each path below dir: "/" for a directory, "=" and its content for
// a file, "->" and its target for a link.
func contents(t testing.TB, dir string) map[string]string {
	t.Helper()
	found := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || path == dir {
			return err
		}
		name, _ := filepath.Rel(dir, path)
		switch d.Type() {
		case fs.ModeDir:
			found[name] = "/"
		case fs.ModeSymlink:
			target, err := os.Readlink(path)
			found[name] = "->" + target
			return err
		default:
			raw, err := os.ReadFile(path)
			found[name] = "=" + string(raw)
			return err
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// everything has all paths of all images, in the form of contents.
func everything(t testing.TB, built map[string][]byte) map[string]string {
	all := map[string]string{}
	for _, raw := range built {
		maps.Copy(all, entries(t, raw))
	}
	return all
}

func entries(t testing.TB, raw []byte) map[string]string {
	t.Helper()
	found := map[string]string{}
	for r := tar.NewReader(bytes.NewReader(gunzip(t, raw))); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return found
		}
		if err != nil {
			t.Fatal(err)
		}
		name, ok := strings.CutPrefix(filepath.Clean(h.Name), "rootfs/")
		if !ok {
			continue
		}
		switch h.Typeflag {
		case tar.TypeDir:
			found[name] = "/"
		case tar.TypeSymlink:
			found[name] = "->" + h.Linkname
		default:
			body, err := io.ReadAll(r)
			if err != nil {
				t.Fatal(err)
			}
			found[name] = "=" + string(body)
		}
	}
}

// registry is what acirenderer asks.
type registry map[string][]byte

func (r registry) GetImageManifest(key string) (*schema.ImageManifest, error) {
	var m schema.ImageManifest
	for tr := tar.NewReader(bytes.NewReader(r[key])); ; {
		h, err := tr.Next()
		if err != nil {
			return nil, err
		}
		if h.Name == "manifest" {
			return &m, json.NewDecoder(tr).Decode(&m)
		}
	}
}

func (r registry) GetACI(name types.ACIdentifier, _ types.Labels) (string, error) {
	for key := range r {
		if m, err := r.GetImageManifest(key); err == nil && m.Name == name {
			return key, nil
		}
	}
	return "", fs.ErrNotExist
}

func (r registry) ReadStream(key string) (io.ReadCloser, error) {
	return io.NopCloser(bytes.NewReader(r[key])), nil
}
func (r registry) ResolveKey(key string) (string, error) { return key, nil }
func (r registry) HashToKey(h hash.Hash) string          { return fmt.Sprintf("sha512-%x", h.Sum(nil)) }

// reference is what acirenderer makes of example.com/a.
func reference(t testing.TB, built map[string][]byte) map[string]string {
	t.Helper()
	r, of := registry{}, map[string]map[string]string{}
	for _, raw := range built {
		r[aciID(t, raw)], of[aciID(t, raw)] = gunzip(t, raw), entries(t, raw)
	}
	rendered, err := acirenderer.GetRenderedACI("example.com/a", nil, r)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{}
	for _, part := range rendered {
		for file := range part.FileMap {
			name, ok := strings.CutPrefix(file, "rootfs/")
			if !ok {
				continue
			}
			want[name] = of[part.Key][name]
			for dir := filepath.Dir(name); dir != "."; dir = filepath.Dir(dir) {
				if want[dir] == "" {
					want[dir] = "/"
				}
			}
		}
	}
	return want
}

func TestDependencies(t *testing.T) {
	f := newFetcher(t)
	base := app(t, "example.com/base", "1", "base")
	f.publish("example.com/base", "1", base)
	f.publish("example.com/base", "latest", base)
	lib := func(name string, d map[string]any) {
		f.publish("example.com/"+name, "latest", aciDoc{name: "example.com/" + name, needs: []map[string]any{d}}.build(t))
	}
	label := func(k, v string) []map[string]string { return []map[string]string{{"name": k, "value": v}} }
	lib("good", need("example.com/base", "imageID", aciID(t, base), "size", len(base), "labels", label("version", "1")))
	lib("plain-size", need("example.com/base", "size", len(gunzip(t, base))))
	lib("wrong-id", need("example.com/base", "imageID", "sha512-"+strings.Repeat("0", 128)))
	lib("wrong-size", need("example.com/base", "size", 7))
	lib("endless-size", need("example.com/endless", "size", 50))
	f.publish("example.com/endless", "latest", app(t, "example.com/endless", "", strings.Repeat("x", 1000)))
	lib("wrong-label", need("example.com/base", "labels", label("version", "2")))
	lib("missing", need("example.com/none"))
	lib("unsigned", need("example.com/unsigned"))
	f.publish("example.com/unsigned", "latest", app(t, "example.com/unsigned", "", "x"))
	f.serve("example.com/files/example.com/unsigned-latest-linux-amd64.aci.asc", []byte("nonsense"))
	lib("self", need("example.com/self"))
	lib("ring", need("example.com/ring2"))
	lib("ring2", need("example.com/ring"))
	lib("nohost", need("local/thing"))

	f.refused(t, "example.com/wrong-id", "the image has ID")
	f.refused(t, "example.com/wrong-size", "larger than 7 bytes")
	f.refused(t, "example.com/endless-size", "larger than 50 bytes")
	f.refused(t, "example.com/wrong-label", "404")
	f.refused(t, "example.com/missing", "no such image")
	f.refused(t, "example.com/unsigned", "bad signature")
	f.refused(t, "example.com/self", "circle")
	f.refused(t, "example.com/ring", "circle")
	f.refused(t, "example.com/nohost", "does not begin with a host's")
	img := f.fetch(t, "example.com/good")
	if len(img.Dependencies) != 1 || f.content(t, img) != "base" {
		t.Errorf("%+v", img)
	}
	f.reset()
	if again := f.fetch(t, "example.com/plain-size"); f.requests("base-latest-linux-amd64.aci") != 0 || again.Dependencies[0] != img.Dependencies[0] {
		t.Error("what the store has was fetched")
	}
	// As with a file, which has no site.
	path := filepath.Join(t.TempDir(), "x.aci")
	raw := aciDoc{name: "local/top", needs: []map[string]any{need("example.com/base")}}.build(t)
	write(t, path, raw)
	write(t, path+".asc", sign(raw))
	if got := f.content(t, f.fetch(t, path)); got != "base" {
		t.Errorf("content %q", got)
	}
}

func TestDeepAndManyDependencies(t *testing.T) {
	t.Parallel()
	f := newFetcher(t)
	chain := images{"a": {needs: needs("n0")}}
	for i := range 70 {
		chain[fmt.Sprintf("n%d", i)] = aciDoc{needs: needs(fmt.Sprintf("n%d", i+1))}
	}
	chain.publish(t, f)
	f.refused(t, "example.com/a", "more than 64 deep")
	wide := images{"b": {}}
	var names []string
	for i := range 130 {
		names = append(names, fmt.Sprintf("w%d", i))
		wide[names[i]] = aciDoc{}
	}
	wide["b"] = aciDoc{needs: needs(names...)}
	wide.publish(t, f)
	if _, err := f.try(t, "example.com/b"); err == nil || !strings.Contains(err.Error(), "more than 128 dependencies") {
		t.Error(err)
	}
	// Two on each of 12 levels are 4,096 ways, and 26 images.
	deep := images{"c": {needs: needs("l0", "r0")}, "l12": {}, "r12": {}}
	for i := range 12 {
		for _, side := range []string{"l", "r"} {
			deep[fmt.Sprintf("%s%d", side, i)] = aciDoc{
				needs: needs(fmt.Sprintf("l%d", i+1), fmt.Sprintf("r%d", i+1)), files: files(side + "=x"),
			}
		}
	}
	deep.publish(t, f)
	img := f.fetch(t, "example.com/c")
	if lowers, err := f.store.Render(t.Context(), img); err != nil || len(lowers) > 70 {
		t.Errorf("%d trees, %v", len(lowers), err)
	}
}

// TestAnotherDependencyIsAnotherImage: what an ID stands for stays as it is when
// a site has something newer.
func TestAnotherDependencyIsAnotherImage(t *testing.T) {
	f := newFetcher(t)
	f.publish("example.com/base", "latest", app(t, "example.com/base", "", "old"), "ETag", `"1"`)
	f.publish("example.com/top", "latest", aciDoc{name: "example.com/top", needs: needs("base")}.build(t), "ETag", `"1"`)
	before := f.fetch(t, "example.com/top")
	if again := f.fetch(t, "example.com/top", update); again.ID != before.ID {
		t.Error("another image, though nothing changed")
	}
	f.publish("example.com/base", "latest", app(t, "example.com/base", "", "new"), "ETag", `"2"`)
	after := f.fetch(t, "example.com/top", update)
	if after.ID == before.ID || after.AppcID != before.AppcID {
		t.Errorf("IDs %s and %s", before.ID, after.ID)
	}
	if was, is := f.content(t, before), f.content(t, after); was != "old" || is != "new" {
		t.Errorf("content was %q, is %q", was, is)
	}
	if img := f.fetch(t, "example.com/top"); img.ID != after.ID {
		t.Error("the name still means the old image")
	}
}

func TestDependenciesAreKept(t *testing.T) {
	f := newFetcher(t)
	images{
		"a": {needs: needs("b"), files: files("a=a"), whitelist: []string{"/a", "/c"}},
		"b": {needs: needs("c")}, "c": {files: files("c=c")}, "d": {},
	}.publish(t, f)
	img := f.fetch(t, "example.com/a")
	other := f.fetch(t, "example.com/d")
	lookup := func(name string) image.Image {
		n, err := appc.ParseName("example.com/" + name)
		if err != nil {
			t.Fatal(err)
		}
		found, err := appc.Lookup(t.Context(), f.store, n)
		if err != nil {
			t.Fatal(err)
		}
		return found
	}
	if err := f.store.Remove(lookup("c"), nil); !errors.Is(err, imagestore.ErrInUse) || !strings.Contains(err.Error(), "example.com/b") {
		t.Errorf("removing a dependency: %v", err)
	}
	inUse := func() (map[digest.Digest][]string, error) { return map[digest.Digest][]string{img.ID: {"pod"}}, nil }
	done, err := f.store.GC(imagestore.GCOptions{InUse: inUse})
	if err != nil {
		t.Fatal(err)
	}
	if len(done.Images) != 1 || done.Images[0].ID != other.ID {
		t.Errorf("collected %+v", done.Images)
	}
	lowers, err := f.store.Render(t.Context(), img)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.ContainsFunc(lowers, func(dir string) bool { return strings.Contains(dir, tree.RenderPrefix) }) {
		t.Errorf("rendered as %q", lowers)
	}
	if diff := cmp.Diff(map[string]string{"a": "=a", "c": "=c"}, contents(t, lowers[0])); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	// Trees that are lost are made again.
	if err := os.RemoveAll(filepath.Join(f.dir, "trees")); err != nil {
		t.Fatal(err)
	}
	if f.store, err = imagestore.Open(f.dir); err != nil {
		t.Fatal(err)
	}
	if lowers, err = f.store.Render(t.Context(), img); err != nil || contents(t, lowers[0])["c"] != "=c" {
		t.Errorf("%v, %v", lowers, err)
	}
	if done, err = f.store.GC(imagestore.GCOptions{}); err != nil || len(done.Images) != 3 {
		t.Errorf("collected %+v, %v", done.Images, err)
	}
	if left, err := os.ReadDir(filepath.Join(f.dir, "trees")); err != nil || len(left) != 1 {
		t.Errorf("trees left: %v, %v", left, err)
	}
}
