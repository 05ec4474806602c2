package version

import (
	"runtime"
	"runtime/debug"
)

// Filled by the linker:
//
//	-ldflags "-X github.com/raket/raket/pkg/version.version=1.2.0 -X github.com/raket/raket/pkg/version.commit=HEX"
//
// Nothing else may write them.
var (
	version string
	commit  string
)

const unreleased = "0.0.0-dev"

// Build describes a build. All fields but Version may be empty.
type Build struct {
	// Version is the release, without a leading "v".
	Version string `json:"version"`
	// Commit is the full hash of the source, with "-dirty" behind it where the
	// tree had changes.
	Commit string `json:"commit,omitempty"`
	// Go is the toolchain, as "go1.26.0".
	Go string `json:"go"`
	// OS and Arch are in Go's words.
	OS   string `json:"os"`
	Arch string `json:"arch"`
}

// Get returns this program's build.
func Get() Build {
	b := Build{Version: version, Commit: commit, Go: runtime.Version(), OS: runtime.GOOS, Arch: runtime.GOARCH}
	if b.Commit == "" {
		if info, ok := debug.ReadBuildInfo(); ok {
			b.Commit = commitOf(info.Settings)
		}
	}
	if b.Version == "" {
		b.Version = unreleased
	}
	return b
}

func commitOf(settings []debug.BuildSetting) string {
	var revision, suffix string
	for _, s := range settings {
		switch {
		case s.Key == "vcs.revision":
			revision = s.Value
		case s.Key == "vcs.modified" && s.Value == "true":
			suffix = "-dirty"
		}
	}
	if revision == "" {
		return ""
	}
	return revision + suffix
}

// String is the version and the commit's first 12 digits, as "1.2.0 (0123456789ab)".
func (b Build) String() string {
	const short, dirty = 12, "-dirty"
	if b.Commit == "" {
		return b.Version
	}
	c := b.Commit
	if len(c) > short {
		suffix := ""
		if len(c) > len(dirty) && c[len(c)-len(dirty):] == dirty {
			suffix = dirty
		}
		c = c[:short] + suffix
	}
	return b.Version + " (" + c + ")"
}
