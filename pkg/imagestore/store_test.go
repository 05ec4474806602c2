package imagestore_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/go-digest"

	"github.com/raket/raket/pkg/image"
	"github.com/raket/raket/pkg/imagestore"
	"github.com/raket/raket/pkg/imagestore/imagetest"
)

func needRoot(t testing.TB) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("unpacking sets owners and trusted attributes: needs root")
	}
}

func open(t testing.TB) *imagestore.Store {
	t.Helper()
	s, err := imagestore.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func parse(t testing.TB, name string) image.Ref {
	t.Helper()
	ref, err := image.Parse(name)
	if err != nil {
		t.Fatal(err)
	}
	return ref
}

func one(t testing.TB, body string) *imagetest.Image {
	return imagetest.New(t, []imagetest.File{{Name: "f", Body: body}})
}

func TestLookup(t *testing.T) {
	needRoot(t)
	s := open(t)
	ids := map[string]digest.Digest{}
	for _, name := range []string{
		"docker://docker.io/library/nginx:latest", "docker://docker.io/library/nginx:1.28", "docker://r.example/team/web:1",
		"docker://r.example/other/web:1", "docker://r.example/team/db:2", "oci:/x/db:2",
	} {
		ids[name] = one(t, name).Add(t, s, name).ID
	}
	for _, tc := range []struct {
		in, want string
		err      error
	}{
		{in: "docker://nginx", want: "docker://docker.io/library/nginx:latest"},
		{in: "docker://nginx:1.28", want: "docker://docker.io/library/nginx:1.28"},
		{in: "nginx", want: "docker://docker.io/library/nginx:latest"},
		{in: "nginx:1.28", want: "docker://docker.io/library/nginx:1.28"},
		{in: "library/nginx:1.28", want: "docker://docker.io/library/nginx:1.28"},
		{in: "team/web", want: "docker://r.example/team/web:1"},
		{in: "r.example/team/web:1", want: "docker://r.example/team/web:1"},
		{in: "db", want: "docker://r.example/team/db:2"},
		{in: "oci:/x/db:2", want: "oci:/x/db:2"},
		{in: "web", err: imagestore.ErrAmbiguous},
		{in: "web:1", err: imagestore.ErrAmbiguous},
		{in: "eb:1", err: imagestore.ErrNotFound},
		{in: "docker://r.example/team/web", err: imagestore.ErrNotFound},
		{in: "sha256:00000000", err: imagestore.ErrNotFound},
		{in: "sha512-00", err: imagestore.ErrNotFound},
	} {
		t.Run(tc.in, func(t *testing.T) {
			img, err := s.Lookup(parse(t, tc.in))
			if !errors.Is(err, tc.err) {
				t.Fatalf("error %v, want %v", err, tc.err)
			}
			if img.ID != ids[tc.want] {
				t.Errorf("found %v, want %s", img.Names, tc.want)
			}
		})
	}
	for name, id := range ids {
		for _, prefix := range []string{id.String(), id.String()[:19], id.Encoded()[:12]} {
			if img, err := s.Lookup(parse(t, prefix)); err != nil || img.ID != id {
				t.Errorf("%q found %v, %v, want %s", prefix, img.Names, err, name)
			}
		}
	}
}

func TestNamesMove(t *testing.T) {
	needRoot(t)
	s := open(t)
	const name = "docker://r.example/app:1"
	old := one(t, "old").Add(t, s, name)
	one(t, "new").Add(t, s, name)
	again, err := s.Lookup(parse(t, old.ID.String()))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{}, again.Names); diff != "" {
		t.Errorf("names of the old image (-want +got):\n%s", diff)
	}
	one(t, "old").Add(t, s, name)
	one(t, "old").Add(t, s, "docker://r.example/app:2")
	images, err := s.List()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string][]string{}
	for _, img := range images {
		got[img.ID.String()] = img.Names
	}
	want := map[string][]string{old.ID.String(): {name, "docker://r.example/app:2"}, one(t, "new").ID.String(): {}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("names (-want +got):\n%s", diff)
	}
}

