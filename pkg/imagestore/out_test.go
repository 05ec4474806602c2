package imagestore_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/raket/raket/pkg/image"
	"github.com/raket/raket/pkg/imagestore"
	"github.com/raket/raket/pkg/imagestore/imagetest"
)

// tool runs another implementation.
func tool(t *testing.T, name string, args ...string) []byte {
	t.Helper()
	if _, err := exec.LookPath(name); err != nil {
		t.Skipf("%s, which is to read what raket writes, is not installed", name)
	}
	var stderr bytes.Buffer
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %s: %v: %s", name, strings.Join(args, " "), err, stderr.Bytes())
	}
	return out
}

// inspected is the digest and the layers that skopeo finds.
func inspected(t *testing.T, ref string) (id string, layers []string) {
	t.Helper()
	var doc struct {
		Digest string
		Layers []string
	}
	must(t, json.Unmarshal(tool(t, "skopeo", "inspect", ref), &doc))
	return doc.Digest, doc.Layers
}

func layerDigests(img image.Image) (list []string) {
	for _, l := range img.Layers {
		list = append(list, l.Digest.String())
	}
	return list
}

func TestSkopeoReadsTheStore(t *testing.T) {
	dir, s, img := addEverything(t)
	everything(t).Add(t, s, "docker://r.example/app:2")
	other := imagetest.New(t, []imagetest.File{{Name: "f"}}).Add(t, s, "docker://localhost:5000/other:1")
	for ref, want := range map[string]image.Image{"r.example/app:1": img, "r.example/app:2": img, "localhost:5000/other:1": other} {
		id, layers := inspected(t, "oci:"+dir+"/images:"+ref)
		if id != img.ID.String() && want.ID == img.ID {
			t.Errorf("%s is %s to skopeo, want %s", ref, id, img.ID)
		}
		if diff := cmp.Diff(layerDigests(want), layers); diff != "" {
			t.Errorf("%s: layers (-want +got):\n%s", ref, diff)
		}
	}
	tool(t, "umoci", "stat", "--image", dir+"/images:r.example/app:2")
}

func TestOthersReadWhatIsExported(t *testing.T) {
	_, s, img := addEverything(t)
	out := t.TempDir()
	for _, format := range []imagestore.Format{imagestore.OCIArchive, imagestore.OCIDir, imagestore.DockerArchive} {
		t.Run(string(format), func(t *testing.T) {
			path := filepath.Join(out, string(format))
			must(t, s.Export(t.Context(), img, path, imagestore.ExportOptions{Format: format}))
			transport := map[imagestore.Format]string{imagestore.OCIDir: "oci"}[format]
			if transport == "" {
				transport = string(format)
			}
			id, layers := inspected(t, transport+":"+path)
			if format == imagestore.DockerArchive {
				if len(layers) != len(img.Layers) || layers[0] != img.Layers[0].DiffID.String() {
					t.Errorf("layers %v, want the diff IDs of %v", layers, img.Layers)
				}
			} else if id != img.ID.String() {
				t.Errorf("the image is %s to skopeo, want %s", id, img.ID)
			}
			// Another tool reads all of it, and checks every digest.
			layout := filepath.Join(t.TempDir(), "layout")
			tool(t, "skopeo", "copy", "--quiet", transport+":"+path, "oci:"+layout+":x")
			bundle := filepath.Join(t.TempDir(), "bundle")
			tool(t, "umoci", "unpack", "--image", layout+":x", bundle)
			mine := filepath.Join(t.TempDir(), "mine")
			must(t, s.Extract(t.Context(), img, mine, imagestore.ExtractOptions{RootfsOnly: true}))
			if diff := cmp.Diff(listTree(t, mine), listTree(t, filepath.Join(bundle, "rootfs"))); diff != "" {
				t.Errorf("files as umoci has them (-raket +umoci):\n%s", diff)
			}
		})
	}
	t.Run("buildah", func(t *testing.T) {
		root, run := t.TempDir(), t.TempDir()
		out := tool(t, "buildah", "--root", root, "--runroot", run, "--storage-driver", "vfs", "pull", "--quiet", "oci-archive:"+filepath.Join(out, "oci-archive"))
		if got := strings.TrimSpace(string(out)); got != img.Config.Encoded() {
			t.Errorf("the image is %s to buildah, want its config %s", got, img.Config)
		}
	})
}

