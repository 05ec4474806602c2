package fetch_test

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/go-digest"

	"github.com/raket/raket/pkg/image"
	"github.com/raket/raket/pkg/imagestore"
	"github.com/raket/raket/pkg/imagestore/imagetest"
	"github.com/raket/raket/pkg/tree"
	"github.com/raket/raket/stage0/fetch"
)

func needRoot(t testing.TB) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("fetching unpacks layers, which sets owners: needs root")
	}
}

func openStore(t testing.TB) (*imagestore.Store, string) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "raket")
	s, err := imagestore.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	return s, dir
}

func twoLayers(t testing.TB) *imagetest.Image {
	return imagetest.New(t,
		[]imagetest.File{{Name: "etc/"}, {Name: "etc/passwd", Body: "root"}, {Name: "etc/gone", Body: "x"}},
		[]imagetest.File{{Name: "etc/"}, {Name: "etc/.wh.gone"}, {Name: "app", Body: "upper", Mode: 0o755}})
}

// get fetches and reads a file of the image.
func get(t testing.TB, s *imagestore.Store, opts fetch.Options, path, want string) image.Image {
	t.Helper()
	opts.Store = s
	img, err := fetch.Fetch(t.Context(), opts)
	if err != nil {
		t.Fatal(err)
	}
	lowers, err := s.Render(t.Context(), img)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := tree.View{Lowers: lowers}.ReadFile(path, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, string(raw)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", path, diff)
	}
	return img
}

func TestFetchFromRegistry(t *testing.T) {
	needRoot(t)
	s, _ := openStore(t)
	reg := imagetest.NewRegistry(t)
	src := twoLayers(t)
	name := reg.Push("team/app", "1", src)
	img := get(t, s, fetch.Options{Name: name}, "app", "upper")
	if img.ID != src.ID || img.Names[0] != name || img.SignatureState() != "none" {
		t.Errorf("image is %+v", img)
	}
	lowers, err := s.Render(t.Context(), img)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := (tree.View{Lowers: lowers}).ReadFile("/etc/gone", 10); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a file whited out reads as %v", err)
	}
	// The store has the name: nothing is asked for again.
	reg.Push("team/app", "1", imagetest.New(t, []imagetest.File{{Name: "app", Body: "newer"}}))
	get(t, s, fetch.Options{Name: name}, "app", "upper")
	get(t, s, fetch.Options{Name: "team/app"}, "app", "upper")
	newer := get(t, s, fetch.Options{Name: name, PullPolicy: fetch.Update}, "app", "newer")
	if newer.ID == img.ID {
		t.Error("update brought the old image")
	}
	get(t, s, fetch.Options{Name: name, PullPolicy: fetch.Never}, "app", "newer")
	get(t, s, fetch.Options{Name: image.ShortID(img)}, "app", "upper")
	get(t, s, fetch.Options{Name: "docker://" + reg.Host + "/team/app@" + src.ID.String()}, "app", "upper")
	for _, d := range src.Layers {
		if n := reg.Served(d); n != 1 {
			t.Errorf("layer %s was asked for %d times, want once", d, n)
		}
	}
}

func TestPlatforms(t *testing.T) {
	needRoot(t)
	reg := imagetest.NewRegistry(t)
	name := reg.PushIndex(t, "app", "1", map[string]*imagetest.Image{
		"amd64": imagetest.NewFor(t, "amd64", []imagetest.File{{Name: "arch", Body: "amd64"}}),
		"arm64": imagetest.NewFor(t, "arm64", []imagetest.File{{Name: "arch", Body: "arm64"}}),
	})
	s, _ := openStore(t)
	get(t, s, fetch.Options{Name: name, Platform: "linux/amd64"}, "arch", "amd64")
	get(t, s, fetch.Options{Name: name, Platform: "linux/arm64"}, "arch", "arm64")
	_, err := fetch.Fetch(t.Context(), fetch.Options{Store: s, Name: name, Platform: "linux/s390x"})
	if err == nil || !strings.Contains(err.Error(), "nothing for linux/s390x, only for") {
		t.Errorf("error %v", err)
	}
	_, err = fetch.Fetch(t.Context(), fetch.Options{Store: s, Name: reg.Push("one", "1", imagetest.NewFor(t, "arm64")), Platform: "linux/amd64"})
	if err == nil || !strings.Contains(err.Error(), "image is for linux/arm64, not for linux/amd64") {
		t.Errorf("error %v", err)
	}
}