func TestRemove(t *testing.T) {
	needRoot(t)
	dir := t.TempDir()
	s, err := imagestore.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	shared := []imagetest.File{{Name: "base", Body: "base"}}
	a := imagetest.New(t, shared, []imagetest.File{{Name: "a"}}).Add(t, s, "docker://r.example/a:1")
	b := imagetest.New(t, shared, []imagetest.File{{Name: "b"}}).Add(t, s, "docker://r.example/b:1")
	used := func() (map[digest.Digest][]string, error) { return map[digest.Digest][]string{b.ID: {"uuid-1"}}, nil }
	if err := s.Remove(b, used); !errors.Is(err, imagestore.ErrInUse) || !strings.Contains(err.Error(), "uuid-1") {
		t.Fatalf("error %v, want ErrInUse and the pod", err)
	}
	if err := s.Remove(a, used); err != nil {
		t.Fatal(err)
	}
	if err := s.Remove(a, used); !errors.Is(err, imagestore.ErrNotFound) {
		t.Errorf("error %v, want ErrNotFound", err)
	}
	if err := s.Verify(t.Context(), b); err != nil {
		t.Error(err)
	}
	if s.HasBlob(a.Layers[1].Digest) || !s.HasBlob(a.Layers[0].Digest) {
		t.Error("the shared layer went, or the other stayed")
	}
	trees, err := os.ReadDir(filepath.Join(dir, "trees"))
	if err != nil {
		t.Fatal(err)
	}
	if len(trees) != 3 { // .ingest and two trees
		t.Errorf("%d entries among the trees, want 3", len(trees))
	}
}

func TestGC(t *testing.T) {
	needRoot(t)
	s := open(t)
	old, used, fresh := one(t, "old").Add(t, s, "docker://r.example/old:1"), one(t, "used").Add(t, s, "docker://r.example/used:1"), one(t, "fresh").Add(t, s, "docker://r.example/fresh:1")
	inUse := func() (map[digest.Digest][]string, error) { return map[digest.Digest][]string{used.ID: {"uuid"}}, nil }
	opts := imagestore.GCOptions{Grace: time.Hour, InUse: inUse}
	if done, err := s.GC(opts); err != nil || len(done.Images) != 0 || done.Blobs != 0 || done.Trees != 0 {
		t.Fatalf("within the grace period: %+v, %v", done, err)
	}
	opts.Grace = 0
	// A fetch under way keeps blobs that nothing refers to yet.
	lock, err := s.FetchLock()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Touch(fresh); err != nil {
		t.Fatal(err)
	}
	done, err := s.GC(opts)
	if err != nil || len(done.Images) != 2 || !done.Deferred || !s.HasBlob(old.Layers[0].Digest) {
		t.Fatalf("during a fetch: %+v, %v", done, err)
	}
	if err := lock.Close(); err != nil {
		t.Fatal(err)
	}
	if done, err = s.GC(opts); err != nil || done.Blobs != 6 || done.Trees != 2 || done.Deferred {
		t.Fatalf("after it: %+v, %v", done, err)
	}
	if err := s.Verify(t.Context(), used); err != nil {
		t.Error(err)
	}
	fails := errors.New("no idea")
	if _, err := s.GC(imagestore.GCOptions{InUse: func() (map[digest.Digest][]string, error) { return nil, fails }}); !errors.Is(err, fails) {
		t.Errorf("error %v, want %v", err, fails)
	}
}

func TestTouchIsSeenInLists(t *testing.T) {
	needRoot(t)
	s := open(t)
	img := one(t, "x").Add(t, s, "docker://r.example/x:1")
	one(t, "y").Add(t, s, "docker://r.example/y:1")
	if _, err := s.List(); err != nil { // fills the cache
		t.Fatal(err)
	}
	if err := s.Touch(img); err != nil {
		t.Fatal(err)
	}
	again, err := s.Lookup(parse(t, "x"))
	if err != nil {
		t.Fatal(err)
	}
	images, err := s.List()
	if err != nil {
		t.Fatal(err)
	}
	if !again.LastUsed.After(img.LastUsed) || !images[0].LastUsed.Equal(again.LastUsed) {
		t.Errorf("last used %v, then %v, listed %v", img.LastUsed, again.LastUsed, images[0].LastUsed)
	}
}

