package fetch

import (
	"fmt"
	"strings"
)

// platform is what an image's programs need, in the words of image-spec,
// "Image Index Specification".
type platform struct {
	os, arch, variant string
}

func parsePlatform(s string) (platform, error) {
	if s == "" {
		return hostPlatform(), nil
	}
	parts := strings.Split(s, "/")
	if len(parts) < 2 || len(parts) > 3 || parts[0] == "" || parts[1] == "" {
		return platform{}, fmt.Errorf("bad platform %q: want OS/ARCH or OS/ARCH/VARIANT", s)
	}
	p := platform{os: parts[0], arch: parts[1]}
	if len(parts) == 3 {
		p.variant = parts[2]
	}
	return p, nil
}

func (p platform) String() string {
	if p.variant != "" {
		return p.os + "/" + p.arch + "/" + p.variant
	}
	return p.os + "/" + p.arch
}

// matches reports whether an image that says it is for os and arch will do;
// one that does not say will.
func (p platform) matches(os, arch string) bool {
	return (os == "" || os == p.os) && (arch == "" || arch == p.arch)
}

// indexEntry is what an index says of one of its manifests.
type indexEntry struct {
	MediaType string `json:"mediaType"`
	Digest    string `json:"digest"`
	Platform  *struct {
		OS      string `json:"os"`
		Arch    string `json:"architecture"`
		Variant string `json:"variant"`
	} `json:"platform"`
}

// rank says how well an entry suits; 0 not at all. Without a wish for a
// variant the plain one is best, then the first in the index.
func (p platform) rank(e indexEntry) int {
	if e.Platform == nil || e.Platform.OS != p.os || e.Platform.Arch != p.arch {
		return 0
	}
	switch {
	case e.Platform.Variant == p.variant:
		return 3
	case p.variant == "" && (e.Platform.Variant == "v8" || e.Platform.Variant == "v1"):
		return 2 // the base variants of arm64 and amd64
	case p.variant == "":
		return 1
	}
	return 0
}