// listTree lists a directory: names, modes, owners, links and content.
func listTree(t *testing.T, dir string) (list []string) {
	t.Helper()
	first := map[uint64]string{}
	must(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || path == dir {
			return err
		}
		var st unix.Stat_t
		if err := unix.Lstat(path, &st); err != nil {
			return err
		}
		name := strings.TrimPrefix(path, dir+"/")
		fi, err := d.Info()
		if err != nil {
			return err
		}
		line := []string{name, fi.Mode().String(), string(rune('0' + st.Uid))}
		switch {
		case fi.Mode()&fs.ModeSymlink != 0:
			target, err := os.Readlink(path)
			if err != nil {
				return err
			}
			line = append(line, target)
		case fi.Mode().IsRegular():
			raw, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			if _, seen := first[st.Ino]; !seen {
				first[st.Ino] = name
			}
			var v [64]byte
			n, _ := unix.Lgetxattr(path, "security.capability", v[:])
			line = append(line, string(raw), first[st.Ino], string(v[:max(n, 0)]))
		}
		list = append(list, strings.Join(line, " "))
		return nil
	}))
	return list
}

func TestExportOfAnACI(t *testing.T) {
	needRoot(t)
	s := open(t)
	aci, img := addACI(t, s, "example.com/app")
	path := filepath.Join(t.TempDir(), "app.aci")
	must(t, s.Export(t.Context(), img, path, imagestore.ExportOptions{}))
	raw, err := os.ReadFile(path)
	must(t, err)
	if !bytes.Equal(raw, aci) {
		t.Error("the exported ACI is not the file that was imported")
	}
	if err := s.Export(t.Context(), img, path, imagestore.ExportOptions{Format: imagestore.OCIArchive}); err == nil {
		t.Error("an ACI was exported as an OCI archive")
	}
	// rkt's extract and render: manifest and rootfs.
	dir := filepath.Join(t.TempDir(), "x")
	must(t, s.Extract(t.Context(), img, dir, imagestore.ExtractOptions{}))
	if _, err := os.Stat(dir + "/rootfs/f"); err != nil {
		t.Error(err)
	}
	manifest, err := os.ReadFile(dir + "/manifest")
	must(t, err)
	if config, err := s.Config(t.Context(), img); err != nil || !bytes.Equal(config, manifest) {
		t.Errorf("the manifest is %s, %v", manifest, err)
	}
}

// addACI makes an ACI of one file and puts it into the store.
func addACI(t *testing.T, s *imagestore.Store, name string) ([]byte, image.Image) {
	t.Helper()
	config := []byte(`{"acKind":"ImageManifest","acVersion":"0.8.11","name":"` + name + `"}`)
	raw := imagetest.Tar(t, imagetest.File{Name: "manifest", Body: string(config)}, imagetest.File{Name: "rootfs/"}, imagetest.File{Name: "rootfs/f", Body: "f"})
	aci := imagetest.Gzip(t, raw)
	desc := image.Layer{Digest: image.Sum(aci), DiffID: image.Sum(raw), SizeBytes: int64(len(aci))}
	doc, err := image.NewAppcManifest(desc, config, "sha512-"+strings.Repeat("ab", 64))
	must(t, err)
	m, err := image.VerifyManifest(doc, image.Sum(doc), image.Appc, nil)
	must(t, err)
	v, err := m.VerifyConfig(config)
	must(t, err)
	lock, err := s.FetchLock()
	must(t, err)
	defer lock.Close()
	must(t, s.AddLayers(t.Context(), v, func(image.VerifiedLayer) imagestore.LayerSource {
		return imagestore.LayerSource{Open: func(context.Context) (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(aci)), nil }}
	}))
	img, err := s.Commit(t.Context(), v, image.Ref{Transport: image.ACIFile, Path: "/x.aci"}, []string{"file:///x.aci"})
	must(t, err)
	return aci, img
}