// snapshot lists a store's files but those that are always there.
func snapshot(t testing.TB, dir string) []string {
	t.Helper()
	var names []string
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		names = append(names, strings.TrimPrefix(path, dir))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

func TestBadInput(t *testing.T) {
	needRoot(t)
	reg := imagetest.NewRegistry(t)
	good := twoLayers(t)
	blob := good.Blobs[good.Layers[0]]
	answer := func(change func([]byte) []byte) func(http.ResponseWriter, digest.Digest, []byte) bool {
		return func(w http.ResponseWriter, d digest.Digest, b []byte) bool {
			if d == good.Layers[0] {
				_, _ = w.Write(change(bytes.Clone(b)))
			}
			return d == good.Layers[0]
		}
	}
	hostile := imagetest.New(t, []imagetest.File{{Name: "ok"}, {Name: "../evil\n"}})
	huge := append(bytes.Clone(good.Manifest), bytes.Repeat([]byte(" "), image.MaxManifestBytes)...)
	for _, tc := range []struct {
		name   string
		ref    string
		onBlob func(http.ResponseWriter, digest.Digest, []byte) bool
		want   string
	}{
		{name: "an unknown image", ref: "docker://" + reg.Host + "/none:1", want: `find image "` + reg.Host + `/none:1" at registry ` + reg.Host + ": it answered 404 Not Found, MANIFEST_UNKNOWN: manifest unknown"},
		{name: "nobody listens", ref: "docker://127.0.0.1:1/none", want: "connection refused"},
		{name: "a damaged layer", onBlob: answer(func(b []byte) []byte { b[len(b)/2] ^= 1; return b }), want: "layer has the wrong digest: expected " + good.Layers[0].String() + ", got sha256:"},
		{name: "a truncated layer", onBlob: answer(func(b []byte) []byte { return b[:10] }), want: "truncated: got 10 of"},
		{name: "a layer that is too long", onBlob: answer(func(b []byte) []byte { return append(b, "more"...) }), want: "longer than"},
		{name: "a connection that breaks", onBlob: func(w http.ResponseWriter, d digest.Digest, b []byte) bool {
			if d != good.Layers[0] {
				return false
			}
			w.Header().Set("Content-Length", "100000")
			_, _ = w.Write(blob[:20])
			return true
		}, want: "truncated: got 20 of"},
		{name: "a registry that refuses a layer", onBlob: func(w http.ResponseWriter, d digest.Digest, _ []byte) bool {
			http.Error(w, "go\x1b[2J\naway", http.StatusForbidden)
			return true
		}, want: "it answered 403 Forbidden"},
		{name: "a hostile layer", ref: reg.Push("hostile", "1", hostile), want: `refused entry "../evil\n": it has ".."`},
		{name: "a manifest over the limit", ref: reg.PushRaw("huge", "1", huge), want: "larger than 4 MiB"},
		{name: "a manifest that is no JSON", ref: reg.PushRaw("garbage", "1", []byte("<html>")), want: "parse image manifest"},
		{name: "a manifest of schema 1", ref: reg.PushRaw("old", "1", []byte(`{"schemaVersion":1,"fsLayers":[]}`)), want: "schema 1"},
		{name: "a wrong digest", ref: "docker://" + reg.Host + "/app@sha256:" + strings.Repeat("0", 64), want: "404"},
		{name: "no name", ref: "docker://", want: "bad repository name"},
		{name: "not in the store", ref: "nothing", want: imagestore.ErrNotFound.Error()},
		{name: "no such file", ref: "/nonexistent.aci", want: "no such file"},
		{name: "no such layout", ref: "oci:/nonexistent", want: "no such file"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s, dir := openStore(t)
			before := snapshot(t, dir)
			ref := tc.ref
			if ref == "" {
				ref = reg.Push("app", "1", good)
			}
			reg.OnBlob(tc.onBlob)
			_, err := fetch.Fetch(t.Context(), fetch.Options{Store: s, Name: ref})
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Fatalf("error %v, want one that says %q", err, tc.want)
			}
			if strings.ContainsAny(err.Error(), "\n\x1b") {
				t.Errorf("error %q is not one plain line", err)
			}
			if tc.onBlob != nil || strings.Contains(tc.name, "hostile") {
				// The other layer may be there, whole; GC has it.
				if _, err := s.GC(imagestore.GCOptions{}); err != nil {
					t.Fatal(err)
				}
			}
			after := slices.DeleteFunc(snapshot(t, dir), func(name string) bool { return name == "/images/index.json" })
			if diff := cmp.Diff(before, after); diff != "" {
				t.Errorf("left behind (-before +after):\n%s", diff)
			}
			if tc.onBlob != nil {
				reg.OnBlob(nil)
				get(t, s, fetch.Options{Name: ref}, "app", "upper")
			}
		})
	}
}

