package images_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/raket/raket/tests/images"
	"github.com/raket/raket/tests/testhost"
)

func TestBuildah(t *testing.T) {
	if why := images.MissingBuildah(); why != "" {
		testhost.SkipOrFail(t, why)
	}
	dir, src := t.TempDir(), t.TempDir()
	busybox, err := os.ReadFile("/bin/busybox")
	if err != nil {
		t.Skip("no static busybox to put in: ", err)
	}
	if err := os.WriteFile(filepath.Join(src, "busybox"), busybox, 0o755); err != nil {
		t.Fatal(err)
	}
	err = images.Buildah(t.Context(), `FROM scratch
COPY busybox /bin/busybox
RUN ["/bin/busybox", "sh", "-c", "busybox mkdir /d && busybox ln /bin/busybox /d/link"]
ENV A=b
ENTRYPOINT ["/d/link", "echo", "hi"]
`, src, dir+"/layout", "1")
	if err != nil {
		t.Fatal(err)
	}
	img, err := images.FromLayout(dir+"/layout", "1")
	if err != nil {
		t.Fatal(err)
	}
	config, err := img.V1().ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"/d/link", "echo", "hi"}, config.Config.Entrypoint); diff != "" {
		t.Errorf("entrypoint (-want +got):\n%s", diff)
	}
	if n := len(config.RootFS.DiffIDs); n < 2 {
		t.Errorf("%d layers", n)
	}
	if err := images.Buildah(t.Context(), "FROM registry.invalid/none\n", src, dir+"/layout", "2"); err == nil {
		t.Error("an image that is not there was pulled")
	}
}
