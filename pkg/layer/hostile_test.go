package layer_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"
	"github.com/opencontainers/go-digest"

	"github.com/raket/raket/pkg/image"
	"github.com/raket/raket/pkg/layer"
	"github.com/raket/raket/pkg/layer/corpus"
)

func needRoot(t testing.TB) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("unpacking sets owners and trusted attributes: needs root")
	}
}

func sum(b []byte) digest.Digest {
	return digest.Digest(fmt.Sprintf("sha256:%x", sha256.Sum256(b)))
}

// verified makes the only kind of layer that unpacks, through a whole image.
func verified(t testing.TB, desc image.Layer) image.VerifiedLayer {
	t.Helper()
	config := fmt.Appendf(nil, `{"os":"linux","architecture":"amd64","rootfs":{"diff_ids":[%q]}}`, desc.DiffID)
	raw, err := image.NewManifest(config, []image.Layer{desc})
	if err != nil {
		t.Fatal(err)
	}
	m, err := image.VerifyManifest(raw, image.Sum(raw), image.OCI, nil)
	if err != nil {
		t.Fatal(err)
	}
	v, err := m.VerifyConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	return v.Layers()[0]
}

// verifiedACI is the same of an ACI.
func verifiedACI(t testing.TB, desc image.Layer) image.VerifiedLayer {
	t.Helper()
	manifest := []byte(`{"acKind":"ImageManifest","acVersion":"0.8.11","name":"example.com/x"}`)
	raw, err := image.NewAppcManifest(desc, manifest, "sha512-"+strings.Repeat("0", 128))
	if err != nil {
		t.Fatal(err)
	}
	m, err := image.VerifyManifest(raw, image.Sum(raw), image.Appc, nil)
	if err != nil {
		t.Fatal(err)
	}
	v, err := m.VerifyConfig(manifest)
	if err != nil {
		t.Fatal(err)
	}
	return v.Layers()[0]
}

func plain(t testing.TB, tarBytes []byte) image.VerifiedLayer {
	return verified(t, image.Layer{Digest: sum(tarBytes), DiffID: sum(tarBytes), SizeBytes: int64(len(tarBytes))})
}

// entry is a tar entry in a test.
type entry struct {
	name, link, body string
	kind             byte // a regular file by default
	mode             int64
	uid              int
	pax              map[string]string
}

var testTime = time.Unix(1_600_000_000, 0)