func TestNothingHalfDoneIsLeft(t *testing.T) {
	_, s, img := addEverything(t)
	blob := s.BlobPath(img.Layers[1].Digest)
	raw, err := os.ReadFile(blob)
	must(t, err)
	raw[len(raw)/2] ^= 1
	must(t, os.WriteFile(blob, raw, 0))
	dir := t.TempDir()
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for name, do := range map[string]func(ctx context.Context) error{
		"export": func(ctx context.Context) error { return s.Export(ctx, img, dir+"/x", imagestore.ExportOptions{}) },
		"export docker": func(ctx context.Context) error {
			return s.Export(ctx, img, dir+"/x", imagestore.ExportOptions{Format: imagestore.DockerArchive})
		},
		"export oci": func(ctx context.Context) error {
			return s.Export(ctx, img, dir+"/x", imagestore.ExportOptions{Format: imagestore.OCIDir})
		},
		"export to": func(ctx context.Context) error { return s.ExportTo(ctx, img, io.Discard, imagestore.ExportOptions{}) },
		"extract":   func(ctx context.Context) error { return s.Extract(ctx, img, dir+"/x", imagestore.ExtractOptions{}) },
		"render": func(ctx context.Context) error {
			return s.Extract(ctx, img, dir+"/x", imagestore.ExtractOptions{Rendered: true})
		},
	} {
		if err := do(t.Context()); err == nil {
			t.Errorf("%s of a damaged image is no error", name)
		}
		if err := do(ended); !errors.Is(err, context.Canceled) {
			t.Errorf("%s that is cancelled: error %v", name, err)
		}
		if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
			t.Errorf("%s left %v, %v", name, left, err)
		}
	}
}

func TestOverwrite(t *testing.T) {
	_, s, img := addEverything(t)
	dir := t.TempDir()
	file, full, empty, layout := dir+"/file", dir+"/full", dir+"/empty", dir+"/layout"
	must(t, os.WriteFile(file, []byte("mine"), 0o600))
	for _, d := range []string{full, empty, layout} {
		must(t, os.Mkdir(d, 0o700))
	}
	must(t, os.WriteFile(full+"/mine", nil, 0o600))
	must(t, os.WriteFile(layout+"/oci-layout", nil, 0o600))
	export := func(path string, f imagestore.Format, over bool) error {
		return s.Export(t.Context(), img, path, imagestore.ExportOptions{Format: f, Overwrite: over})
	}
	extract := func(path string, over bool) error {
		return s.Extract(t.Context(), img, path, imagestore.ExtractOptions{Overwrite: over})
	}
	var exists *imagestore.ExistsError
	for name, err := range map[string]error{
		"a file":                    export(file, imagestore.OCIArchive, false),
		"a directory with a layout": export(layout, imagestore.OCIDir, false),
		"a directory":               extract(full, false),
	} {
		if !errors.As(err, &exists) || exists.Hint() == "" {
			t.Errorf("over %s: error %v, want an ExistsError", name, err)
		}
	}
	for name, err := range map[string]error{
		"a layout over a directory with other things": export(full, imagestore.OCIDir, true),
		"files over a file":                           extract(file, true),
		"an archive over a directory":                 export(full, imagestore.OCIArchive, true),
		"an archive in no directory":                  export(dir+"/none/x", imagestore.OCIArchive, true),
	} {
		if err == nil {
			t.Errorf("%s is no error", name)
		}
	}
	if raw, err := os.ReadFile(file); err != nil || string(raw) != "mine" {
		t.Errorf("the file is %q, %v", raw, err)
	}
	must(t, export(file, imagestore.OCIArchive, true))
	must(t, export(layout, imagestore.OCIDir, true))
	must(t, extract(empty, false))
	must(t, extract(full, true))
	if _, err := os.Stat(full + "/mine"); err == nil {
		t.Error("what was in an overwritten directory is still there")
	}
	var names []string
	left, err := os.ReadDir(dir)
	must(t, err)
	for _, e := range left {
		names = append(names, e.Name())
	}
	if want := []string{"empty", "file", "full", "layout"}; !slices.Equal(names, want) {
		t.Errorf("%q are there, want %q", names, want)
	}
}
