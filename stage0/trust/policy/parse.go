package policy

import (
	"errors"
	"path/filepath"
	"slices"

	"github.com/raket/raket/pkg/image"
	"github.com/raket/raket/stage0/trust/lookaside"
	"github.com/raket/raket/stage0/trust/policy/strictjson"
	"github.com/raket/raket/stage0/trust/simplesigning"
)

// The types of requirement.
const (
	acceptAnything = "insecureAcceptAnything"
	reject         = "reject"
	signedBy       = "signedBy"
	sigstoreSigned = "sigstoreSigned"
)

const (
	maxKeys         = 64
	maxRequirements = 64
)

// requirement is one that an image must meet.
type requirement struct {
	kind string
	line int
	// paths and data are of keys; one of them is set for signatures.
	paths    []string
	data     [][]byte
	identity simplesigning.Identity
	// unsupported is a key of keyless signing, which nothing here meets.
	unsupported string
}

func (p *Policy) parse(raw []byte) error {
	doc, err := strictjson.Parse(raw)
	if err != nil {
		return err
	}
	members, err := doc.Object()
	if err != nil {
		return err
	}
	p.byDefault, p.scopes = nil, make(map[image.Transport]map[string][]requirement)
	for _, m := range members {
		switch m.Key {
		case "default":
			p.byDefault, err = requirements(m.Value)
		case "transports":
			err = p.transports(m.Value)
		default:
			err = m.Value.Errorf("unknown")
		}
		if err != nil {
			return err
		}
	}
	if p.byDefault == nil {
		return doc.Errorf("key default is missing")
	}
	return nil
}

func (p *Policy) transports(v strictjson.Value) error {
	members, err := v.Object()
	if err != nil {
		return err
	}
	for _, m := range members {
		scopes, err := m.Value.Object()
		if err != nil {
			return err
		}
		transport := image.Transport(m.Key)
		p.scopes[transport] = make(map[string][]requirement, len(scopes))
		for _, s := range scopes {
			scope, err := parseScope(transport, s.Key)
			if err != nil {
				return s.Value.Errorf("%v", err)
			}
			if _, twice := p.scopes[transport][scope]; twice {
				return s.Value.Errorf("stands twice")
			}
			if p.scopes[transport][scope], err = requirements(s.Value); err != nil {
				return err
			}
		}
	}
	return nil
}

// parseScope is a scope as scopesOf writes it. Those of other tools' transports
// stay as they are.
func parseScope(t image.Transport, s string) (string, error) {
	if s == "" {
		return s, nil
	}
	switch t {
	case image.Docker:
		return lookaside.ParseNamespace(s)
	case image.OCILayout, image.OCIArchive, image.DockerArchive:
		switch {
		case !filepath.IsAbs(s):
			return "", errors.New("must be an absolute path")
		case s == "/":
			return "", errors.New(`write "" for everywhere`)
		case filepath.Clean(s) != s:
			return "", errors.New("write " + filepath.Clean(s))
		}
	}
	return s, nil
}

func requirements(v strictjson.Value) ([]requirement, error) {
	items, err := v.Array()
	if err != nil {
		return nil, err
	}
	switch {
	case len(items) == 0:
		return nil, v.Errorf("must not be empty: write insecureAcceptAnything for no requirement")
	case len(items) > maxRequirements:
		return nil, v.Errorf("more than %d requirements", maxRequirements)
	}
	var all []requirement
	for _, item := range items {
		r, err := parseRequirement(item)
		if err != nil {
			return nil, err
		}
		all = append(all, r)
	}
	return all, nil
}

func parseRequirement(v strictjson.Value) (requirement, error) {
	r := requirement{line: v.Line}
	members, err := v.Object()
	if err != nil {
		return r, err
	}
	i := slices.IndexFunc(members, func(m strictjson.Member) bool { return m.Key == "type" })
	if i < 0 {
		return r, v.Errorf("key type is missing")
	}
	if r.kind, err = members[i].Value.Text(); err != nil {
		return r, err
	}
	fields := slices.Delete(slices.Clone(members), i, i+1)
	switch r.kind {
	case acceptAnything, reject:
		if len(fields) > 0 {
			return r, fields[0].Value.Errorf("unknown, type %s has no such key", r.kind)
		}
		return r, nil
	case signedBy:
		return r, r.signedBy(v, fields)
	case sigstoreSigned:
		return r, r.sigstoreSigned(v, fields)
	}
	return r, members[i].Value.Errorf("unknown type %q", r.kind)
}

func (r *requirement) signedBy(v strictjson.Value, fields []strictjson.Member) error {
	keyType := ""
	for _, m := range fields {
		var err error
		switch m.Key {
		case "keyType":
			if keyType, err = m.Value.Text(); err == nil && keyType != "GPGKeys" {
				err = m.Value.Errorf("unknown type %q, want GPGKeys", keyType)
			}
		case "keyPath", "keyPaths", "keyData":
			err = r.keys(v, m)
		case "signedIdentity":
			r.identity, err = parseIdentity(m.Value)
		default:
			err = m.Value.Errorf("unknown, type %s has no such key", r.kind)
		}
		if err != nil {
			return err
		}
	}
	switch {
	case keyType == "":
		return v.Errorf("key keyType is missing")
	case !r.hasKeys():
		return v.Errorf("one of keyPath, keyPaths and keyData is missing")
	}
	return nil
}

func (r *requirement) sigstoreSigned(v strictjson.Value, fields []strictjson.Member) error {
	for _, m := range fields {
		var err error
		switch m.Key {
		case "keyPath", "keyPaths", "keyData", "keyDatas":
			err = r.keys(v, m)
		case "fulcio", "pki", "rekorPublicKeyPath", "rekorPublicKeyPaths", "rekorPublicKeyData", "rekorPublicKeyDatas":
			r.unsupported = m.Key
		case "signedIdentity":
			r.identity, err = parseIdentity(m.Value)
		default:
			err = m.Value.Errorf("unknown, type %s has no such key", r.kind)
		}
		if err != nil {
			return err
		}
	}
	if !r.hasKeys() && r.unsupported == "" {
		return v.Errorf("one of keyPath, keyPaths, keyData and keyDatas is missing")
	}
	return nil
}

func (r *requirement) hasKeys() bool { return r.paths != nil || r.data != nil }
