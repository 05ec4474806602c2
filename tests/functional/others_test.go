package functional

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/raket/raket/tests/images"
	"github.com/raket/raket/tests/registry"
	"github.com/raket/raket/tests/testhost"
)

// TestWhatOthersMakeRuns has buildah make an image and skopeo push it to a registry with a
// certificate, from which a pod is run.
func TestWhatOthersMakeRuns(t *testing.T) {
	if why := images.MissingBuildah(); why != "" {
		testhost.SkipOrFail(t, why)
	}
	p := newPods(t)
	r := p.newRegistry(t, registry.Options{TLS: true, Authority: p.newAuthority(t)})
	src, layout := t.TempDir(), filepath.Join(t.TempDir(), "layout")
	path, err := exec.LookPath("busybox")
	if err != nil {
		t.Fatal(err)
	}
	busybox, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(src, "busybox"), busybox, 0o755); err != nil {
		t.Fatal(err)
	}
	err = images.Buildah(t.Context(), `FROM scratch
COPY busybox /bin/busybox
RUN ["/bin/busybox", "sh", "-c", "busybox mkdir /d; echo in a layer >/d/gone; echo below >/d/kept"]
RUN ["/bin/busybox", "rm", "/d/gone"]
ENV WHO=buildah
WORKDIR /d
ENTRYPOINT ["/bin/busybox", "sh", "-c", "/bin/busybox ls; echo $WHO; read line <kept; echo $line"]
`, src, layout, "1")
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Push(t.Context(), "oci:"+layout+":1", "made/by-buildah:1", registry.Login{}); err != nil {
		t.Fatal(err)
	}
	got := p.run(t, nil, app{image: "docker://" + r.Addr + "/made/by-buildah:1", own: true})
	if want := "kept\nbuildah\nbelow\n"; got.Stdout != want || got.Code != 0 {
		t.Errorf("the pod says %q, want %q; %+v", got.Stdout, want, got)
	}
}
