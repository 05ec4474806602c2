package layer_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"

	"github.com/raket/raket/pkg/image"
	"github.com/raket/raket/pkg/layer"
)

func TestTree(t *testing.T) {
	needRoot(t)
	for _, tc := range []struct {
		name    string
		entries []entry
		want    []string
		implied []string
	}{
		{
			name: "modes, owners and set-ID bits are kept whatever the umask",
			entries: []entry{
				{name: "d", kind: tar.TypeDir, mode: 0o2777, uid: 5},
				{name: "d/f", mode: 0o4777, uid: 6, body: "x"},
				{name: "d/p", kind: tar.TypeFifo, mode: 0o600},
				{name: "tmp", kind: tar.TypeDir, mode: 0o1777},
			},
			want: []string{"d dgrwxrwxrwx uid=5", "d/f urwxrwxrwx uid=6 x", "d/p prw-------", "tmp dtrwxrwxrwx"},
		},
		{
			name:    "missing parents are implied",
			entries: []entry{{name: "a/b/f"}, {name: "a", kind: tar.TypeDir, mode: 0o700}},
			want:    []string{"a drwx------", "a/b drwxr-xr-x", "a/b/f -rw-r--r-- "},
			implied: []string{"a/b"},
		},
		{
			name:    "a whiteout becomes a device 0:0",
			entries: []entry{{name: "d/.wh.gone"}},
			want:    []string{"d drwxr-xr-x", "d/gone Dc--------- 0"},
			implied: []string{"d"},
		},
		{
			name:    "an opaque mark becomes an attribute",
			entries: []entry{{name: "d/f"}, {name: "d/.wh..wh..opq"}},
			want:    []string{"d drwxr-xr-x opaque=y", "d/f -rw-r--r-- "},
			implied: []string{"d"},
		},
		{
			name:    "a whiteout leaves the layer's own file alone",
			entries: []entry{{name: "f", body: "x"}, {name: ".wh.f"}, {name: ".wh.g"}, {name: "g", body: "y"}},
			want:    []string{"f -rw-r--r-- x", "g -rw-r--r-- y"},
		},
		{
			name:    "a whiteout and a directory of one name make it opaque, in either order",
			entries: []entry{{name: "d", kind: tar.TypeDir}, {name: ".wh.d"}, {name: ".wh.e"}, {name: "e", kind: tar.TypeDir}, {name: ".wh.f"}, {name: "f/g"}},
			want:    []string{"d drwxr-xr-x opaque=y", "e drwxr-xr-x opaque=y", "f drwxr-xr-x opaque=y", "f/g -rw-r--r-- "},
			implied: []string{"f"},
		},
		{
			name:    "hard links share a file",
			entries: []entry{{name: "a/f", body: "x"}, {name: "b/g", link: "a/f", kind: tar.TypeLink}, {name: "b/g", link: "/a/f", kind: tar.TypeLink}},
			want:    []string{"a drwxr-xr-x", "a/f -rw-r--r-- x", "b drwxr-xr-x", "b/g -rw-r--r-- x"},
			implied: []string{"a", "b"},
		},
		{
			name: "links on the way are followed inside",
			entries: []entry{
				{name: "usr/lib", kind: tar.TypeDir}, {name: "lib", link: "/usr/lib", kind: tar.TypeSymlink}, {name: "lib/x", body: "1"},
			},
			want:    []string{"lib Lrwxrwxrwx -> /usr/lib", "usr drwxr-xr-x", "usr/lib drwxr-xr-x", "usr/lib/x -rw-r--r-- 1"},
			implied: []string{"usr"},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			dir, u, err := unpack(t, makeTar(t, tc.entries...), layer.Options{})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, listing(t, dir)); diff != "" {
				t.Errorf("tree (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tc.implied, u.Stats().Implied); diff != "" {
				t.Errorf("implied (-want +got):\n%s", diff)
			}
		})
	}
}

