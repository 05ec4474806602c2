package policy

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/raket/raket/pkg/image"
	"github.com/raket/raket/stage0/trust/lookaside"
)

// find has the requirements that an image of the reference must meet, and the
// scope for messages: `docker "host/team"`, or "default".
func (p *Policy) find(ref image.Ref) (scope string, reqs []requirement, err error) {
	scopes := p.scopes[ref.Transport]
	if len(scopes) == 0 {
		return "default", p.byDefault, nil
	}
	candidates, err := p.scopesOf(ref)
	if err != nil {
		return "", nil, err
	}
	for _, s := range candidates {
		if reqs, ok := scopes[s]; ok {
			return fmt.Sprintf("%s %q", ref.Transport, s), reqs, nil
		}
	}
	return "default", p.byDefault, nil
}

// scopesOf are the scopes that a reference is in, the narrowest first; the
// transport's own, "", is the last.
func (p *Policy) scopesOf(ref image.Ref) ([]string, error) {
	if ref.Transport == image.Docker {
		return append(lookaside.Namespaces(ref), ""), nil
	}
	if ref.Path == "" {
		return []string{""}, nil
	}
	path, err := resolve(ref.Path)
	if err != nil {
		return nil, err
	}
	var all []string
	if ref.Tag != "" {
		all = append(all, path+":"+ref.Tag)
	} else if tagged := p.tagged(ref.Transport, path); tagged != "" {
		// Which image it is only the file says: without its tag it must not
		// escape what is said of it.
		return nil, fmt.Errorf("it may be %q, of which the policy has a scope of its own: say which tag is meant", tagged)
	}
	for ; path != "/"; path = filepath.Dir(path) {
		all = append(all, path)
	}
	return append(all, ""), nil
}

// tagged is a scope that is a tag in the path; "" where there is none.
func (p *Policy) tagged(t image.Transport, path string) string {
	for _, s := range slices.Sorted(maps.Keys(p.scopes[t])) {
		if strings.HasPrefix(s, path+":") {
			return s
		}
	}
	return ""
}

// resolve follows symbolic links, as far as the path exists: scopes have none.
func resolve(path string) (string, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	if real, err := filepath.EvalSymlinks(path); err == nil {
		return real, nil
	}
	if dir, err := filepath.EvalSymlinks(filepath.Dir(path)); err == nil {
		return filepath.Join(dir, filepath.Base(path)), nil
	}
	return path, nil
}
