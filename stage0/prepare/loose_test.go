package prepare

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/raket/raket/pkg/appspec"
	"github.com/raket/raket/pkg/stageabi"
	"github.com/raket/raket/stage0/cli/appargs"
)

func TestWhatAPodGoesWithoutIsInItsDescription(t *testing.T) {
	h := newHost(t)
	h.add(web, nil)
	for name, tt := range map[string]struct {
		loose  appspec.Loose
		want   stageabi.Insecure
		masked bool
		caps   int
	}{
		"nothing":             {appspec.Loose{}, stageabi.Insecure{}, true, 14},
		"paths and seccomp":   {appspec.Loose{Paths: true, Seccomp: true}, stageabi.Insecure{Paths: true, Seccomp: true}, false, 14},
		"capabilities, alone": {appspec.Loose{Capabilities: true}, stageabi.Insecure{}, true, 41},
	} {
		t.Run(name, func(t *testing.T) {
			h.loose = tt.loose
			p := h.prepared(appargs.Pod{Apps: []appargs.App{{Image: web, Name: "web"}}})
			s, err := p.Sandbox()
			must(t, err)
			if diff := cmp.Diff(tt.want, s.Insecure); diff != "" {
				t.Errorf("sandbox (-want +got):\n%s", diff)
			}
			app := spec(t, p, "web")
			if got := len(app.Linux.MaskedPaths) > 0; got != tt.masked {
				t.Errorf("paths are masked: %v", got)
			}
			if got := len(app.Process.Capabilities.Bounding); got != tt.caps {
				t.Errorf("%d capabilities, want %d", got, tt.caps)
			}
		})
	}
}
