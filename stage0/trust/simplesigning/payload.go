package simplesigning

import (
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/raket/raket/stage0/trust/policy/strictjson"
)

// Type is what a payload says it is ("critical.type").
type Type string

// The types of payload.
const (
	// Atomic is simple signing's (containers-signature(5)).
	Atomic Type = "atomic container signature"
	// Cosign is cosign's, of the same form.
	Cosign Type = "cosign container image signature"
)

// MaxPayloadBytes is more than a payload can need: its identity is one name.
const MaxPayloadBytes = 64 << 10

// Payload is what a signer said.
type Payload struct {
	// Digest is of the manifest, or index; sha256.
	Digest digest.Digest
	// Identity is the docker reference as it was written.
	Identity string
	// Signed is when, by the signer's word; may be zero.
	Signed time.Time
}

// Parse reads a payload of the type. As the format asks for, whatever is
// unknown in its critical part is an error, whatever is unknown in its optional
// part is not.
func Parse(raw []byte, want Type) (Payload, error) {
	if len(raw) > MaxPayloadBytes {
		return Payload{}, fmt.Errorf("signed payload is larger than %d KiB", MaxPayloadBytes>>10)
	}
	doc, err := strictjson.Parse(raw)
	if err != nil {
		return Payload{}, fmt.Errorf("signed payload: %w", err)
	}
	p, err := parse(doc, want)
	if err != nil {
		return Payload{}, fmt.Errorf("signed payload: %w", err)
	}
	return p, nil
}

func parse(doc strictjson.Value, want Type) (Payload, error) {
	var p Payload
	var critical, optional strictjson.Value
	if err := fields(doc, field{"critical", &critical}, field{"optional", &optional}); err != nil {
		return p, err
	}
	var typ, img, identity strictjson.Value
	if err := fields(critical, field{"type", &typ}, field{"image", &img}, field{"identity", &identity}); err != nil {
		return p, err
	}
	switch is, err := typ.Text(); {
	case err != nil:
		return p, err
	case is != string(want):
		return p, typ.Errorf("is %q, want %q", cut(is), want)
	}
	var sum, name strictjson.Value
	if err := fields(img, field{"docker-manifest-digest", &sum}); err != nil {
		return p, err
	}
	if err := fields(identity, field{"docker-reference", &name}); err != nil {
		return p, err
	}
	text, err := sum.Text()
	if err != nil {
		return p, err
	}
	if !isSHA256(text) {
		return p, sum.Errorf("%q is no sha256 digest", cut(text))
	}
	p.Digest = digest.Digest(text)
	if p.Identity, err = name.Text(); err != nil {
		return p, err
	}
	if want == Cosign && optional.Null() {
		return p, nil // as cosign writes it where there is nothing to say
	}
	p.Signed, err = said(optional)
	return p, err
}

// said reads the part that may hold anything; what is known of it must be right.
func said(optional strictjson.Value) (signed time.Time, err error) {
	members, err := optional.Object()
	if err != nil {
		return signed, err
	}
	for _, m := range members {
		switch m.Key {
		case "creator":
			_, err = m.Value.Text()
		case "timestamp":
			var seconds int64
			if seconds, err = m.Value.Int(); err == nil {
				signed = time.Unix(seconds, 0).UTC()
			}
		}
		if err != nil {
			return time.Time{}, err
		}
	}
	// Beyond these years time.Time has no JSON form, and no signer is there.
	if signed.Year() > 9999 || signed.Year() < 1970 {
		return time.Time{}, nil
	}
	return signed, nil
}

// field is a member that an object must have, and where it goes.
type field struct {
	key  string
	into *strictjson.Value
}

// fields has exactly these members of an object.
func fields(v strictjson.Value, want ...field) error {
	members, err := v.Object()
	if err != nil {
		return err
	}
	for _, m := range members {
		i := slices.IndexFunc(want, func(f field) bool { return f.key == m.Key })
		if i < 0 {
			return m.Value.Errorf("unknown")
		}
		*want[i].into = m.Value
	}
	for _, f := range want {
		if f.into.Line == 0 {
			return v.Errorf("key %s is missing", f.key)
		}
	}
	return nil
}

func isSHA256(s string) bool {
	sum, ok := strings.CutPrefix(s, "sha256:")
	raw, err := hex.DecodeString(sum)
	return ok && err == nil && len(raw) == 32 && strings.ToLower(sum) == sum
}

// cut keeps messages short; they are quoted where they are printed.
func cut(s string) string {
	const most = 80
	if len(s) > most {
		return s[:most] + "…"
	}
	return s
}