func makeTar(t testing.TB, entries ...entry) []byte {
	t.Helper()
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	for _, e := range entries {
		h := &tar.Header{
			Name: e.name, Linkname: e.link, Typeflag: e.kind, Mode: e.mode, Size: int64(len(e.body)),
			Uid: e.uid, Gid: e.uid, ModTime: testTime, PAXRecords: e.pax,
		}
		if h.Typeflag == 0 {
			h.Typeflag = tar.TypeReg
		}
		if h.Mode == 0 {
			h.Mode = 0o644
			if e.kind == tar.TypeDir {
				h.Mode = 0o755
			}
		}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, e.body); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

// place is a directory to unpack into, far below one with a canary.
type place struct {
	base, canary, dir string
	before            []string
}

func newPlace(t testing.TB) *place {
	t.Helper()
	base := t.TempDir()
	p := &place{base: base, canary: filepath.Join(base, "canary"), dir: filepath.Join(base, "a", "fs")}
	if err := errors.Join(corpus.MakeCanary(p.canary), os.MkdirAll(p.dir, 0o755)); err != nil {
		t.Fatal(err)
	}
	p.look(t)
	return p
}

// look remembers what must not change.
func (p *place) look(t testing.TB) {
	t.Helper()
	var err error
	if p.before, err = corpus.Snapshot(p.base, p.dir); err != nil {
		t.Fatal(err)
	}
}

// clean empties the tree.
func (p *place) clean(t testing.TB) {
	t.Helper()
	if err := errors.Join(os.RemoveAll(p.dir), os.Mkdir(p.dir, 0o755)); err != nil {
		t.Fatal(err)
	}
	p.look(t)
}

// untouched fails the test if anything but the tree has changed.
func (p *place) untouched(t testing.TB) {
	t.Helper()
	after, err := corpus.Snapshot(p.base, p.dir)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(p.before, after); diff != "" {
		t.Errorf("something escaped (-before +after):\n%s", diff)
	}
}

func unpack(t testing.TB, tarBytes []byte, opts layer.Options) (string, layer.Unpacked, error) {
	t.Helper()
	p := newPlace(t)
	u, err := layer.Unpack(t.Context(), io.NopCloser(bytes.NewReader(tarBytes)), plain(t, tarBytes), p.dir, opts)
	p.untouched(t)
	return p.dir, u, err
}

// listing describes a tree, a line a file.
func listing(t testing.TB, dir string) []string {
	t.Helper()
	var lines []string
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if path == dir {
			return nil
		}
		fi, err := os.Lstat(path)
		if err != nil {
			return err
		}
		st := fi.Sys().(*syscall.Stat_t)
		line := fmt.Sprintf("%s %s", strings.TrimPrefix(path, dir+"/"), fi.Mode())
		if st.Uid != 0 {
			line += fmt.Sprintf(" uid=%d", st.Uid)
		}
		switch {
		case fi.Mode()&fs.ModeSymlink != 0:
			target, err := os.Readlink(path)
			if err != nil {
				return err
			}
			line += " -> " + target
		case fi.Mode().IsRegular():
			raw, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			line += " " + string(raw)
		case fi.IsDir():
			var v [4]byte
			if n, err := syscall.Getxattr(path, "trusted.overlay.opaque", v[:]); err == nil {
				line += " opaque=" + string(v[:n])
			}
		case fi.Mode()&fs.ModeCharDevice != 0:
			line += fmt.Sprintf(" %d", st.Rdev)
		}
		lines = append(lines, line)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return lines
}

// unpackAll unpacks the layers of an archive, each into a tree of its own
// below the place's directory, and lists the trees.
func unpackAll(t testing.TB, p *place, a corpus.Archive, opts layer.Options) (trees []string, err error) {
	t.Helper()
	for i, l := range a.Layers {
		dir := filepath.Join(p.dir, fmt.Sprint(i))
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		desc := image.Layer{Digest: sum(l.Blob), DiffID: digest.Digest(l.DiffID), SizeBytes: int64(len(l.Blob))}
		if _, err := layer.Unpack(t.Context(), io.NopCloser(bytes.NewReader(l.Blob)), verified(t, desc), dir, opts); err != nil {
			return nil, err
		}
		lines, err := corpus.List(dir)
		if err != nil {
			t.Fatal(err)
		}
		if i > 0 {
			trees = append(trees, "--")
		}
		trees = append(trees, lines...)
	}
	return trees, nil
}

func TestCorpus(t *testing.T) {
	needRoot(t)
	// One place for all, since the archives know the canary's path.
	p := newPlace(t)
	for _, a := range corpus.Archives(p.canary) {
		t.Run(a.Name, func(t *testing.T) {
			p.clean(t)
			trees, err := unpackAll(t, p, a, layer.Options{})
			p.untouched(t)
			if a.Want == corpus.Contained {
				if err != nil {
					t.Fatal(err)
				}
				if a.Tree != nil {
					if diff := cmp.Diff(sorted(a.Tree), sorted(trees)); diff != "" {
						t.Errorf("tree (-want +got):\n%s", diff)
					}
				}
				onlyAllowed(t, p.dir)
				return
			}
			if err == nil {
				t.Fatalf("it unpacked to %q, and must be refused", trees)
			}
			if !strings.Contains(err.Error(), a.Reason) {
				t.Errorf("error %q does not say %q", err, a.Reason)
			}
			if strings.ContainsAny(err.Error(), "\n\x1b") || len(err.Error()) > 1000 {
				t.Errorf("error %q is not one plain line", err)
			}
		})
	}
}

// sorted sorts each tree of a listing: a walk's order is not that of lines.
func sorted(lines []string) []string {
	var all []string
	for part := range slices.Values(splitTrees(lines)) {
		slices.Sort(part)
		all = append(append(all, part...), "--")
	}
	return all
}

func splitTrees(lines []string) [][]string {
	trees := [][]string{nil}
	for _, line := range lines {
		if line == "--" {
			trees = append(trees, nil)
			continue
		}
		trees[len(trees)-1] = append(trees[len(trees)-1], line)
	}
	return trees
}

// onlyAllowed checks that no attribute came out that images may not set.
func onlyAllowed(t *testing.T, dir string) {
	t.Helper()
	attrs, err := corpus.Attributes(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range attrs {
		_, name, _ := strings.Cut(line, " ")
		if name != "security.capability" && name != "trusted.overlay.opaque" && (!strings.HasPrefix(name, "user.") || strings.HasPrefix(name, "user.overlay.")) {
			t.Errorf("an image set %q", line)
		}
	}
}

func TestCorpusIsNamedAndReproducible(t *testing.T) {
	seen := map[string]bool{}
	first, second := corpus.Archives("/canary"), corpus.Archives("/canary")
	for i, a := range first {
		if seen[a.Name] {
			t.Errorf("%q is there twice", a.Name)
		}
		seen[a.Name] = true
		if !slices.Contains(corpus.Classes(), a.Class) || a.Does == "" || len(a.Layers) == 0 {
			t.Errorf("%q lacks a class, a description or a layer", a.Name)
		}
		if !reflect.DeepEqual(a, second[i]) {
			t.Errorf("%q is made differently each time", a.Name)
		}
	}
}

func TestLimits(t *testing.T) {
	needRoot(t)
	var many []entry
	for i := range 20 {
		many = append(many, entry{name: fmt.Sprint(i)})
	}
	for _, tc := range []struct {
		name   string
		tar    []byte
		limits layer.Limits
		want   string
	}{
		{"too many entries", makeTar(t, many...), layer.Limits{MaxEntries: 19}, "entries"},
		{"too many implied directories", makeTar(t, entry{name: "a/b/c/d/e/f"}), layer.Limits{MaxEntries: 5}, "entries"},
		{"a tar beyond its limit", makeTar(t, entry{name: "f", body: strings.Repeat("x", 10000)}), layer.Limits{MaxBytes: 5000}, "limit"},
		{"a sparse file larger than its tar", sparseTar(), layer.Limits{MaxBytes: 1 << 30}, "limit"},
		{"a header that lies about its size", truncatedTar(t), layer.Limits{}, "unexpected EOF"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, _, err := unpack(t, tc.tar, layer.Options{Limits: tc.limits})
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Fatalf("error %v, want one that says %q", err, tc.want)
			}
		})
	}
}

