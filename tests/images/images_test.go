package images_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/appc/spec/schema"
	"github.com/appc/spec/schema/types"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/v1/validate"

	"github.com/raket/raket/tests/images"
	"github.com/raket/raket/tests/testhost"
)

func TestMain(m *testing.M) { os.Exit(testhost.Main(m)) }

func must[T any](t *testing.T) func(v T, err error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func sample() images.Builder {
	return images.New().
		Layer(images.Dir("a", 0o755), images.File("a/b", "b", 0o644), images.Symlink("a/s", "b"), images.Link("a/l", "a/b")).
		Zstd().
		Layer(images.Whiteout("a/b"), images.Opaque("c"), images.File("d", "d", 0o4755).Owned(1, 2).WithXattr("user.x", "y")).
		Cmd("/d").Env("A=1").User("1:2").Volumes("/v").Ports("80/tcp").Label("l", "m")
}

func TestBuilder(t *testing.T) {
	t.Run("the image is valid", func(t *testing.T) {
		// Read back: what is in memory differs from what is written in empty maps.
		dir := t.TempDir()
		for tag, b := range map[string]images.Builder{
			"plain": images.New().Layer(images.Dir("a", 0o755), images.File("a/b", "b", 0o644)).Layer(images.Whiteout("a/b")),
			"mixed": sample(),
		} {
			if err := must[images.Image](t)(b.Image()).Layout(dir, tag); err != nil {
				t.Fatal(err)
			}
		}
		if err := validate.Image(must[images.Image](t)(images.FromLayout(dir, "plain")).V1()); err != nil {
			t.Error(err)
		}
		// The full validation knows gzip only.
		if err := validate.Image(must[images.Image](t)(images.FromLayout(dir, "mixed")).V1(), validate.Fast); err != nil {
			t.Error(err)
		}
	})
	t.Run("the same calls give the same digest", func(t *testing.T) {
		digest := func() string { return must[string](t)(must[images.Image](t)(sample().Image()).Digest()) }
		if a, b := digest(), digest(); a != b {
			t.Errorf("%s and %s", a, b)
		}
	})
	t.Run("a builder can be the base of two images", func(t *testing.T) {
		base := sample()
		one, two := base.Layer(images.File("1", "", 0o644)).Env("B=1"), base.Layer(images.File("2", "", 0o644)).Env("B=2")
		a, b := must[images.Image](t)(one.Image()), must[images.Image](t)(two.Image())
		ca := must[string](t)(a.Digest())
		if cb := must[string](t)(b.Digest()); ca == cb {
			t.Error("both images are the same")
		}
		if got := must[string](t)(must[images.Image](t)(one.Image()).Digest()); got != ca {
			t.Error("the second changed the first")
		}
	})
	t.Run("a missing source file is told by Image", func(t *testing.T) {
		if _, err := images.New().Layer(images.FileFrom("x", "/no/such/file", 0o644)).Image(); err == nil {
			t.Error("no error")
		}
	})
}

func TestOutputs(t *testing.T) {
	img := must[images.Image](t)(sample().Image())
	arm := must[images.Image](t)(sample().Platform("linux", "arm64", "v8").Image())
	dir := t.TempDir()

	t.Run("a layout holds several tags and gives them back", func(t *testing.T) {
		layout := filepath.Join(dir, "layout")
		for tag, i := range map[string]images.Image{"one": img, "two": arm} {
			if err := i.Layout(layout, tag); err != nil {
				t.Fatal(err)
			}
		}
		back := must[images.Image](t)(images.FromLayout(layout, "two"))
		if diff := cmp.Diff(must[string](t)(arm.Digest()), must[string](t)(back.Digest())); diff != "" {
			t.Errorf("digest (-want +got):\n%s", diff)
		}
		if err := images.NewIndex(img, arm).Layout(layout, "both"); err != nil {
			t.Fatal(err)
		}
	})
	t.Run("skopeo reads the archives", func(t *testing.T) {
		if _, err := exec.LookPath("skopeo"); err != nil {
			testhost.SkipOrFail(t, "missing skopeo (make deps installs it)")
		}
		oci, docker, multi := filepath.Join(dir, "oci.tar"), filepath.Join(dir, "docker.tar"), filepath.Join(dir, "multi.tar")
		plain := must[images.Image](t)(images.New().Layer(images.File("x", "x", 0o644)).Cmd("/x").Image())
		for _, err := range []error{img.OCIArchive(oci, "t"), plain.DockerArchive(docker, "x:t"), images.NewIndex(img, arm).OCIArchive(multi, "t")} {
			if err != nil {
				t.Fatal(err)
			}
		}
		for _, ref := range []string{"oci-archive:" + oci + ":t", "docker-archive:" + docker, "oci-archive:" + multi + ":t"} {
			out, err := exec.CommandContext(t.Context(), "skopeo", "inspect", "--config", ref).CombinedOutput()
			if err != nil {
				t.Errorf("skopeo inspect %s: %v: %s", ref, err, out)
			}
		}
	})
}

func TestACI(t *testing.T) {
	file := filepath.Join(t.TempDir(), "x.aci")
	a := images.ACI{
		Name: "example.com/x", Version: "1", App: &types.App{Exec: types.Exec{"/x"}, User: "0", Group: "0"},
		Annotations: map[string]string{"b": "2", "a": "1"},
		Files:       []images.Entry{images.File("x", "x", 0o755), images.Link("y", "x")},
	}
	if err := a.Write(file); err != nil {
		t.Fatal(err)
	}
	zr := must[*gzip.Reader](t)(gzip.NewReader(bytes.NewReader(must[[]byte](t)(os.ReadFile(file)))))
	tr := tar.NewReader(zr)
	var names []string
	for {
		h, err := tr.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, strings.TrimSuffix(h.Name, "/")+">"+h.Linkname)
		if h.Name == "manifest" {
			var m schema.ImageManifest
			if err := m.UnmarshalJSON(must[[]byte](t)(io.ReadAll(tr))); err != nil {
				t.Errorf("manifest: %v", err)
			}
		}
	}
	if diff := cmp.Diff([]string{"manifest>", "rootfs>", "rootfs/x>", "rootfs/y>rootfs/x"}, names); diff != "" {
		t.Errorf("members (-want +got):\n%s", diff)
	}
}

