package lookaside

import (
	"strings"

	"github.com/raket/raket/pkg/image"
)

// Namespaces are the scopes that an image from a registry is in, the narrowest
// first, as registries.d and policy.json both have them: the image
// ("host/team/app:tag", "host/team/app@sha256:…"), "host/team/app", "host/team",
// "host", and for each domain above the host's "*.domain", without a port. Hosts
// are in lower case. Other images are in none.
func Namespaces(ref image.Ref) []string {
	if ref.Transport != image.Docker {
		return nil
	}
	host := strings.ToLower(ref.Registry)
	name := host + "/" + ref.Repository
	all := make([]string, 0, 8)
	if ref.Digest != "" {
		all = append(all, name+"@"+ref.Digest.String())
	} else {
		all = append(all, name+":"+ref.Tag)
	}
	for {
		all = append(all, name)
		i := strings.LastIndexByte(name, '/')
		if i < 0 {
			break
		}
		name = name[:i]
	}
	if strings.HasPrefix(host, "[") {
		return all // an IPv6 address is in no domain
	}
	domain, _, _ := strings.Cut(host, ":")
	for {
		_, above, ok := strings.Cut(domain, ".")
		if !ok {
			return all
		}
		all = append(all, "*."+above)
		domain = above
	}
}

// CheckNamespace says why no image can be in a namespace as it is written; nil
// where one can. What never applies would be a rule that somebody relies on.
func CheckNamespace(s string) error {
	host, path, hasPath := strings.Cut(s, "/")
	if domain, ok := strings.CutPrefix(s, "*."); ok {
		if ref, err := image.Parse("docker://" + domain + ".x/a"); hasPath || err != nil || strings.ContainsAny(domain, ":*") || ref.Registry != strings.ToLower(domain)+".x" {
			return errNamespace{s, "a wildcard stands for the hosts of a domain: *.example.com"}
		}
		return nil
	}
	if !hasPath {
		path = "x"
	}
	// A word without a dot is a host here, whatever docker.io's shortcuts are.
	probe := host
	if !strings.ContainsAny(host, ".:") {
		probe += ":1"
	}
	ref, err := image.Parse("docker://" + probe + "/" + path)
	switch {
	case err != nil:
		return errNamespace{s, err.Error()}
	case ref.Registry != probe && hasPath:
		return errNamespace{s, "write " + ref.Registry}
	}
	return nil
}

type errNamespace struct{ scope, why string }

func (e errNamespace) Error() string { return quote(e.scope) + " fits no image: " + e.why }
