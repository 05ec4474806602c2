package file_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"

	"github.com/raket/raket/pkg/image"
	"github.com/raket/raket/pkg/imagestore/imagetest"
	"github.com/raket/raket/stage0/fetch/file"
)

func write(t testing.TB, raw []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "x.tar")
	if err := os.WriteFile(path, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestLayoutStaysInside(t *testing.T) {
	dir := t.TempDir()
	imagetest.WriteLayout(t, dir, map[string]*imagetest.Image{"1": imagetest.New(t)})
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte(`{"manifests":[]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	index := filepath.Join(dir, "index.json")
	if err := os.Remove(index); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(secret, index); err != nil {
		t.Fatal(err)
	}
	l, err := file.OpenLayout(image.Ref{Transport: image.OCILayout, Path: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if _, err := l.Manifest(t.Context(), ""); err == nil || !strings.Contains(err.Error(), "escapes") {
		t.Errorf("error %v, want one of an escape", err)
	}
	for _, d := range []string{"sha256:../../../etc/passwd", "md5:00", "sha256:" + strings.Repeat("A", 64)} {
		if _, err := l.Blob(t.Context(), digest.Digest(d)); err == nil {
			t.Errorf("blob %q was opened", d)
		}
	}
}

func TestDockerRefuses(t *testing.T) {
	for _, tc := range []struct{ name, manifest, config, want string }{
		{"no manifest", "", "{}", "manifest.json"},
		{"no JSON", "x", "{}", "parse manifest.json"},
		{"no images", "[]", "{}", "holds 0 images"},
		{"two images", `[{"RepoTags":["a:1"]},{"RepoTags":["b:1"]}]`, "{}", `choose one with :NAME, of "a:1, b:1"`},
		{"a missing config", `[{"Config":"other"}]`, "{}", `no "other"`},
		{"a missing layer", `[{"Config":"c","Layers":["l"]}]`, `{"rootfs":{"diff_ids":["sha256:00"]}}`, `no "l"`},
		{"more layers than diff IDs", `[{"Config":"c","Layers":["l"]}]`, `{}`, "0 diff IDs for 1 layers"},
		{"a link in a circle", `[{"Config":"a"}]`, `{}`, "archive has no"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			members := []imagetest.File{{Name: "c", Body: tc.config}, {Name: "a", Link: "b"}, {Name: "b", Link: "a"}}
			if tc.manifest != "" {
				members = append(members, imagetest.File{Name: "manifest.json", Body: tc.manifest})
			}
			_, err := file.OpenDocker(t.Context(), image.Ref{Transport: image.DockerArchive, Path: write(t, imagetest.Tar(t, members...))})
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("error %v, want one that says %q", err, tc.want)
			}
		})
	}
}

// FuzzDocker: no archive makes it panic.
func FuzzDocker(f *testing.F) {
	layer := imagetest.Tar(f)
	f.Add(imagetest.Tar(f,
		imagetest.File{Name: "c", Body: fmt.Sprintf(`{"rootfs":{"diff_ids":[%q]}}`, image.Sum(layer))},
		imagetest.File{Name: "l", Body: string(layer)},
		imagetest.File{Name: "manifest.json", Body: `[{"Config":"c","RepoTags":["a:1"],"Layers":["l"]}]`}))
	f.Fuzz(func(t *testing.T, raw []byte) {
		d, err := file.OpenDocker(t.Context(), image.Ref{Transport: image.DockerArchive, Path: write(t, raw)})
		if err != nil {
			return
		}
		if _, err := d.Manifest(t.Context(), ""); err != nil {
			t.Error(err)
		}
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
}

// FuzzLayout: no index makes it panic.
func FuzzLayout(f *testing.F) {
	f.Add([]byte(`{"manifests":[{"digest":"sha256:00","annotations":{"org.opencontainers.image.ref.name":"1"}}]}`), "1")
	f.Fuzz(func(t *testing.T, index []byte, tag string) {
		raw := imagetest.Tar(t, imagetest.File{Name: "oci-layout", Body: `{"imageLayoutVersion":"1.0.0"}`}, imagetest.File{Name: "index.json", Body: string(index)})
		l, err := file.OpenArchive(t.Context(), image.Ref{Transport: image.OCIArchive, Path: write(t, raw), Tag: tag})
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		if raw, err := l.Manifest(t.Context(), ""); err == nil {
			t.Errorf("an archive without blobs has manifest %q", raw)
		}
	})
}
