package credentials

import (
	"strings"
	"testing"
)

// FuzzParseFile holds the reader of auth.json to what it promises: no panic, a
// credential that can be sent, and errors that hold none.
func FuzzParseFile(f *testing.F) {
	for _, seed := range []string{
		`{"auths": {"a.example/x": {"auth": "aHVudGVyMjpodW50ZXIy"}, "https://index.docker.io/v1/": {"identitytoken": "hunter2"}}}`,
		`{"auths": {"a.example": {"auth": "hunter2"}}, "credHelpers": {"a.example": "x"}, "credsStore": "y"}`,
		`{"a.example": {"username": "u", "password": "hunter2"}}`, `{"auths": []}`, "", "{",
	} {
		f.Add([]byte(seed), false)
		f.Add([]byte(seed), true)
	}
	f.Fuzz(func(t *testing.T, raw []byte, bare bool) {
		doc, err := parseFile(raw, bare)
		if err != nil && strings.Contains(err.Error(), secret) {
			t.Error(err)
		}
		for _, key := range append(keysOf("a.example", "x/y"), dockerHub) {
			e, ok := lookUp(doc.Auths, key)
			if !ok {
				continue
			}
			c, err := e.credential()
			if err != nil && (c != Credential{} || strings.Contains(err.Error(), secret)) {
				t.Errorf("%v, %v", c, err)
			}
			if err == nil && c.check() != nil {
				t.Errorf("%q: %q cannot be sent", key, c)
			}
		}
	})
}

// FuzzParseAnswer is the same of what helpers print.
func FuzzParseAnswer(f *testing.F) {
	for _, seed := range []string{`{"Username": "u", "Secret": "hunter2"}`, `{"Username": "<token>", "Secret": "x\ny"}`, "hunter2", ""} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		c, err := parseAnswer(raw, "x")
		if err != nil && (c != Credential{} || strings.Contains(err.Error(), secret)) {
			t.Errorf("%v, %v", c, err)
		}
		if err == nil && c.check() != nil {
			t.Errorf("%q cannot be sent", c)
		}
	})
}
