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
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/go-digest"

	"github.com/raket/raket/pkg/image"
	"github.com/raket/raket/pkg/layer"
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

func unpack(t testing.TB, tarBytes []byte, opts layer.Options) (string, layer.Unpacked, error) {
	t.Helper()
	// One level down, so that what escapes can be seen.
	dir := filepath.Join(t.TempDir(), "a", "fs")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	u, err := layer.Unpack(t.Context(), io.NopCloser(bytes.NewReader(tarBytes)), plain(t, tarBytes), dir, opts)
	return dir, u, err
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

// nothingOutside fails the test if anything was made next to the tree.
func nothingOutside(t testing.TB, dir string) {
	t.Helper()
	for _, up := range []string{filepath.Dir(dir), filepath.Dir(filepath.Dir(dir))} {
		entries, err := os.ReadDir(up)
		if err != nil {
			t.Fatal(err)
		}
		if len(entries) != 1 {
			t.Errorf("%s has %d entries, want 1: something escaped", up, len(entries))
		}
	}
}

// hostile are archives that try to reach outside, or to break the unpacker.
func hostile(t testing.TB) map[string]struct {
	tar    []byte
	reason string // of the *EntryError; "" where the archive unpacks
	want   []string
} {
	type archive = struct {
		tar    []byte
		reason string
		want   []string
	}
	return map[string]archive{
		"dot dot in a name":               {tar: makeTar(t, entry{name: "../evil"}), reason: `".."`},
		"dot dot that would stay inside":  {tar: makeTar(t, entry{name: "a/../b"}), reason: `".."`},
		"dot dot at the end":              {tar: makeTar(t, entry{name: "a/..", kind: tar.TypeDir}), reason: `".."`},
		"an absolute name lands inside":   {tar: makeTar(t, entry{name: "/etc/x", body: "y"}), want: []string{"etc drwxr-xr-x", "etc/x -rw-r--r-- y"}},
		"dots and slashes are cleaned":    {tar: makeTar(t, entry{name: "./a//./b"}), want: []string{"a drwxr-xr-x", "a/b -rw-r--r-- "}},
		"a file through an absolute link": {tar: makeTar(t, entry{name: "l", link: "/tmp", kind: tar.TypeSymlink}, entry{name: "l/evil"}), reason: "not a directory"},
		"a file through a link to .. stays inside": {
			tar:  makeTar(t, entry{name: "l", link: "../../..", kind: tar.TypeSymlink}, entry{name: "l/x"}),
			want: []string{"l Lrwxrwxrwx -> ../../..", "x -rw-r--r-- "},
		},
		"a link to itself":        {tar: makeTar(t, entry{name: "l", link: "l", kind: tar.TypeSymlink}, entry{name: "l/x"}), reason: "symbolic link"},
		"a file through a file":   {tar: makeTar(t, entry{name: "f"}, entry{name: "f/x"}), reason: "not a directory"},
		"a hard link to dot dot":  {tar: makeTar(t, entry{name: "h", link: "../../etc/passwd", kind: tar.TypeLink}), reason: "no file of the layer"},
		"a hard link to /etc":     {tar: makeTar(t, entry{name: "h", link: "/etc/passwd", kind: tar.TypeLink}), reason: "does not have"},
		"a hard link to nothing":  {tar: makeTar(t, entry{name: "h", link: "nothing", kind: tar.TypeLink}), reason: "does not have"},
		"a hard link to itself":   {tar: makeTar(t, entry{name: "h"}, entry{name: "h", link: "./h", kind: tar.TypeLink}), reason: "itself"},
		"a hard link to the root": {tar: makeTar(t, entry{name: "h", link: "/", kind: tar.TypeLink}), reason: "no file of the layer"},
		"a hard link to a directory": {
			tar:    makeTar(t, entry{name: "d", kind: tar.TypeDir}, entry{name: "h", link: "d", kind: tar.TypeLink}),
			reason: "which is a directory",
		},
		"a hard link to a link does not follow it": {
			tar: makeTar(t, entry{name: "l", link: "/etc/passwd", kind: tar.TypeSymlink},
				entry{name: "h", link: "l", kind: tar.TypeLink}, entry{name: "h", body: "new"}),
			want: []string{"h -rw-r--r-- new", "l Lrwxrwxrwx -> /etc/passwd"},
		},
		"a hard link through a link to the outside": {
			tar:    makeTar(t, entry{name: "l", link: "/etc", kind: tar.TypeSymlink}, entry{name: "h", link: "l/passwd", kind: tar.TypeLink}),
			reason: "does not have",
		},
		"a file over a link replaces the link": {
			tar:  makeTar(t, entry{name: "l", link: "/etc/hostname", kind: tar.TypeSymlink}, entry{name: "l", body: "x"}),
			want: []string{"l -rw-r--r-- x"},
		},
		"a directory over a link replaces the link": {
			tar:  makeTar(t, entry{name: "l", link: "/tmp", kind: tar.TypeSymlink}, entry{name: "l", kind: tar.TypeDir}, entry{name: "l/x"}),
			want: []string{"l drwxr-xr-x", "l/x -rw-r--r-- "},
		},
		"a directory swapped for a link after use": {
			tar: makeTar(t, entry{name: "d", kind: tar.TypeDir, mode: 0o777}, entry{name: "d/x"},
				entry{name: "d", link: "/tmp", kind: tar.TypeSymlink}, entry{name: "d/evil"}),
			reason: "not a directory",
		},
		"modes of a directory swapped for a link are dropped": {
			tar: makeTar(t, entry{name: "d", kind: tar.TypeDir, mode: 0o700, uid: 7},
				entry{name: "d", link: "/", kind: tar.TypeSymlink}),
			want: []string{"d Lrwxrwxrwx -> /"},
		},
		"a file over a directory removes it": {
			tar:  makeTar(t, entry{name: "d/e/f"}, entry{name: "d", body: "x"}),
			want: []string{"d -rw-r--r-- x"},
		},
		"duplicate files: the last wins": {
			tar:  makeTar(t, entry{name: "f", body: "1", mode: 0o4755}, entry{name: "f", body: "2"}),
			want: []string{"f -rw-r--r-- 2"},
		},
		"devices are left out": {
			tar: makeTar(t, entry{name: "dev/sda", kind: tar.TypeBlock}, entry{name: "dev/mem", kind: tar.TypeChar}, entry{name: "f"}),
			// Even 0:0, which would be a whiteout.
			want: []string{"f -rw-r--r-- "},
		},
		"the root as a file":               {tar: makeTar(t, entry{name: ".", kind: tar.TypeSymlink, link: "/"}), reason: "root"},
		"a whiteout of nothing":            {tar: makeTar(t, entry{name: ".wh."}), reason: "whiteout"},
		"a whiteout of the parent":         {tar: makeTar(t, entry{name: "d/.wh..."}), reason: "whiteout"},
		"a whiteout of itself":             {tar: makeTar(t, entry{name: "d/.wh.."}), reason: "whiteout"},
		"a file below a whiteout":          {tar: makeTar(t, entry{name: ".wh.d/f"}), reason: "whiteout"},
		"aufs bookkeeping is ignored":      {tar: makeTar(t, entry{name: ".wh..wh.plnk", kind: tar.TypeDir}, entry{name: ".wh..wh.aufs"})},
		"control characters are kept":      {tar: makeTar(t, entry{name: "a\n\x1b[2Jb"}), want: []string{"a\n\x1b[2Jb -rw-r--r-- "}},
		"control characters are quoted":    {tar: makeTar(t, entry{name: "\x1b[2J/../x"}), reason: `\x1b[2J`},
		"a name beyond the file system's":  {tar: makeTar(t, entry{name: strings.Repeat("x", 300)}), reason: "too long"},
		"a name beyond any path":           {tar: makeTar(t, entry{name: strings.Repeat("x/", 3000) + "x"}), reason: "too long"},
		"an owner that chown would ignore": {tar: makeTar(t, entry{name: "f", uid: 1<<32 - 1}), reason: "out of range"},
		"trusted attributes are left out": {
			tar:  makeTar(t, entry{name: "d", kind: tar.TypeDir, pax: map[string]string{"SCHILY.xattr.trusted.overlay.opaque": "y"}}),
			want: []string{"d drwxr-xr-x"},
		},
	}
}

func TestHostile(t *testing.T) {
	needRoot(t)
	for name, tc := range hostile(t) {
		t.Run(name, func(t *testing.T) {
			dir, _, err := unpack(t, tc.tar, layer.Options{})
			nothingOutside(t, dir)
			if tc.reason == "" {
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(tc.want, listing(t, dir)); diff != "" {
					t.Errorf("tree (-want +got):\n%s", diff)
				}
				return
			}
			var refused *layer.EntryError
			if !errors.As(err, &refused) {
				t.Fatalf("error %v, want an EntryError", err)
			}
			if !strings.Contains(err.Error(), tc.reason) {
				t.Errorf("error %q does not say %q", err, tc.reason)
			}
			if strings.ContainsAny(err.Error(), "\n\x1b") {
				t.Errorf("error %q is not one plain line", err)
			}
		})
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

// FuzzUnpack: whatever the archive, nothing appears outside the directory, and
// what is made is bounded.
func FuzzUnpack(f *testing.F) {
	needRoot(f)
	for _, tc := range hostile(f) {
		f.Add(tc.tar)
	}
	f.Add(sparseTar())
	f.Fuzz(func(t *testing.T, raw []byte) {
		limits := layer.Limits{MaxEntries: 200, MaxBytes: 1 << 20}
		dir, u, err := unpack(t, raw, layer.Options{Limits: limits})
		nothingOutside(t, dir)
		if n := len(listing(t, dir)); n > 200 {
			t.Errorf("%d files, more than the limit", n)
		}
		if err != nil && strings.ContainsAny(err.Error(), "\n\x1b") {
			t.Errorf("error %q is not one plain line", err)
		}
		if err == nil {
			if _, err := json.Marshal(u.Stats()); err != nil {
				t.Error(err)
			}
		}
	})
}
