package appc_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/raket/raket/pkg/image"
	"github.com/raket/raket/pkg/imagestore/imagetest"
	"github.com/raket/raket/stage0/fetch/appc"
)

const manifest = `{"acKind":"ImageManifest","acVersion":"0.8.11","name":"example.com/app","labels":[{"name":"version","value":"1"},{"name":"arch","value":"aarch64"},{"name":"os","value":"linux"}]}`

func read(t testing.TB, raw []byte, maxBytes int64) (image.Verified, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "x.aci")
	if err := os.WriteFile(path, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	return appc.Read(t.Context(), path, maxBytes)
}

func TestRead(t *testing.T) {
	raw := imagetest.Tar(t, imagetest.File{Name: "rootfs/"}, imagetest.File{Name: "manifest", Body: manifest})
	plain, err := read(t, raw, 0)
	if err != nil {
		t.Fatal(err)
	}
	zipped, err := read(t, imagetest.Gzip(t, raw), 0)
	if err != nil {
		t.Fatal(err)
	}
	a, b := plain.Image(), zipped.Image()
	if a.AppcID != b.AppcID || a.ID == b.ID {
		t.Errorf("compressed and not: appc IDs %s and %s, IDs %s and %s", a.AppcID, b.AppcID, a.ID, b.ID)
	}
	if a.Arch != "arm64" || a.Kind != image.Appc || a.Names[0] != "example.com/app:1" {
		t.Errorf("%+v", a)
	}
}

// TestIsolatorsAreLeftAlone: the appc module would panic on one of these, and
// never end on the other.
func TestIsolatorsAreLeftAlone(t *testing.T) {
	for _, isolators := range []string{
		`{"name":"resource/cpu"}`, `{"name":"resource/memory","value":{"limit":"1E999999999"}}`, `{"name":"os/linux/seccomp-retain-set","value":null}`,
	} {
		for _, key := range []string{"isolators", "Isolators"} {
			doc := strings.Replace(manifest, `"labels"`, `"app":{"exec":["/x"],"user":"0","group":"0","`+key+`":[`+isolators+`]},"labels"`, 1)
			if _, err := read(t, imagetest.Tar(t, imagetest.File{Name: "manifest", Body: doc}), 0); err != nil {
				t.Errorf("%s: %v", isolators, err)
			}
		}
	}
}

func TestReadRefuses(t *testing.T) {
	for name, tc := range map[string]struct {
		raw  []byte
		max  int64
		want string
	}{
		"two manifests":              {imagetest.Tar(t, imagetest.File{Name: "manifest", Body: manifest}, imagetest.File{Name: "./manifest", Body: manifest}), 0, "two manifests"},
		"a manifest that is a link":  {imagetest.Tar(t, imagetest.File{Name: "manifest", Link: "/etc/passwd"}), 0, "not a regular file"},
		"a manifest over the limit":  {imagetest.Tar(t, imagetest.File{Name: "manifest", Body: strings.Repeat(" ", image.MaxManifestBytes+1)}), 0, "larger than 4 MiB"},
		"a bad name":                 {imagetest.Tar(t, imagetest.File{Name: "manifest", Body: strings.Replace(manifest, "example.com", "Bad Name", 1)}), 0, "bad image manifest"},
		"two names":                  {imagetest.Tar(t, imagetest.File{Name: "manifest", Body: strings.Replace(manifest, `"labels"`, `"Name":"example.com/evil","labels"`, 1)}), 0, `it has "name" twice`},
		"more bytes than allowed":    {imagetest.Tar(t, imagetest.File{Name: "manifest", Body: manifest}), 1000, "unpacks to more than 1000 bytes"},
		"an xz stream's huge window": {[]byte("\xfd7zXZ\x00\x00\x04\xe6\xd6\xb4\x46\x02\x00\x21\x01\x28" + strings.Repeat("\x00", 50)), 0, "xz dictionary"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := read(t, tc.raw, tc.max)
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("error %v, want one that says %q", err, tc.want)
			}
		})
	}
}

// FuzzRead: no archive makes it panic, and what it takes has an ID.
func FuzzRead(f *testing.F) {
	f.Add(imagetest.Tar(f, imagetest.File{Name: "rootfs/"}, imagetest.File{Name: "manifest", Body: manifest}))
	f.Add(imagetest.Gzip(f, imagetest.Tar(f, imagetest.File{Name: "manifest", Body: manifest})))
	withApp := strings.Replace(manifest, `"labels"`, `"app":{"exec":["/x"],"user":"0","group":"0","isolators":[{"name":"resource/cpu","value":{"limit":"1"}}],"mountPoints":[{"name":"a","path":"/a"}],"ports":[{"name":"p","port":80,"protocol":"tcp"}]},"annotations":[{"name":"created","value":"x"}],"labels"`, 1)
	f.Add(imagetest.Tar(f, imagetest.File{Name: "manifest", Body: withApp}))
	f.Add([]byte("BZh9"))
	f.Add([]byte("\xfd7zXZ\x00"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		aci, err := read(t, raw, 1<<20)
		if err == nil && len(aci.Image().AppcID) != len("sha512-")+128 {
			t.Errorf("ID %q", aci.Image().AppcID)
		}
	})
}
