package version

import (
	"runtime/debug"
	"testing"
)

func TestString(t *testing.T) {
	for name, tt := range map[string]struct {
		build Build
		want  string
	}{
		"a build without a commit shows the version alone": {Build{Version: "1.2.0"}, "1.2.0"},
		"a long commit is cut to twelve digits":            {Build{Version: "1.2.0", Commit: "0123456789abcdef"}, "1.2.0 (0123456789ab)"},
		"a changed tree is said to be one":                 {Build{Version: "1.2.0", Commit: "0123456789abcdef-dirty"}, "1.2.0 (0123456789ab-dirty)"},
		"a commit that is short already is shown as it is": {Build{Version: "1.2.0", Commit: "0123"}, "1.2.0 (0123)"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := tt.build.String(); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestCommitComesFromTheBuildInfo(t *testing.T) {
	got := commitOf([]debug.BuildSetting{{Key: "vcs.revision", Value: "abc"}, {Key: "vcs.modified", Value: "true"}})
	if want := "abc-dirty"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := commitOf([]debug.BuildSetting{{Key: "vcs.modified", Value: "true"}}); got != "" {
		t.Errorf("got %q without a revision, want nothing", got)
	}
}

func TestGetAlwaysHasAVersion(t *testing.T) {
	if b := Get(); b.Version == "" || b.Go == "" || b.OS == "" || b.Arch == "" {
		t.Errorf("incomplete build description %+v", b)
	}
}