func TestRenderUnpacksWhatIsMissing(t *testing.T) {
	needRoot(t)
	dir := t.TempDir()
	s, err := imagestore.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	img := one(t, "x").Add(t, s, "docker://r.example/x:1")
	if err := os.RemoveAll(filepath.Join(dir, "trees")); err != nil {
		t.Fatal(err)
	}
	if s, err = imagestore.Open(dir); err != nil {
		t.Fatal(err)
	}
	stack, err := s.Render(t.Context(), img)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(filepath.Join(stack[0], "f"))
	if err != nil || string(raw) != "x" {
		t.Errorf("%q, %v", raw, err)
	}
	// A damaged blob is found out, not unpacked.
	if err := os.RemoveAll(filepath.Join(dir, "trees")); err != nil {
		t.Fatal(err)
	}
	if s, err = imagestore.Open(dir); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(s.BlobPath(img.Layers[0].Digest), make([]byte, img.Layers[0].SizeBytes), 0o600); err != nil {
		t.Fatal(err)
	}
	var wrong *image.DigestError
	if _, err := s.Render(t.Context(), img); !errors.As(err, &wrong) {
		t.Errorf("error %v, want a DigestError", err)
	}
}

func TestGCRemovesHalfWrittenFiles(t *testing.T) {
	needRoot(t)
	dir := t.TempDir()
	s, err := imagestore.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	img := one(t, "x").Add(t, s, "docker://r.example/x:1")
	left := []string{"images/.tmp-1", "images/records/.tmp-1", "images/blobs/sha256/.tmp-1", "images/ingest/dead/blob", "trees/.ingest/dead/fs/f"}
	for _, name := range left {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte("half"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.GC(imagestore.GCOptions{Grace: time.Hour}); err != nil {
		t.Fatal(err)
	}
	for _, name := range left {
		if _, err := os.Lstat(filepath.Join(dir, name)); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s is still there: %v", name, err)
		}
	}
	if err := s.Verify(t.Context(), img); err != nil {
		t.Error(err)
	}
}

// fill makes a store's index and records directly: a thousand commits would
// sync the disk some thousand times.
func fill(t testing.TB, dir string, n int) {
	t.Helper()
	var idx strings.Builder
	idx.WriteString(`{"schemaVersion":2,"manifests":[`)
	for i := range n {
		id := image.Sum(fmt.Append(nil, i))
		if i > 0 {
			idx.WriteByte(',')
		}
		fmt.Fprintf(&idx, `{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":%q,"size":1,"annotations":{"org.opencontainers.image.ref.name":"docker://r.example/app:%d"}}`, id, i)
		layer := fmt.Sprintf(`{"digest":%q,"diffID":%q,"mediaType":"application/vnd.oci.image.layer.v1.tar+gzip","size":1}`, id, id)
		record := fmt.Sprintf(`{"id":%q,"kind":"oci","config":%q,"layers":[%s],"origin":"x","size":5,"imported":"2026-01-02T03:04:05Z","verification":"digest"}`,
			id, id, strings.TrimSuffix(strings.Repeat(layer+",", 5), ","))
		if err := os.WriteFile(filepath.Join(dir, "images/records", id.Encoded()+".json"), []byte(record), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	idx.WriteString("]}")
	if err := os.WriteFile(filepath.Join(dir, "images/index.json"), []byte(idx.String()), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestListOfManyIsFast(t *testing.T) {
	dir := t.TempDir()
	s, err := imagestore.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	fill(t, dir, 1000)
	best := time.Hour
	for range 50 { // the machine may be busy
		start := time.Now()
		images, err := s.List()
		if err != nil || len(images) != 1000 {
			t.Fatalf("%d images, %v", len(images), err)
		}
		if best = min(best, time.Since(start)); best <= 50*time.Millisecond {
			break
		}
	}
	if best > 50*time.Millisecond {
		t.Errorf("1,000 images listed in %v, want at most 50ms", best)
	}
	t.Logf("1,000 images listed in %v", best)
}

func BenchmarkList1000(b *testing.B) {
	dir := b.TempDir()
	s, err := imagestore.Open(dir)
	if err != nil {
		b.Fatal(err)
	}
	fill(b, dir, 1000)
	for b.Loop() {
		if _, err := s.List(); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkLookupIn1000(b *testing.B) {
	dir := b.TempDir()
	s, err := imagestore.Open(dir)
	if err != nil {
		b.Fatal(err)
	}
	fill(b, dir, 1000)
	ref := parse(b, "docker://r.example/app:777")
	for b.Loop() {
		if _, err := s.Lookup(ref); err != nil {
			b.Fatal(err)
		}
	}
}
