package simplesigning

import (
	"strings"
	"testing"

	"github.com/raket/raket/pkg/image"
)

const (
	sumA = "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	sumB = "sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
)

func TestIdentity(t *testing.T) {
	for name, tt := range map[string]struct {
		rule   Rule
		values []string
		asked  string
		signed string
		want   string // "" for yes, else a part of the refusal
	}{
		"exact: the same tag":                              {rule: MatchExact, asked: "docker://r.example/a:1", signed: "r.example/a:1"},
		"exact: another tag":                               {rule: MatchExact, asked: "docker://r.example/a:1", signed: "r.example/a:2", want: `it is for "r.example/a:2", not r.example/a:1`},
		"exact: by digest, a tag was signed":               {rule: MatchExact, asked: "docker://r.example/a@" + sumA, signed: "r.example/a:1", want: "not r.example/a@sha256:aa"},
		"exact: by digest, the digest was signed":          {rule: MatchExact, asked: "docker://r.example/a@" + sumA, signed: "r.example/a@" + sumA},
		"exact: by digest, another was signed":             {rule: MatchExact, asked: "docker://r.example/a@" + sumA, signed: "r.example/a@" + sumB, want: "it is for"},
		"exact: a name without a tag is not latest":        {rule: MatchExact, asked: "docker://r.example/a", signed: "r.example/a", want: "which has no tag"},
		"exact: docker.io in full and in short":            {rule: MatchExact, asked: "docker://busybox", signed: "docker.io/library/busybox:latest"},
		"exact: the short form was signed":                 {rule: MatchExact, asked: "docker://docker.io/library/busybox:latest", signed: "busybox:latest"},
		"default: the same tag":                            {asked: "docker://r.example/a:1", signed: "r.example/a:1"},
		"default: another tag":                             {asked: "docker://r.example/a:1", signed: "r.example/a:2", want: "not r.example/a:1"},
		"default: a tag and a digest are not the tag":      {asked: "docker://r.example/a:1", signed: "r.example/a:1@" + sumA, want: "it is for"},
		"default: by digest, any tag of the repository":    {asked: "docker://r.example/a@" + sumA, signed: "r.example/a:2"},
		"default: by digest, another repository":           {asked: "docker://r.example/a@" + sumA, signed: "r.example/b:2", want: "not r.example/a"},
		"default: by digest, the repository alone":         {asked: "docker://r.example/a@" + sumA, signed: "r.example/a", want: "which has no tag"},
		"default: another port is another registry":        {asked: "docker://r.example:1/a:1", signed: "r.example:2/a:1", want: "it is for"},
		"repository: another tag":                          {rule: MatchRepository, asked: "docker://r.example/a:1", signed: "r.example/a:2"},
		"repository: none, as cosign does":                 {rule: MatchRepository, asked: "docker://r.example/a:1", signed: "r.example/a"},
		"repository: one that only begins alike":           {rule: MatchRepository, asked: "docker://r.example/a:1", signed: "r.example/ab", want: "it is for"},
		"repository: an image from a directory has none":   {rule: MatchRepository, asked: "oci:/a:1", signed: "r.example/a", want: "needs an image from a registry"},
		"exact reference":                                  {rule: ExactReference, values: []string{"v.example/a:1"}, asked: "docker://r.example/a:2", signed: "v.example/a:1"},
		"exact reference, of an image in a directory":      {rule: ExactReference, values: []string{"v.example/a:1"}, asked: "oci:/a", signed: "v.example/a:1"},
		"exact reference: what was asked for is no matter": {rule: ExactReference, values: []string{"v.example/a:1"}, asked: "docker://r.example/a:2", signed: "r.example/a:2", want: "not v.example/a:1"},
		"exact repository":                                 {rule: ExactRepository, values: []string{"v.example/a"}, asked: "docker://r.example/x:2", signed: "v.example/a:9"},
		"exact repository: another":                        {rule: ExactRepository, values: []string{"v.example/a"}, asked: "docker://r.example/x:2", signed: "r.example/x:2", want: "not v.example/a"},
		"remap: a host":                                    {rule: RemapIdentity, values: []string{"m.example", "v.example"}, asked: "docker://m.example/a/b:1", signed: "v.example/a/b:1"},
		"remap: a namespace to a host":                     {rule: RemapIdentity, values: []string{"m.example:5/vendor", "v.example"}, asked: "docker://m.example:5/vendor/b:1", signed: "v.example/b:1"},
		"remap: the tag counts":                            {rule: RemapIdentity, values: []string{"m.example", "v.example"}, asked: "docker://m.example/a:1", signed: "v.example/a:2", want: "not v.example/a:1"},
		"remap: by digest the repository counts":           {rule: RemapIdentity, values: []string{"m.example", "v.example"}, asked: "docker://m.example/a@" + sumA, signed: "v.example/a:2"},
		"remap: by digest a tag is needed":                 {rule: RemapIdentity, values: []string{"m.example", "v.example"}, asked: "docker://m.example/a@" + sumA, signed: "v.example/a", want: "which has no tag"},
		"remap: elsewhere nothing changes":                 {rule: RemapIdentity, values: []string{"m.example/x", "v.example"}, asked: "docker://m.example/xy:1", signed: "m.example/xy:1"},
		"remap: the mirror's own name no longer counts":    {rule: RemapIdentity, values: []string{"m.example", "v.example"}, asked: "docker://m.example/a:1", signed: "m.example/a:1", want: "not v.example/a:1"},
		"remap: a repository to a host is no repository":   {rule: RemapIdentity, values: []string{"m.example/a", "v.example"}, asked: "docker://m.example/a:1", signed: "v.example/a:1", want: "is no repository"},
		"what was signed is no name":                       {rule: MatchRepository, asked: "docker://r.example/a:1", signed: "../\x1b", want: `"../\x1b" is no image name`},
	} {
		t.Run(name, func(t *testing.T) {
			ref, err := image.Parse(tt.asked)
			if err != nil {
				t.Fatal(err)
			}
			var id Identity
			if tt.rule != "" {
				if id, err = NewIdentity(tt.rule, tt.values...); err != nil {
					t.Fatal(err)
				}
			}
			err = id.Check(ref, tt.signed)
			if tt.want == "" && err != nil {
				t.Errorf("refused: %v", err)
			}
			if tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}

func TestNewIdentityRefuses(t *testing.T) {
	for name, tt := range map[string]struct {
		rule   Rule
		values []string
		want   string
	}{
		"a rule nobody knows":                  {"matchAll", nil, `unknown rule "matchAll"`},
		"a reference without a tag":            {ExactReference, []string{"v.example/a"}, "neither tag nor digest"},
		"no reference":                         {ExactReference, []string{"A B"}, "is no image name"},
		"a repository with a tag":              {ExactRepository, []string{"v.example/a:1"}, "has a tag"},
		"a short prefix":                       {RemapIdentity, []string{"busybox", "v.example"}, `"busybox" is no host`},
		"a prefix with a tag":                  {RemapIdentity, []string{"v.example/a:1", "v.example"}, "is no host"},
		"a signed prefix that ends in a slash": {RemapIdentity, []string{"m.example", "v.example/"}, `"v.example/" is no host`},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := NewIdentity(tt.rule, tt.values...); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}
