package lookaside

import (
	"net/url"
	"strings"

	"github.com/raket/raket/pkg/image"
)

// builtIn is where signatures are looked for where no section says otherwise, and
// where skopeo and podman put them as root.
const builtIn = "file:///var/lib/containers/sigstore"

// sections are those an image is in, the narrowest first. A key that one lacks
// is looked for in the next, as skopeo and podman do.
func (c *Config) sections(ref image.Ref) []section {
	var all []section
	for _, name := range Namespaces(ref) {
		if s, ok := c.docker[name]; ok {
			all = append(all, s)
		}
	}
	if c.byDefault != nil {
		all = append(all, *c.byDefault)
	}
	return all
}

// UseAttachments is what is said of sigstore attachments ("use-sigstore-attachments")
// of an image, and where: FILE:LINE, or "" where nothing is said.
func (c *Config) UseAttachments(ref image.Ref) (use bool, where string) {
	for _, s := range c.sections(ref) {
		if s.attachments != nil {
			return *s.attachments, s.at
		}
	}
	return false, ""
}

// Location is where the signatures of one repository are.
type Location struct {
	url url.URL
}

// Location is the lookaside of an image's repository. Images that are in no
// registry have none; ok is false then.
func (c *Config) Location(ref image.Ref) (l Location, ok bool) {
	if ref.Transport != image.Docker {
		return Location{}, false
	}
	base, err := url.Parse(builtIn)
	if err != nil {
		return Location{}, false
	}
	for _, s := range c.sections(ref) {
		if s.lookaside != nil {
			base = s.lookaside
			break
		}
	}
	l.url = *base
	// A repository's grammar has no dots that climb.
	l.url.Path = strings.TrimSuffix(base.Path, "/") + "/" + ref.Repository
	l.url.RawPath = ""
	return l, true
}

// String is the location for messages, without a password.
func (l Location) String() string { return l.url.Redacted() }
