package cli

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/raket/raket/pkg/image"
)

// tarOf makes a tar of names and contents, in order.
func tarOf(t testing.TB, files ...string) []byte {
	t.Helper()
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	for i := 0; i < len(files); i += 2 {
		hdr := &tar.Header{Name: files[i], Typeflag: tar.TypeReg, Size: int64(len(files[i+1])), Mode: 0o644}
		if err := w.WriteHeader(hdr); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(files[i+1])); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

func entries(annotations ...string) string {
	var list []string
	for _, a := range annotations {
		list = append(list, `{"annotations": {`+a+`}}`)
	}
	return `{"manifests": [` + strings.Join(list, ",") + `]}`
}

func refName(name string) string { return `"org.opencontainers.image.ref.name": "` + name + `"` }

func TestReadArchive(t *testing.T) {
	layout := `{"imageLayoutVersion":"1.0.0"}`
	for name, tt := range map[string]struct {
		tar  []byte
		want []archivedImage // Ref with FILE in it
		err  string
	}{
		"an OCI archive with a mere tag": {
			tar:  tarOf(t, "oci-layout", layout, "index.json", entries(refName("1.28"))),
			want: []archivedImage{{Ref: "oci-archive:FILE"}},
		},
		"one with a full name": {
			tar:  tarOf(t, "blobs/sha256/00", "x", "index.json", entries(refName("r.example/app:1")), "oci-layout", layout),
			want: []archivedImage{{Ref: "oci-archive:FILE", Names: []string{"r.example/app:1"}}},
		},
		"one with several": {
			tar: tarOf(t, "index.json", entries(refName("r.example/app:1"), refName("2")), "oci-layout", layout),
			want: []archivedImage{
				{Ref: "oci-archive:FILE:r.example/app:1", Names: []string{"r.example/app:1"}}, {Ref: "oci-archive:FILE:2"},
			},
		},
		"an archive of today's docker save is both, and read as OCI": {
			tar: tarOf(t, "manifest.json", `[{"RepoTags": ["x:1"]}]`, "oci-layout", layout,
				"index.json", entries(`"io.containerd.image.name": "docker.io/library/x:1", `+refName("1"))),
			want: []archivedImage{{Ref: "oci-archive:FILE", Names: []string{"docker.io/library/x:1"}}},
		},
		"a docker archive": {
			tar:  tarOf(t, "00.json", "{}", "00/layer.tar", "", "manifest.json", `[{"RepoTags": ["x:1", "r.example/y:2"]}]`),
			want: []archivedImage{{Ref: "docker-archive:FILE", Names: []string{"docker.io/library/x:1", "r.example/y:2"}}},
		},
		"one with several images": {
			tar: tarOf(t, "manifest.json", `[{"RepoTags": ["x:1"]}, {"RepoTags": ["y:2"]}]`),
			want: []archivedImage{
				{Ref: "docker-archive:FILE:x:1", Names: []string{"docker.io/library/x:1"}},
				{Ref: "docker-archive:FILE:y:2", Names: []string{"docker.io/library/y:2"}},
			},
		},
		"an ACI":                             {tar: tarOf(t, "./manifest", "{}", "rootfs/f", ""), want: []archivedImage{{Ref: "file://FILE"}}},
		"an ACI with its rootfs first":       {tar: tarOf(t, "rootfs/manifest.json", "[]", "manifest", "{}"), want: []archivedImage{{Ref: "file://FILE"}}},
		"names with controls or digests":     {tar: tarOf(t, "oci-layout", layout, "index.json", entries(refName(`r.example/a\u001b:1`))), want: []archivedImage{{Ref: "oci-archive:FILE"}}},
		"several images, one without a name": {tar: tarOf(t, "oci-layout", layout, "index.json", entries(refName("1"), "")), err: "one without a name"},
		"several docker images, one without": {tar: tarOf(t, "manifest.json", `[{"RepoTags": ["x:1"]}, {}]`), err: "one without a name"},
		"an OCI archive without images":      {tar: tarOf(t, "oci-layout", layout, "index.json", entries()), err: "holds no image"},
		"an OCI archive that was cut short":  {tar: tarOf(t, "oci-layout", layout, "blobs/sha256/00", "x"), err: "has no index.json"},
		"an index that is no JSON":           {tar: tarOf(t, "oci-layout", layout, "index.json", "{"), err: "parse index.json"},
		"an index that is far too large":     {tar: tarOf(t, "oci-layout", layout, "index.json", strings.Repeat(" ", maxIndexBytes+1)), err: "larger than 4 MiB"},
		"a tar of something else":            {tar: tarOf(t, "README", "x"), err: "neither an OCI archive, nor a docker archive, nor an ACI"},
		"something else":                     {tar: []byte(strings.Repeat("nonsense", 200)), err: "not a tar, or a damaged one"},
		"nothing":                            {tar: nil, err: "neither an OCI archive"},
	} {
		t.Run(name, func(t *testing.T) {
			var packed bytes.Buffer
			z := gzip.NewWriter(&packed)
			if _, err := z.Write(tt.tar); err != nil {
				t.Fatal(err)
			}
			if err := z.Close(); err != nil {
				t.Fatal(err)
			}
			for _, content := range [][]byte{tt.tar, packed.Bytes()} {
				path := filepath.Join(t.TempDir(), "file") // no name tells anything
				if err := os.WriteFile(path, content, 0o600); err != nil {
					t.Fatal(err)
				}
				got, err := readArchive(path)
				if tt.err != "" {
					if err == nil || !strings.Contains(err.Error(), tt.err) {
						t.Errorf("got %v, want an error with %q", err, tt.err)
					}
					continue
				}
				if err != nil {
					t.Fatal(err)
				}
				for i := range got {
					got[i].Ref = strings.Replace(got[i].Ref, path, "FILE", 1)
				}
				if diff := cmp.Diff(tt.want, got); diff != "" {
					t.Errorf("images (-want +got):\n%s", diff)
				}
			}
		})
	}
}

func TestReadArchiveOfPaths(t *testing.T) {
	dir := t.TempDir()
	for path, want := range map[string]string{
		dir:                 "it has no index.json",
		dir + "/none":       "no such file",
		dir + "/with:colon": "a path with a colon",
	} {
		if _, err := readArchive(path); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want an error with %q", path, err, want)
		}
	}
	if err := os.WriteFile(dir+"/index.json", []byte(entries(refName("1"))), 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := readArchive(dir)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]archivedImage{{Ref: "oci:" + dir}}, got); diff != "" {
		t.Errorf("images (-want +got):\n%s", diff)
	}
}

