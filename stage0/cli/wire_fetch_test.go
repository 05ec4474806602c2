package cli

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/raket/raket/stage0/config"
	"github.com/raket/raket/stage0/trust/lookaside"
	"github.com/raket/raket/stage0/trust/policy"
)

func TestConfigurationOfImagesFollowsTheLayers(t *testing.T) {
	s := config.Dirs{System: "/s", Local: "/l", User: "/u"}
	if diff := cmp.Diff([]string{"/u/policy.json", "/l/policy.json", "/s/policy.json", "/etc/containers/policy.json"}, policy.Files(s.System, s.Local, s.User)); diff != "" {
		t.Errorf("policies, the first one counts (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"/etc/containers/registries.d", "/s/registries.d", "/l/registries.d", "/u/registries.d"}, lookaside.Dirs(s.System, s.Local, s.User)); diff != "" {
		t.Errorf("places of signatures, the last one wins (-want +got):\n%s", diff)
	}
}