func TestTimesAndAttributes(t *testing.T) {
	needRoot(t)
	capability := "\x01\x00\x00\x02\x00\x04\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"
	dir, _, err := unpack(t, makeTar(t,
		entry{name: "d", kind: tar.TypeDir}, entry{name: "l", kind: tar.TypeSymlink, link: "x"},
		entry{name: "d/f", uid: 3, pax: map[string]string{"SCHILY.xattr.security.capability": capability, "SCHILY.xattr.user.a": "b"}},
	), layer.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"d", "d/f", "l"} {
		fi, err := os.Lstat(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if !fi.ModTime().Equal(testTime) {
			t.Errorf("%s has time %v, want %v", name, fi.ModTime(), testTime)
		}
	}
	var v [64]byte
	n, err := syscall.Getxattr(filepath.Join(dir, "d/f"), "security.capability", v[:])
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(capability, string(v[:n])); diff != "" {
		t.Errorf("capability (-want +got):\n%s", diff)
	}
}

func TestFlat(t *testing.T) {
	needRoot(t)
	dir := t.TempDir()
	for _, entries := range [][]entry{
		{{name: "a/gone", body: "1"}, {name: "a/stays", body: "1"}, {name: "b/c/gone"}, {name: "f"}, {name: "dir/x"}, {name: "keep", kind: tar.TypeDir, mode: 0o700}},
		{{name: "a/.wh.gone"}, {name: "b/new", body: "2"}, {name: "b/.wh..wh..opq"}, {name: ".wh.nothing"}, {name: "dir", body: "now a file"}, {name: "keep/y"}},
	} {
		raw := makeTar(t, entries...)
		if _, err := layer.Unpack(t.Context(), io.NopCloser(bytes.NewReader(raw)), plain(t, raw), dir, layer.Options{Flat: true}); err != nil {
			t.Fatal(err)
		}
	}
	want := []string{
		"a drwxr-xr-x", "a/stays -rw-r--r-- 1", "b drwxr-xr-x", "b/new -rw-r--r-- 2",
		"dir -rw-r--r-- now a file", "f -rw-r--r-- ", "keep drwx------", "keep/y -rw-r--r-- ",
	}
	if diff := cmp.Diff(want, listing(t, dir)); diff != "" {
		t.Errorf("tree (-want +got):\n%s", diff)
	}
}

// TestFlatGoesThroughNoLowerLink: a flat tree is what an overlay shows, in which
// a link of a lower layer gives way to a directory.
func TestFlatGoesThroughNoLowerLink(t *testing.T) {
	needRoot(t)
	dir := t.TempDir()
	for _, entries := range [][]entry{
		{{name: "etc/passwd", body: "1"}, {name: "l", kind: tar.TypeSymlink, link: "/etc"}, {name: "m", kind: tar.TypeSymlink, link: "/etc"}, {name: "f", body: "1"}},
		{{name: "l/new", body: "2"}, {name: "m/.wh.passwd"}, {name: "f/g", body: "2"}},
	} {
		raw := makeTar(t, entries...)
		if _, err := layer.Unpack(t.Context(), io.NopCloser(bytes.NewReader(raw)), plain(t, raw), dir, layer.Options{Flat: true}); err != nil {
			t.Fatal(err)
		}
	}
	want := []string{"etc drwxr-xr-x", "etc/passwd -rw-r--r-- 1", "f drwxr-xr-x", "f/g -rw-r--r-- 2", "l drwxr-xr-x", "l/new -rw-r--r-- 2", "m drwxr-xr-x"}
	if diff := cmp.Diff(want, listing(t, dir)); diff != "" {
		t.Errorf("tree (-want +got):\n%s", diff)
	}
}

func gz(t testing.TB, raw []byte) []byte {
	var buf bytes.Buffer
	z := gzip.NewWriter(&buf)
	if _, err := z.Write(raw); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

func zst(t testing.TB, raw []byte) []byte {
	z, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	return z.EncodeAll(raw, nil)
}

func TestVerification(t *testing.T) {
	needRoot(t)
	raw := makeTar(t, entry{name: "f", body: strings.Repeat("hello", 10000)})
	blob := gz(t, raw)
	desc := image.Layer{Digest: sum(blob), DiffID: sum(raw), SizeBytes: int64(len(blob))}
	change := func(f func(*image.Layer)) image.Layer {
		d := desc
		f(&d)
		return d
	}
	damaged := bytes.Clone(blob)
	damaged[len(damaged)/2] ^= 1
	for _, tc := range []struct {
		name string
		desc image.Layer
		blob []byte
		want string // "" where it unpacks
	}{
		{"gzip", desc, blob, ""},
		{"zstd", image.Layer{Digest: sum(zst(t, raw)), DiffID: sum(raw), SizeBytes: int64(len(zst(t, raw)))}, zst(t, raw), ""},
		{"plain", image.Layer{Digest: sum(raw), DiffID: sum(raw), SizeBytes: int64(len(raw))}, raw, ""},
		{"a blob with another digest", change(func(d *image.Layer) { d.Digest = sum(nil) }), blob, "layer has the wrong digest: expected sha256:e3b0"},
		{"a blob with another diff ID", change(func(d *image.Layer) { d.DiffID = sum(nil) }), blob, "uncompressed layer has the wrong digest: expected sha256:e3b0"},
		{"a damaged blob is known by its digest", desc, damaged, "layer has the wrong digest"},
		{"a truncated blob", desc, blob[:len(blob)-9], fmt.Sprintf("truncated: got %d of %d bytes", len(blob)-9, len(blob))},
		{"an empty blob", desc, nil, "truncated: got 0"},
		{"a blob longer than announced", change(func(d *image.Layer) { d.SizeBytes-- }), blob, "longer than"},
		{"not a tar", plainDesc([]byte(strings.Repeat("nonsense", 100))), []byte(strings.Repeat("nonsense", 100)), "invalid tar header"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var tee bytes.Buffer
			var seen int
			opts := layer.Options{Tee: &tee, OnBytes: func(n int) { seen += n }}
			u, err := layer.Unpack(t.Context(), io.NopCloser(bytes.NewReader(tc.blob)), verified(t, tc.desc), t.TempDir(), opts)
			verr := layer.Verify(t.Context(), io.NopCloser(bytes.NewReader(tc.blob)), verified(t, tc.desc), io.Discard, nil)
			if tc.want == "" {
				if err != nil || verr != nil {
					t.Fatal(err, verr)
				}
				if u.Layer().Digest != tc.desc.Digest || !bytes.Equal(tee.Bytes(), tc.blob) || seen != len(tc.blob) {
					t.Errorf("proof %v, %d bytes passed on, %d seen", u.Layer(), tee.Len(), seen)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Fatalf("error %v, want one that says %q", err, tc.want)
			}
			if u.Layer().Digest != "" {
				t.Error("an error came with a proof")
			}
		})
	}
}

func plainDesc(raw []byte) image.Layer {
	return image.Layer{Digest: sum(raw), DiffID: sum(raw), SizeBytes: int64(len(raw))}
}

func TestZeroLayerCannotBeUnpacked(t *testing.T) {
	_, err := layer.Unpack(t.Context(), io.NopCloser(strings.NewReader("")), image.VerifiedLayer{}, t.TempDir(), layer.Options{})
	if err == nil {
		t.Fatal("want an error")
	}
}

// stuck blocks until closed, as a network connection does.
type stuck struct{ closed chan struct{} }

func (s stuck) Read([]byte) (int, error) { <-s.closed; return 0, errors.New("closed") }
func (s stuck) Close() error {
	select {
	case <-s.closed:
	default:
		close(s.closed)
	}
	return nil
}

func TestCancelFreesAStuckReader(t *testing.T) {
	needRoot(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := layer.Unpack(ctx, stuck{make(chan struct{})}, verified(t, plainDesc([]byte("x"))), t.TempDir(), layer.Options{})
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("error %v, want context.Canceled", err)
	}
}

func BenchmarkUnpack(b *testing.B) {
	needRoot(b)
	var entries []entry
	body := strings.Repeat("some text that compresses, some that does not\n", 200)
	for i := range 2000 {
		if i%20 == 0 {
			entries = append(entries, entry{name: fmt.Sprintf("d%d", i/20), kind: tar.TypeDir})
		}
		entries = append(entries, entry{name: fmt.Sprintf("d%d/f%d", i/20, i), body: body[:i%len(body)]})
	}
	raw := makeTar(b, entries...)
	blob := gz(b, raw)
	l := verified(b, image.Layer{Digest: sum(blob), DiffID: sum(raw), SizeBytes: int64(len(blob))})
	b.SetBytes(int64(len(raw)))
	for b.Loop() {
		if _, err := layer.Unpack(b.Context(), io.NopCloser(bytes.NewReader(blob)), l, b.TempDir(), layer.Options{}); err != nil {
			b.Fatal(err)
		}
	}
}

func TestNamesOfStandardOutputAreNoted(t *testing.T) {
	for name, tc := range map[string]struct {
		link entry
		want bool
	}{
		"a log":                   {entry{name: "var/log/a.log", link: "/dev/stdout", kind: tar.TypeSymlink}, true},
		"a log of errors":         {entry{name: "var/log/a.log", link: "/dev/../proc/self/fd/2", kind: tar.TypeSymlink}, true},
		"the device's own":        {entry{name: "dev/stdout", link: "/proc/self/fd/1", kind: tar.TypeSymlink}, false},
		"standard input":          {entry{name: "in", link: "/dev/stdin", kind: tar.TypeSymlink}, false},
		"a directory of that end": {entry{name: "x", link: "/srv/dev/stdout", kind: tar.TypeSymlink}, false},
		"a configuration":         {entry{name: "usr/local/apache2/conf/httpd.conf", body: "Listen 80\nErrorLog /proc/self/fd/2\n"}, true},
		"one that is commented":   {entry{name: "etc/httpd.conf", body: "#ErrorLog /proc/self/fd/2\n"}, false},
		"one that is too large":   {entry{name: "etc/httpd.conf", body: "ErrorLog /proc/self/fd/2\n" + strings.Repeat(" ", 256<<10)}, false},
		"an example":              {entry{name: "usr/share/doc/x/httpd.conf", body: "ErrorLog /proc/self/fd/2\n"}, false},
		"a script":                {entry{name: "usr/bin/x.sh", body: "echo x >/dev/stderr\n"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			_, u, err := unpack(t, makeTar(t, tc.link), layer.Options{})
			if err != nil {
				t.Fatal(err)
			}
			if got := u.Stats().OpensOutput; got != tc.want {
				t.Errorf("noted: %v", got)
			}
		})
	}
}