// sparseTar has an old GNU sparse file of 8 TiB without data.
func sparseTar() []byte {
	h := make([]byte, 512)
	copy(h, "big")
	copy(h[100:], "0000644\x000000000\x000000000\x0000000000000\x0000000000000\x00")
	h[156] = 'S'
	copy(h[257:], "ustar  \x00")
	big := []byte{0x80, 0, 0, 0, 0, 0, 0x08, 0, 0, 0, 0, 0} // 8 TiB, base 256
	copy(h[386:], big)                                      // where the only part begins
	copy(h[398:], "00000000000\x00")
	copy(h[483:], big)
	s := 8 * 32
	for i, c := range h {
		if i < 148 || i >= 156 {
			s += int(c)
		}
	}
	copy(h[148:], fmt.Sprintf("%06o\x00 ", s))
	return append(h, make([]byte, 1024)...)
}

func truncatedTar(t testing.TB) []byte {
	raw := makeTar(t, entry{name: "f", body: strings.Repeat("x", 5000)})
	return raw[:2000]
}

func TestCompressionBomb(t *testing.T) {
	needRoot(t)
	var blob bytes.Buffer
	z := gzip.NewWriter(&blob)
	raw := sha256.New()
	w := tar.NewWriter(io.MultiWriter(z, raw))
	const size = 64 << 20
	if err := w.WriteHeader(&tar.Header{Name: "zeros", Size: size, Mode: 0o600}); err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(w, io.LimitReader(zeros{}, size)); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(w.Close(), z.Close()); err != nil {
		t.Fatal(err)
	}
	l := verified(t, image.Layer{Digest: sum(blob.Bytes()), DiffID: digest.NewDigest(digest.SHA256, raw), SizeBytes: int64(blob.Len())})
	_, err := layer.Unpack(t.Context(), io.NopCloser(&blob), l, t.TempDir(), layer.Options{Limits: layer.Limits{MaxBytes: 32 << 20}})
	if err == nil || !strings.Contains(err.Error(), "limit") {
		t.Fatalf("error %v, want one about the limit", err)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// FuzzUnpack: whatever the layer, nothing changes outside the directory, what
// is made is bounded, and a second time makes the same.
func FuzzUnpack(f *testing.F) {
	needRoot(f)
	for _, a := range corpus.Archives("/tmp") {
		for _, l := range a.Layers {
			if len(l.Blob) < 32<<10 {
				f.Add(l.Blob, false)
			}
		}
	}
	f.Add(makeTar(f, entry{name: "manifest"}, entry{name: "rootfs/f"}), true)
	f.Fuzz(func(t *testing.T, blob []byte, appc bool) {
		limits := layer.Limits{MaxEntries: 200, MaxBytes: 1 << 20}
		desc := image.Layer{Digest: sum(blob), DiffID: sum(plainOf(blob, appc)), SizeBytes: int64(len(blob))}
		l := verified(t, desc)
		if appc {
			l = verifiedACI(t, desc)
		}
		var results [2]string
		for i := range results {
			p := newPlace(t)
			u, err := layer.Unpack(t.Context(), io.NopCloser(bytes.NewReader(blob)), l, p.dir, layer.Options{Limits: limits})
			p.untouched(t)
			if err != nil && strings.ContainsAny(err.Error(), "\n\x1b") {
				t.Errorf("error %q is not one plain line", err)
			}
			onlyAllowed(t, p.dir)
			lines, lerr := corpus.Snapshot(p.dir)
			if lerr != nil {
				t.Fatal(lerr)
			}
			if len(lines) > 201 {
				t.Errorf("%d files, more than the limit", len(lines))
			}
			if err != nil {
				// What is left of a failure depends on how far it came.
				results[i] = strings.ReplaceAll(err.Error(), p.base, "")
				continue
			}
			meta, jerr := json.Marshal(u.Stats())
			if jerr != nil {
				t.Error(jerr)
			}
			// The root's time is the test's.
			results[i] = strings.ReplaceAll(strings.Join(lines[1:], "\n"), p.base, "") + string(meta)
		}
		if diff := cmp.Diff(results[0], results[1]); diff != "" {
			t.Errorf("twice the same layer (-first +second):\n%s", diff)
		}
	})
}

// plainOf decompresses what it can, up to a bound.
func plainOf(blob []byte, appc bool) []byte {
	if !appc && (bytes.HasPrefix(blob, []byte("BZh")) || bytes.HasPrefix(blob, []byte("\xfd7zXZ"))) {
		return blob
	}
	if !appc && zstdMagic(blob) {
		z, err := zstd.NewReader(bytes.NewReader(blob), zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(8<<20))
		if err != nil {
			return nil
		}
		defer z.Close()
		raw, _ := io.ReadAll(io.LimitReader(z, 4<<20))
		return raw
	}
	r, done, err := layer.Plain(bytes.NewReader(blob))
	if err != nil {
		return nil
	}
	defer done()
	raw, _ := io.ReadAll(io.LimitReader(r, 4<<20))
	return raw
}

func zstdMagic(blob []byte) bool {
	return bytes.HasPrefix(blob, []byte("\x28\xb5\x2f\xfd")) || len(blob) >= 4 && blob[0]&0xf0 == 0x50 && bytes.HasPrefix(blob[1:], []byte("\x2a\x4d\x18"))
}
