package policy

import (
	"encoding/base64"
	"path/filepath"
	"slices"
	"strings"

	"github.com/raket/raket/stage0/trust/policy/strictjson"
	"github.com/raket/raket/stage0/trust/simplesigning"
)

// keys reads one of the keys that say where public keys are.
func (r *requirement) keys(of strictjson.Value, m strictjson.Member) error {
	if r.hasKeys() {
		return m.Value.Errorf("only one of keyPath, keyPaths, keyData and keyDatas may stand")
	}
	values := []strictjson.Value{m.Value}
	if strings.HasSuffix(m.Key, "s") {
		var err error
		if values, err = m.Value.Array(); err != nil {
			return err
		}
		switch {
		case len(values) == 0:
			return m.Value.Errorf("must not be empty")
		case len(values) > maxKeys:
			return m.Value.Errorf("more than %d keys", maxKeys)
		}
	}
	for _, v := range values {
		text, err := v.Text()
		if err != nil {
			return err
		}
		if strings.HasPrefix(m.Key, "keyPath") {
			if !filepath.IsAbs(text) {
				return v.Errorf("%q is not an absolute path", text)
			}
			r.paths = append(r.paths, text)
			continue
		}
		key, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			return v.Errorf("not base64")
		}
		r.data = append(r.data, key)
	}
	return nil
}

// parseIdentity reads a signedIdentity.
func parseIdentity(v strictjson.Value) (simplesigning.Identity, error) {
	var none simplesigning.Identity
	members, err := v.Object()
	if err != nil {
		return none, err
	}
	values := make(map[string]strictjson.Value)
	for _, m := range members {
		values[m.Key] = m.Value
	}
	typ, ok := values["type"]
	if !ok {
		return none, v.Errorf("key type is missing")
	}
	rule, err := typ.Text()
	if err != nil {
		return none, err
	}
	var needs []string
	switch simplesigning.Rule(rule) {
	case simplesigning.ExactReference:
		needs = []string{"dockerReference"}
	case simplesigning.ExactRepository:
		needs = []string{"dockerRepository"}
	case simplesigning.RemapIdentity:
		needs = []string{"prefix", "signedPrefix"}
	case simplesigning.MatchExact, simplesigning.MatchRepoDigestOrExact, simplesigning.MatchRepository:
	default:
		return none, typ.Errorf("unknown type %q", rule)
	}
	for _, m := range members {
		if m.Key != "type" && !slices.Contains(needs, m.Key) {
			return none, m.Value.Errorf("unknown, type %s has no such key", rule)
		}
	}
	var texts []string
	for _, key := range needs {
		value, ok := values[key]
		if !ok {
			return none, v.Errorf("key %s is missing", key)
		}
		text, err := value.Text()
		if err != nil {
			return none, err
		}
		texts = append(texts, text)
	}
	id, err := simplesigning.NewIdentity(simplesigning.Rule(rule), texts...)
	if err != nil {
		return none, v.Errorf("%v", err)
	}
	return id, nil
}
