package registries

import (
	"errors"
	"fmt"
	"strings"

	"github.com/raket/raket/pkg/image"
)

// Endpoints are where to ask for an image of a registry, in their order, the
// mirrors first. There is at least one where there is no error. A *BlockedError
// is an image that may not be pulled, a *FileError one that has no name where it
// would be asked for.
func (c *Config) Endpoints(ref image.Ref) ([]Endpoint, error) {
	if ref.Transport != image.Docker {
		return nil, fmt.Errorf("%s is not in a registry", ref)
	}
	own := Endpoint{Registry: ref.Registry, Repository: ref.Repository, For: All}
	r, rest := c.longest(ref)
	if r == nil {
		return []Endpoint{own}, nil
	}
	if r.blocked {
		return nil, &BlockedError{Image: ref.String(), Prefix: r.prefix, File: r.file, Line: r.line}
	}
	var list []Endpoint
	for _, m := range r.mirrors {
		if m.pulls == DigestOnly && ref.Digest == "" || m.pulls == TagOnly && ref.Digest != "" {
			continue
		}
		e, err := r.endpoint(ref, m.location, rest)
		if err != nil {
			return nil, err
		}
		e.Insecure, e.Mirror, e.For = m.insecure, true, m.pulls
		list = append(list, e)
	}
	if r.location != (name{}) {
		var err error
		if own, err = r.endpoint(ref, r.location, rest); err != nil {
			return nil, err
		}
	}
	own.Insecure = r.insecure
	return append(list, own), nil
}

// longest is the table that counts for an image and what of the image's name
// its prefix leaves. Nil where there is none.
func (c *Config) longest(ref image.Ref) (*registry, string) {
	if c == nil {
		return nil, ""
	}
	var best *registry
	var rest string
	for i := range c.registries {
		r := &c.registries[i]
		left, ok := r.match.fits(ref)
		if !ok {
			continue
		}
		// Of two that are as long the wildcard is the less exact.
		if best == nil || len(r.prefix) > len(best.prefix) ||
			len(r.prefix) == len(best.prefix) && strings.HasPrefix(best.prefix, wildcard) {
			best, rest = r, left
		}
	}
	return best, rest
}

// fits says whether an image's name begins with n, and what of the name without
// tag and digest comes behind it.
func (n name) fits(ref image.Ref) (rest string, ok bool) {
	host, suffix := canonical(ref.Registry), ":"+ref.Tag
	if ref.Digest != "" {
		suffix = "@" + ref.Digest.String()
	}
	port := ""
	if i := strings.LastIndexByte(host, ':'); i >= 0 && !strings.HasSuffix(host, "]") {
		port = host[i:]
	}
	full := "/" + ref.Repository
	if below, wild := strings.CutPrefix(n.host, "*"); wild {
		bare := strings.TrimSuffix(host, port)
		return port + full, strings.HasSuffix(bare, below)
	}
	switch {
	case n.host == host:
	case n.path == "" && n.host+port == host:
		return port + full, true
	default:
		return "", false
	}
	rest, ok = strings.CutPrefix(full, n.path)
	if !ok || rest != "" && rest[0] != '/' || n.suffix != "" && (rest != "" || n.suffix != suffix) {
		return "", false
	}
	return rest, true
}

// endpoint is the image's name with location in the place of the prefix.
func (r *registry) endpoint(ref image.Ref, location name, rest string) (Endpoint, error) {
	full := location.host + location.path + rest
	host, repository, _ := strings.Cut(full, "/")
	moved, err := image.Parse("docker://" + full)
	switch {
	case repository == "":
		err = errors.New("no repository is left")
	case err == nil && moved.Registry != canonical(host):
		err = fmt.Errorf("%q is no registry", host)
	}
	if err != nil {
		return Endpoint{}, &FileError{File: r.file, Line: r.line, What: fmt.Sprintf("it puts %q in the place of %s: %s", full, ref, err)}
	}
	return Endpoint{Registry: moved.Registry, Repository: moved.Repository, For: All}, nil
}
