package lookaside

import (
	"fmt"
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

// ParseNamespace is a scope as Namespaces writes it, from one that somebody
// wrote. The error says why no image can be in it: what never applies would be a
// rule that somebody relies on.
func ParseNamespace(s string) (string, error) {
	host, path, hasPath := strings.Cut(s, "/")
	host = strings.ToLower(host)
	if domain, ok := strings.CutPrefix(host, "*."); ok {
		ref, err := image.Parse("docker://" + domain + ".x/a")
		if hasPath || err != nil || ref.Registry != domain+".x" {
			return "", fmt.Errorf("%q fits no image: a wildcard stands for the hosts of a domain, as *.example.com", s)
		}
		return host, nil
	}
	// A word without a dot is a host here: docker.io's shortcuts are not for scopes.
	registry := host
	if !strings.ContainsAny(host, ".:") {
		registry += ":1"
	}
	if !hasPath {
		path = "x/x"
	}
	ref, err := image.Parse("docker://" + registry + "/" + path)
	if err != nil {
		return "", fmt.Errorf("%q fits no image: %w", s, err)
	}
	name, _, digested := strings.Cut(path, "@")
	name, _, tagged := strings.Cut(name, ":")
	switch {
	case ref.Registry != registry:
		return "", fmt.Errorf("%q fits no image: write %s for %s", s, ref.Registry, host)
	case tagged && digested:
		return "", fmt.Errorf("%q fits no image: it has a tag and a digest", s)
	case (tagged || digested) && ref.Repository != name:
		return "", fmt.Errorf("%q fits no image: write %s for %s", s, ref.Repository, name)
	case !hasPath:
		return host, nil
	}
	return host + "/" + path, nil
}
