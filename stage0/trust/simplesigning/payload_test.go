package simplesigning

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// payload is a good one, after some replacements.
func payload(replace ...string) string {
	return strings.NewReplacer(replace...).Replace(`{"critical": {"type": "atomic container signature", "image": {"docker-manifest-digest": "` + sumA +
		`"}, "identity": {"docker-reference": "r.example/a:1"}}, "optional": {"creator": "x 1", "timestamp": 1700000000}}`)
}

func TestParse(t *testing.T) {
	signed := time.Unix(1700000000, 0).UTC()
	for name, tt := range map[string]struct {
		raw  string
		typ  Type
		want Payload
	}{
		"a payload":                      {payload(), Atomic, Payload{sumA, "r.example/a:1", signed}},
		"cosign's":                       {payload("atomic container", "cosign container image"), Cosign, Payload{sumA, "r.example/a:1", signed}},
		"cosign's with nothing optional": {payload("atomic container", "cosign container image", `{"creator": "x 1", "timestamp": 1700000000}`, "null"), Cosign, Payload{sumA, "r.example/a:1", time.Time{}}},
		"anything optional":              {payload(`"creator": "x 1"`, `"else": [1, null]`), Atomic, Payload{sumA, "r.example/a:1", signed}},
		"a time that no calendar has":    {payload("1700000000", "9223372036854775807"), Atomic, Payload{sumA, "r.example/a:1", time.Time{}}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := Parse([]byte(tt.raw), tt.typ)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestParseRefuses(t *testing.T) {
	for name, tt := range map[string]struct{ raw, want string }{
		"nothing":                     {"", "not JSON"},
		"a payload that is too large": {payload("x 1", strings.Repeat("x", MaxPayloadBytes)), "larger than 64 KiB"},
		"another type":                {payload("atomic", "cosign"), `is "cosign container signature", want "atomic container signature"`},
		"no type":                     {payload(`"type": "atomic container signature", `, ""), "key critical: key type is missing"},
		"no optional part":            {payload(`, "optional": {"creator": "x 1", "timestamp": 1700000000}`, ""), "key optional is missing"},
		"an optional part of nothing": {payload(`{"creator": "x 1", "timestamp": 1700000000}`, "null"), "key optional: must be an object"},
		"a third part":                {payload(`"optional"`, `"more": 1, "optional"`), "key more: unknown"},
		"an unknown critical key":     {payload(`"type"`, `"expires": 1, "type"`), "key critical.expires: unknown"},
		"an unknown image key":        {payload(`"docker-manifest-digest"`, `"x": 1, "docker-manifest-digest"`), "key critical.image.x: unknown"},
		"an unknown identity key":     {payload(`"docker-reference"`, `"x": 1, "docker-reference"`), "key critical.identity.x: unknown"},
		"a digest twice":              {payload(`"docker-manifest-digest"`, `"docker-manifest-digest": "x", "docker-manifest-digest"`), "stands twice"},
		"a key in another case":       {payload(`"type"`, `"Type"`), "key critical.Type: unknown"},
		"a digest that is none":       {payload(sumA, "sha256:aa"), `"sha256:aa" is no sha256 digest`},
		"a digest in upper case":      {payload(sumA, "sha256:"+strings.ToUpper(sumA[7:])), "is no sha256 digest"},
		"a reference that is no text": {payload(`"r.example/a:1"`, "1"), "key critical.identity.docker-reference: must be a string"},
		"a time that is no number":    {payload("1700000000", `"now"`), "key optional.timestamp: must be a number"},
		"a creator that is no text":   {payload(`"x 1"`, "{}"), "key optional.creator: must be a string"},
		"something behind it":         {payload() + "{}", "not JSON"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := Parse([]byte(tt.raw), Atomic); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}

// FuzzParse: what is taken has a digest and a name that were written in it.
func FuzzParse(f *testing.F) {
	f.Add([]byte(payload()))
	f.Add([]byte(payload("atomic container", "cosign container image", `{"creator": "x 1", "timestamp": 1700000000}`, "null")))
	f.Add([]byte(payload(`"type"`, `"x": 1, "type"`)))
	f.Fuzz(func(t *testing.T, raw []byte) {
		for _, typ := range []Type{Atomic, Cosign} {
			p, err := Parse(raw, typ)
			if err != nil {
				if strings.ContainsAny(err.Error(), "\n\x1b") {
					t.Errorf("control characters in %q", err)
				}
				continue
			}
			if !isSHA256(p.Digest.String()) || p.Identity == "" {
				t.Errorf("took %+v", p)
			}
			if _, err := p.Signed.MarshalJSON(); err != nil {
				t.Error(err)
			}
		}
	})
}
