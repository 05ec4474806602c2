package tests

import (
	"testing"

	"github.com/raket/raket/tests/images"
)

func TestImageForms(t *testing.T) {
	e := newEnv(t)
	base := images.Busybox().
		Layer(images.Dir("d", 0o755), images.File("d/below", "below\n", 0o644), images.Dir("o", 0o755), images.File("o/below", "", 0o644)).
		Zstd().
		Layer(images.Whiteout("d/below"), images.Opaque("o"), images.File("o/above", "above\n", 0o644))
	for name, tt := range map[string]struct {
		builder images.Builder
		script  string
		want    string
	}{
		"whiteouts and zstd layers are applied": {base, "ls d o; cat o/above", "d:\n\no:\nabove\nabove\n"},
		"the image's user, directory and environment hold": {
			base.User("app:logs").WorkingDir("/home/app").Env("A=from the image"), `id -un; id -gn; pwd; echo "$A"`, "app\nlogs\n/home/app\nfrom the image\n",
		},
	} {
		t.Run(name, func(t *testing.T) {
			ref := e.push(t, "forms", tt.builder)
			r, _ := e.runPod(t, "--net=none --pull-policy=update "+ref+" --exec /bin/sh -- -c '"+tt.script+"'")
			if r.Code != 0 || r.Stdout != tt.want {
				t.Errorf("status %d, stdout %q, want %q; stderr:\n%s", r.Code, r.Stdout, tt.want, r.Stderr)
			}
		})
	}
}
