package registries

import (
	"errors"
	"fmt"
	"strings"

	"github.com/raket/raket/pkg/image"
)

// registry is a [[registry]] table.
type registry struct {
	place
	// prefix is as it is compared: the host in lower case, Docker's as "docker.io".
	prefix   string
	match    name
	location name // zero where nothing is rewritten
	insecure bool
	blocked  bool
	mirrors  []mirror
}

// mirror is a [[registry.mirror]] table.
type mirror struct {
	location name
	insecure bool
	pulls    PullFrom
}

// name is the beginning of an image's name.
type name struct {
	// host begins with "*" where it stands for all subdomains.
	host string
	// path begins with a slash where it is not empty.
	path string
	// suffix is a tag or a digest with the separator before it. May be empty.
	suffix string
}

func (n name) String() string { return n.host + n.path + n.suffix }

const wildcard = "*."

// parseName reads host[:port][/path][:tag|@digest].
func parseName(s string) (name, error) {
	if strings.Contains(s, "://") {
		return name{}, errors.New("must not have a scheme")
	}
	host, path, hasPath := strings.Cut(s, "/")
	n := name{host: canonical(host)}
	if hasPath {
		end := strings.IndexAny(path, ":@")
		if end < 0 {
			end = len(path)
		}
		n.path, n.suffix = "/"+path[:end], path[end:]
	}
	// The grammar is that of images; a further component keeps it from
	// putting "library" before a single one.
	ref, err := image.Parse("docker://" + n.host + n.path + "/x/x" + n.suffix)
	switch {
	case err != nil:
		return name{}, fmt.Errorf("is not the beginning of an image's name: %w", err)
	case ref.Registry != n.host:
		return name{}, errors.New("does not begin with a registry's host")
	}
	return n, nil
}

// canonical is a host as images' names are compared by it.
func canonical(host string) string {
	switch host = strings.ToLower(host); host {
	case "index.docker.io", "registry-1.docker.io":
		return "docker.io"
	}
	return host
}

// parsePrefix is parseName for what may begin with a wildcard.
func parsePrefix(s string) (name, error) {
	below, wild := strings.CutPrefix(s, wildcard)
	if !wild {
		return parseName(s)
	}
	const label = "any."
	n, err := parseName(label + below)
	if err != nil {
		return name{}, err
	}
	if n.path != "" || n.suffix != "" || strings.Contains(n.host, ":") {
		return name{}, errors.New("has a wildcard, and must be *.HOST and no more")
	}
	return name{host: wildcard + strings.TrimPrefix(n.host, label)}, nil
}

// registry reads a [[registry]] table.
func (t table) registry() (registry, error) {
	err := t.only("prefix", "location", "insecure", "blocked", "mirror-by-digest-only", "mirror")
	if err != nil {
		return registry{}, err
	}
	r := registry{place: place{t.file, t.line("")}}
	if r.insecure, err = t.truth("insecure"); err != nil {
		return registry{}, err
	}
	if r.blocked, err = t.truth("blocked"); err != nil {
		return registry{}, err
	}
	if err := t.names(&r); err != nil {
		return registry{}, err
	}
	byDigest, err := t.truth("mirror-by-digest-only")
	if err != nil {
		return registry{}, err
	}
	mirrors, err := t.tables("mirror")
	if err != nil {
		return registry{}, err
	}
	for _, sub := range mirrors {
		m, err := sub.mirror(byDigest, r.match)
		if err != nil {
			return registry{}, err
		}
		r.mirrors = append(r.mirrors, m)
	}
	return r, nil
}

// names reads prefix and location, each the other's default.
func (t table) names(r *registry) error {
	prefix, err := t.text("prefix")
	if err != nil {
		return err
	}
	location, err := t.text("location")
	if err != nil {
		return err
	}
	key := "prefix"
	if prefix == "" {
		if location == "" {
			return t.wrong("prefix", "it or location must be there")
		}
		key, prefix = "location", location
	}
	if r.match, err = parsePrefix(strings.TrimRight(prefix, "/")); err != nil {
		return t.wrong(key, "%q %w", prefix, err)
	}
	r.prefix = r.match.String()
	if location != "" {
		r.location, err = t.location(location, r.match)
		return err
	}
	if !strings.HasPrefix(r.prefix, wildcard) {
		return t.wrong("prefix", "%q needs a location beside it, as only *.HOST does not", prefix)
	}
	return nil
}

// location is that key's value, which stands for what prefix matches.
func (t table) location(text string, prefix name) (name, error) {
	n, err := parseName(strings.TrimRight(text, "/"))
	if err != nil {
		return name{}, t.wrong("location", "%q %w", text, err)
	}
	if n.suffix != "" && n.suffix != prefix.suffix {
		return name{}, t.wrong("location", "%q must not have another tag or digest than the prefix %q", text, prefix)
	}
	return n, nil
}

func (t table) mirror(byDigest bool, prefix name) (mirror, error) {
	err := t.only("location", "insecure", "pull-from-mirror")
	if err != nil {
		return mirror{}, err
	}
	location, err := t.text("location")
	if err != nil {
		return mirror{}, err
	}
	if location == "" {
		return mirror{}, t.wrong("location", "is missing")
	}
	m := mirror{pulls: All}
	if m.location, err = t.location(location, prefix); err != nil {
		return mirror{}, err
	}
	if m.insecure, err = t.truth("insecure"); err != nil {
		return mirror{}, err
	}
	pulls, err := t.text("pull-from-mirror")
	if err != nil {
		return mirror{}, err
	}
	switch {
	case byDigest && pulls != "":
		return mirror{}, t.wrong("pull-from-mirror", "cannot stand beside mirror-by-digest-only of its registry")
	case byDigest:
		m.pulls = DigestOnly
	case pulls != "":
		m.pulls = PullFrom(pulls)
	}
	switch m.pulls {
	case All, DigestOnly, TagOnly:
		return m, nil
	}
	return mirror{}, t.wrong("pull-from-mirror", "unknown value %q, want all, digest-only or tag-only", pulls)
}