// FuzzReadArchive: whatever a file says, what comes of it can be asked for, and is
// asked for in that file.
func FuzzReadArchive(f *testing.F) {
	layout := `{"imageLayoutVersion":"1.0.0"}`
	f.Add("oci-layout", layout, "index.json", entries(refName("r.example/app:1"), refName("2")))
	f.Add("x", "", "manifest.json", `[{"RepoTags": ["x:1"]}, {"RepoTags": ["y:2"]}]`)
	f.Add("manifest", "{}", "rootfs", "")
	f.Fuzz(func(t *testing.T, name1, body1, name2, body2 string) {
		if strings.Contains(name1+name2, "\x00") || name1 == "" || name2 == "" {
			t.Skip("no tar has such a name")
		}
		path := filepath.Join(t.TempDir(), "file")
		var buf bytes.Buffer
		w := tar.NewWriter(&buf)
		for _, m := range [][2]string{{name1, body1}, {name2, body2}} {
			if w.WriteHeader(&tar.Header{Name: m[0], Typeflag: tar.TypeReg, Size: int64(len(m[1]))}) != nil {
				t.Skip("no tar has such a name")
			}
			if _, err := w.Write([]byte(m[1])); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, buf.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
		images, err := readArchive(path)
		if err != nil {
			return
		}
		for _, a := range images {
			ref, err := image.Parse(a.Ref)
			if err == nil && ref.Path != path {
				t.Errorf("%q is of %q, not of %q", a.Ref, ref.Path, path)
			}
			for _, name := range a.Names {
				if ref, err := image.Parse("docker://" + name); err != nil || ref.String() != "docker://"+name {
					t.Errorf("name %q: %v", name, err)
				}
			}
		}
	})
}