func tarOf(t testing.TB, dir string) []byte {
	t.Helper()
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	if err := w.AddFS(os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

func write(t testing.TB, path string, content []byte) string {
	t.Helper()
	if err := os.WriteFile(path, content, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// unsigned takes ACIs as they are.
var unsigned = fetch.Insecure{Image: true}

func TestFetchFromFiles(t *testing.T) {
	needRoot(t)
	dir := t.TempDir()
	layout := filepath.Join(dir, "layout")
	imagetest.WriteLayout(t, layout, map[string]*imagetest.Image{
		"1": twoLayers(t), "2": imagetest.New(t, []imagetest.File{{Name: "app", Body: "second"}}),
	})
	layoutTar := tarOf(t, layout)

	src := twoLayers(t)
	plainLayer := imagetest.Tar(t, imagetest.File{Name: "app", Body: "saved"})
	config, err := json.Marshal(map[string]any{"os": "linux", "architecture": "amd64",
		"rootfs": map[string]any{"diff_ids": []any{image.Sum(plainLayer), src.Verified(t).Layers()[1].Layer().DiffID}}})
	if err != nil {
		t.Fatal(err)
	}
	manifest, err := json.Marshal([]map[string]any{{
		"Config": "c.json", "RepoTags": []string{"team/saved:3"}, "Layers": []string{"a/layer.tar", "b/layer.tar"},
	}})
	if err != nil {
		t.Fatal(err)
	}
	saved := imagetest.Tar(t,
		imagetest.File{Name: "a/layer.tar", Body: string(plainLayer)}, imagetest.File{Name: "real.tar", Body: string(src.Blobs[src.Layers[1]])},
		imagetest.File{Name: "b/layer.tar", Link: "../real.tar"},
		imagetest.File{Name: "c.json", Body: string(config)}, imagetest.File{Name: "manifest.json", Body: string(manifest)})

	aciManifest := `{"acKind":"ImageManifest","acVersion":"0.8.11","name":"example.com/reloader","labels":[{"name":"version","value":"1.2"},{"name":"os","value":"linux"},{"name":"arch","value":"amd64"}]}`
	aci := imagetest.Tar(t, imagetest.File{Name: "manifest", Body: aciManifest},
		imagetest.File{Name: "rootfs/"}, imagetest.File{Name: "rootfs/bin/"}, imagetest.File{Name: "rootfs/bin/x", Body: "aci"}, imagetest.File{Name: "rootfs/.wh.y"})

	for _, tc := range []struct {
		name, ref, path, want, wantErr string
		alias                          string
	}{
		{name: "a layout's tag", ref: "oci:" + layout + ":1", path: "app", want: "upper"},
		{name: "a layout of two needs a tag", ref: "oci:" + layout, wantErr: "choose one with :TAG"},
		{name: "a layout without that tag", ref: "oci:" + layout + ":9", wantErr: `no image tagged "9"`},
		{name: "an archive of a layout", ref: "oci-archive:" + write(t, dir+"/o.tar", layoutTar) + ":2", path: "app", want: "second"},
		{name: "a compressed archive of a layout", ref: "oci-archive:" + write(t, dir+"/o.tgz", imagetest.Gzip(t, layoutTar)) + ":2", path: "app", want: "second"},
		{name: "a docker archive", ref: "docker-archive:" + write(t, dir+"/d.tar", saved), path: "app", want: "upper", alias: "team/saved:3"},
		{name: "a docker archive by name", ref: "docker-archive:" + dir + "/d.tar:team/saved:3", path: "app", want: "upper"},
		{name: "a docker archive without that name", ref: "docker-archive:" + dir + "/d.tar:other", wantErr: `no image named "other"`},
		{name: "an ACI", ref: write(t, dir+"/a.aci", aci), path: "bin/x", want: "aci", alias: "example.com/reloader"},
		{name: "a compressed ACI", ref: write(t, dir+"/z.aci", imagetest.Gzip(t, aci)), path: "bin/x", want: "aci", alias: "example.com/reloader:1.2"},
		{name: "an ACI has no whiteouts", ref: dir + "/a.aci", path: ".wh.y", want: ""},
		{name: "an ACI without a manifest", ref: write(t, dir+"/m.aci", imagetest.Tar(t, imagetest.File{Name: "rootfs/"})), wantErr: "no manifest"},
		{name: "an ACI with a bad manifest", ref: write(t, dir+"/b.aci", imagetest.Tar(t, imagetest.File{Name: "manifest", Body: "{}"})), wantErr: "bad image manifest"},
		{name: "an ACI with other files", ref: write(t, dir+"/x.aci", imagetest.Tar(t, imagetest.File{Name: "manifest", Body: aciManifest}, imagetest.File{Name: "other"})), wantErr: "manifest and rootfs only"},
		{name: "no archive at all", ref: write(t, dir+"/n.aci", []byte("nonsense")), wantErr: "not a tar"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s, _ := openStore(t)
			if tc.wantErr != "" {
				_, err := fetch.Fetch(t.Context(), fetch.Options{Store: s, Name: tc.ref, Insecure: unsigned})
				if err == nil || !strings.Contains(err.Error(), tc.wantErr) {
					t.Fatalf("error %v, want one that says %q", err, tc.wantErr)
				}
				return
			}
			// What was taken without a signature once is found without being told again.
			img := get(t, s, fetch.Options{Name: tc.ref, Insecure: unsigned}, tc.path, tc.want)
			if tc.alias != "" {
				again := get(t, s, fetch.Options{Name: tc.alias}, tc.path, tc.want)
				if again.ID != img.ID {
					t.Errorf("%q is another image", tc.alias)
				}
			}
			if img.Kind == image.Appc {
				if id := image.ShortID(img); len(id) != len("sha512-")+32 {
					t.Errorf("ID %q", id)
				}
				get(t, s, fetch.Options{Name: image.ShortID(img)[:12]}, tc.path, tc.want)
			}
			flat := t.TempDir()
			if err := s.UnpackInto(t.Context(), flat, img); err != nil {
				t.Fatal(err)
			}
			raw, err := os.ReadFile(filepath.Join(flat, tc.path))
			if err != nil || string(raw) != tc.want {
				t.Errorf("flat: %q, %v", raw, err)
			}
		})
	}
}

func TestOneACICompressedTwice(t *testing.T) {
	needRoot(t)
	s, _ := openStore(t)
	dir := t.TempDir()
	aci := imagetest.Tar(t, imagetest.File{Name: "manifest", Body: `{"acKind":"ImageManifest","acVersion":"0.8.11","name":"example.com/x"}`}, imagetest.File{Name: "rootfs/f", Body: "x"})
	plain := get(t, s, fetch.Options{Name: write(t, dir+"/p.aci", aci), Insecure: unsigned}, "f", "x")
	zipped := get(t, s, fetch.Options{Name: write(t, dir+"/z.aci", imagetest.Gzip(t, aci)), Insecure: unsigned}, "f", "x")
	if plain.AppcID != zipped.AppcID || plain.ID == zipped.ID {
		t.Errorf("IDs %s and %s of %s and %s", plain.ID, zipped.ID, plain.AppcID, zipped.AppcID)
	}
	for _, name := range []string{image.ShortID(plain), "example.com/x"} {
		if img := get(t, s, fetch.Options{Name: name}, "f", "x"); img.ID != zipped.ID {
			t.Errorf("%q is %s, want the newest", name, img.ID)
		}
	}
}
