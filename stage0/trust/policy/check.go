package policy

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/opencontainers/go-digest"

	"github.com/raket/raket/pkg/image"
	"github.com/raket/raket/stage0/trust/openpgp"
	"github.com/raket/raket/stage0/trust/sigstore"
	"github.com/raket/raket/stage0/trust/simplesigning"
)

// Check judges an image when it comes, and returns the signatures that met its
// requirements: none where none was asked for. Signatures are looked for only
// where a requirement needs them. The error is a *RefusedError, or says what
// kept the policy from being judged; either way the image must not be used.
func (p *Policy) Check(ctx context.Context, s Subject) ([]image.Evidence, error) {
	scope, reqs, err := p.find(s.Ref)
	if err != nil {
		return nil, fmt.Errorf("find policy for %s: %w", s.Ref, err)
	}
	c := checker{policy: p, subject: s}
	var evidence []image.Evidence
	for _, r := range reqs {
		found, refused := c.meets(ctx, r)
		if err := ctx.Err(); err != nil {
			return nil, fmt.Errorf("check signatures of %s: %w", s.Ref, err)
		}
		if refused != nil {
			refused.Image, refused.File, refused.Scope = s.Ref.String(), p.file, scope
			refused.Requirement, refused.Line = r.kind, r.line
			return nil, refused
		}
		evidence = image.MergeEvidence(evidence, found)
	}
	return evidence, nil
}

// checker holds what was found for one image, so that it is fetched once however
// many requirements need it.
type checker struct {
	policy  *Policy
	subject Subject

	simple   *simpleFound
	attached *attachedFound
}

func because(hint, format string, args ...any) *RefusedError {
	return &RefusedError{Why: []string{fmt.Sprintf(format, args...)}, hint: hint}
}

const hintEdit = "what may be used is said in that file"

// meets has the signatures that meet a requirement, or why it is not met.
func (c *checker) meets(ctx context.Context, r requirement) ([]image.Evidence, *RefusedError) {
	switch {
	case r.kind == acceptAnything:
		return nil, nil
	case r.kind == reject:
		return nil, because(hintEdit, "no image of that scope may be used")
	case r.unsupported != "":
		return nil, unsupported(r)
	case r.kind == signedBy:
		return c.signedBy(ctx, r)
	case r.kind == sigstoreSigned:
		return c.sigstoreSigned(ctx, r)
	}
	return nil, because("", "unknown requirement") // parse knows no other
}

func unsupported(r requirement) *RefusedError {
	return because("signatures made with a key can be checked: keyPath or keyData", "key %s is of keyless signing, which raket does not check", r.unsupported)
}

func (c *checker) signedBy(ctx context.Context, r requirement) ([]image.Evidence, *RefusedError) {
	keys, err := r.openpgpKeys()
	if err != nil {
		return nil, because("", "%v", err)
	}
	signatures, problem := c.simpleSignatures(ctx)
	var good []image.Evidence
	var why []string
	hint := ""
	for _, s := range signatures {
		evidence, err := c.simpleSignature(s.raw, keys, r)
		if err != nil {
			why = append(why, s.where+": "+err.Error())
			hint = hintOf(err)
			continue
		}
		good = append(good, evidence)
	}
	return verdict(good, why, problem, hint, "sign it with skopeo standalone-sign or --sign-by, and name the lookaside in registries.d")
}

// simpleSignature is the evidence of one signature: first the signature, then what
// it signs.
func (c *checker) simpleSignature(raw []byte, keys openpgp.Keyring, r requirement) (image.Evidence, error) {
	content, sig, err := openpgp.VerifyMessage(raw, simplesigning.MaxPayloadBytes, keys)
	if err != nil {
		return image.Evidence{}, err
	}
	payload, err := c.payload(content, simplesigning.Atomic, r)
	if err != nil {
		return image.Evidence{}, fmt.Errorf("by key %s: %w", sig.Fingerprint, err)
	}
	return image.Evidence{
		Kind: image.SimpleSigning, Key: sig.Fingerprint, Signer: sig.UserID,
		Identity: payload.Identity, Digest: payload.Digest, Signed: sig.Signed.UTC(),
	}, nil
}

func (c *checker) sigstoreSigned(ctx context.Context, r requirement) ([]image.Evidence, *RefusedError) {
	keys, err := r.sigstoreKeys()
	if err != nil {
		return nil, because("", "%v", err)
	}
	signatures, problem := c.sigstoreSignatures(ctx)
	var good []image.Evidence
	var why []string
	hint := ""
	for _, s := range signatures {
		evidence, err := c.sigstoreSignature(s, keys, r)
		if err != nil {
			why = append(why, s.Where+": "+err.Error())
			hint = hintOf(err)
			continue
		}
		good = append(good, evidence)
	}
	return verdict(good, why, problem, hint, "sign it with cosign sign --key")
}

func (c *checker) sigstoreSignature(s sigstore.Signature, keys []sigstore.Key, r requirement) (image.Evidence, error) {
	i := slices.IndexFunc(keys, func(k sigstore.Key) bool { return k.Verify(s.Payload, s.Bytes) == nil })
	if i < 0 {
		return image.Evidence{}, errors.New("not made by a key of the policy")
	}
	payload, err := c.payload(s.Payload, simplesigning.Cosign, r)
	if err != nil {
		return image.Evidence{}, err
	}
	return image.Evidence{
		Kind: image.Sigstore, Key: keys[i].Fingerprint(),
		Identity: payload.Identity, Digest: payload.Digest, Signed: payload.Signed,
	}, nil
}

// payload reads what a good signature signs, and holds it against the image.
func (c *checker) payload(raw []byte, typ simplesigning.Type, r requirement) (simplesigning.Payload, error) {
	payload, err := simplesigning.Parse(raw, typ)
	if err != nil {
		return payload, err
	}
	if !slices.Contains(c.subject.Digests, payload.Digest) {
		return payload, fmt.Errorf("it is for another image, %s", short(payload.Digest))
	}
	if err := r.identity.Check(c.subject.Ref, payload.Identity); err != nil {
		bare := payload.Identity == c.subject.Ref.Registry+"/"+c.subject.Ref.Repository
		return payload, identityError{err, bare && typ == simplesigning.Cosign && r.identity.Rule() == simplesigning.MatchRepoDigestOrExact}
	}
	return payload, nil
}

// identityError is a good signature of the image, under another name.
type identityError struct {
	error
	// untagged says that cosign signed the repository, as it does by default.
	untagged bool
}

func (e identityError) Hint() string {
	if e.untagged {
		return `cosign signs a repository without a tag; to accept that: "signedIdentity": {"type": "matchRepository"}`
	}
	return "which names a signature may have is said by signedIdentity in that file"
}

// hintOf is what to do about a signature that is no good. The hints of OpenPGP are
// for keys of ACIs, not for those of a policy.
func hintOf(err error) string {
	if id := (identityError{}); errors.As(err, &id) {
		return id.Hint()
	}
	return ""
}

// verdict is that one good signature is enough, whatever else was found.
func verdict(good []image.Evidence, why []string, problem error, hint, sign string) ([]image.Evidence, *RefusedError) {
	if len(good) > 0 {
		return good, nil
	}
	if len(why) == 0 && problem == nil {
		return nil, because(sign, "it has no signature")
	}
	if problem != nil {
		why = append(why, problem.Error())
	}
	return nil, &RefusedError{Why: why, hint: hint}
}

// short is a digest for messages.
func short(d digest.Digest) string { return d.String()[:min(len(d), len("sha256:")+12)] }