// TestTheDemosApps runs the named images' programs together on a host, as plain units that
// share a root's files: it shows that the images are good, without any launcher.
func TestTheDemosApps(t *testing.T) {
	h := testhost.Shared(t)
	cache := must[string](t)(images.CacheDir())
	for _, name := range images.Names() {
		n := must[images.Named](t)(images.Ensure(t.Context(), cache, name))
		if err := validate.Image(n.Image.V1()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		root := filepath.Join(h.Path("/var/lib/raket"), name)
		unpack(t, n, root)
	}
	h.MustRun(t, `
cd /var/lib/raket && mkdir -p logs conf && chmod 755 logs
unit() { n=$1; shift; systemd-run -q --unit=$n -p MountAPIVFS=yes -p RootDirectory=/var/lib/raket/$n "$@"; }
unit reloader -p Type=notify -p BindPaths=/var/lib/raket/conf:/etc/nginx/conf.d /usr/bin/reloader
unit nginx -p KillSignal=QUIT -p "BindPaths=/var/lib/raket/conf:/etc/nginx/conf.d /var/lib/raket/logs:/var/log/nginx" /docker-entrypoint.sh nginx -g 'daemon off;'
unit shipper -p Type=notify -p BindPaths=/var/lib/raket/logs:/logs /usr/bin/shipper /logs/access.log`)
	t.Cleanup(func() { h.Run(t, "systemctl stop nginx shipper reloader") })

	h.WaitFor(t, time.Minute, `curl -sf http://127.0.0.1/ | grep -x 'hello from the pod'`)
	h.MustRun(t, `echo 'second answer' >/var/lib/raket/conf/answer.txt`)
	h.WaitFor(t, time.Minute, `curl -sf http://127.0.0.1/ | grep -x 'second answer'`)
	h.WaitFor(t, time.Minute, `journalctl -t shipper -o cat | jq -e 'select(.line | test("GET / HTTP"))'`)
	h.WaitFor(t, time.Minute, `journalctl -t reloader -o cat | grep 'reloaded nginx'`)
	h.MustRun(t, `systemctl stop nginx shipper reloader; systemctl is-failed nginx shipper reloader; test -z "$(systemctl --failed --no-legend)"`)
}

// unpack lays an image's layers into dir.
func unpack(t *testing.T, n images.Named, dir string) {
	t.Helper()
	for _, l := range must[[]layer](t)(layersOf(n)) {
		r := must[io.ReadCloser](t)(l.Uncompressed())
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		cmd := exec.CommandContext(t.Context(), "tar", "-xf", "-", "-C", dir)
		cmd.Stdin = r
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("unpack %s: %v: %s", n.Name, err, out)
		}
		r.Close()
	}
}

type layer interface{ Uncompressed() (io.ReadCloser, error) }

func layersOf(n images.Named) ([]layer, error) {
	ls, err := n.Image.V1().Layers()
	var out []layer
	for _, l := range ls {
		out = append(out, l)
	}
	return out, err
}
