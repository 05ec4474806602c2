package simplesigning

import (
	"fmt"
	"strings"

	"github.com/raket/raket/pkg/image"
)

// Rule is how an identity is judged (containers-policy.json(5), signedIdentity).
type Rule string

// The rules.
const (
	MatchExact             Rule = "matchExact"
	MatchRepoDigestOrExact Rule = "matchRepoDigestOrExact"
	MatchRepository        Rule = "matchRepository"
	ExactReference         Rule = "exactReference"
	ExactRepository        Rule = "exactRepository"
	RemapIdentity          Rule = "remapIdentity"
)

// Identity says which identity a signature must have. Make one with
// NewIdentity; the zero Identity is MatchRepoDigestOrExact.
type Identity struct {
	rule Rule
	// name is ExactReference's or ExactRepository's.
	name name
	// prefix and signedPrefix are RemapIdentity's.
	prefix, signedPrefix string
}

// NewIdentity checks what a rule needs: ExactReference a name with a tag or a
// digest, ExactRepository one without, RemapIdentity two prefixes ("host[:port]",
// a namespace or a repository, in full), the others nothing. The error says
// what is wrong with which value, without naming its key.
func NewIdentity(rule Rule, values ...string) (Identity, error) {
	id := Identity{rule: rule}
	var err error
	switch rule {
	case MatchExact, MatchRepoDigestOrExact, MatchRepository:
		return id, nil
	case ExactReference:
		if id.name, err = parseName(values[0]); err == nil && id.name.bare() {
			err = fmt.Errorf("%q has neither tag nor digest", cut(values[0]))
		}
	case ExactRepository:
		if id.name, err = parseName(values[0]); err == nil && !id.name.bare() {
			err = fmt.Errorf("%q has a tag or a digest", cut(values[0]))
		}
	case RemapIdentity:
		id.prefix, id.signedPrefix = values[0], values[1]
		for _, p := range values {
			// What docker.io's shortcuts would change is not in full.
			if n, bad := parseName(p + "/x"); bad != nil || !strings.HasPrefix(n.repository, p+"/") {
				err = fmt.Errorf("%q is no host, namespace or repository in full", cut(p))
			}
		}
	default:
		err = fmt.Errorf("unknown rule %q", cut(string(rule)))
	}
	return id, err
}

// Rule is the rule it is made with.
func (id Identity) Rule() Rule {
	if id.rule == "" {
		return MatchRepoDigestOrExact
	}
	return id.rule
}

// Check reports nil where a signature with the identity signed ("host/repository",
// with a tag, a digest or nothing) vouches for what was asked for. The error is
// of one line and quotes signed.
func (id Identity) Check(asked image.Ref, signed string) error {
	got, err := parseName(signed)
	if err != nil {
		return err
	}
	want, exact := id.name, true
	switch rule := id.Rule(); rule {
	case ExactReference:
	case ExactRepository:
		exact = false
	default:
		if asked.Transport != image.Docker {
			return fmt.Errorf("%s needs an image from a registry: %s has no name that could be signed", rule, asked.Transport)
		}
		want = name{repository: asked.Registry + "/" + asked.Repository, tag: asked.Tag, digest: asked.Digest.String()}
		switch rule {
		case MatchRepository:
			exact = false
		case RemapIdentity:
			if want, err = id.remap(want); err != nil {
				return err
			}
			exact = want.digest == ""
		case MatchRepoDigestOrExact:
			exact = want.digest == ""
		}
		// A name alone says nothing of the tag that is asked for.
		if rule != MatchRepository && got.bare() {
			return fmt.Errorf("it is for %q, which has no tag", cut(signed))
		}
	}
	if exact && got != want || !exact && got.repository != want.repository {
		return fmt.Errorf("it is for %q, not %s", cut(signed), want.within(exact))
	}
	return nil
}

// remap puts signedPrefix for prefix, where the name begins with it.
func (id Identity) remap(n name) (name, error) {
	rest, ok := strings.CutPrefix(n.repository, id.prefix)
	if !ok || rest != "" && rest[0] != '/' {
		return n, nil
	}
	n.repository = id.signedPrefix + rest
	if !strings.Contains(n.repository, "/") {
		return name{}, fmt.Errorf("%q is no repository", cut(n.repository))
	}
	return n, nil
}

// name is a docker reference in full.
type name struct {
	repository  string // with the host
	tag, digest string
}

func (n name) bare() bool { return n.tag == "" && n.digest == "" }

func (n name) within(exact bool) string {
	s := n.repository
	if exact && n.tag != "" {
		s += ":" + n.tag
	}
	if exact && n.digest != "" {
		s += "@" + n.digest
	}
	return s
}

// parseName reads a reference with the shortcuts that docker.io has; unlike
// image.Parse it adds no tag and keeps one beside a digest.
func parseName(s string) (name, error) {
	bad := func() (name, error) { return name{}, fmt.Errorf("%q is no image name", cut(s)) }
	ref, err := image.Parse("docker://" + s)
	if err != nil {
		return bad()
	}
	n := name{repository: ref.Registry + "/" + ref.Repository, digest: ref.Digest.String()}
	rest, _, _ := strings.Cut(s, "@")
	if i := strings.LastIndexByte(rest, ':'); i > strings.LastIndexByte(rest, '/') {
		n.tag = rest[i+1:]
	}
	return n, nil
}
