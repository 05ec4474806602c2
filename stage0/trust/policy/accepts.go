package policy

import (
	"fmt"
	"slices"

	"github.com/opencontainers/go-digest"

	"github.com/raket/raket/pkg/image"
	"github.com/raket/raket/stage0/trust/openpgp"
	"github.com/raket/raket/stage0/trust/sigstore"
)

// Accepts judges an image of the store when it is used, by the policy and the
// keys as they are now and the signatures that were checked when it came. It asks
// no network, and reads keys only where the scope needs them. The error is a
// *RefusedError or says what kept the policy from being judged.
//
// A reference that only the store can answer (an ID, a shortened name) is
// judged by the names that the image was fetched by: what is accepted under one
// of them could be asked for by it.
//
// An override, the user's word at the fetch, stands for signatures; it does not
// stand against reject. Appc images are accepted here: what they need is another
// package's matter.
func (p *Policy) Accepts(ref image.Ref, img image.Image) error {
	if img.Kind == image.Appc {
		return nil
	}
	refs := []image.Ref{ref}
	if ref.InStore() {
		refs = fetchedAs(img)
	}
	var first error
	for _, r := range refs {
		err := p.accepts(r, img)
		if err == nil {
			return nil
		}
		if first == nil {
			first = err
		}
	}
	return first
}

// fetchedAs are the references that an image came by, or one that is in no scope.
func fetchedAs(img image.Image) []image.Ref {
	var refs []image.Ref
	for _, name := range append(slices.Clone(img.Names), img.Origin) {
		if ref, err := image.Parse(name); err == nil && !ref.InStore() && !slices.Contains(refs, ref) {
			refs = append(refs, ref)
		}
	}
	if len(refs) == 0 {
		refs = []image.Ref{{Transport: image.ByID, ID: img.ID.String()}}
	}
	return refs
}

func (p *Policy) accepts(ref image.Ref, img image.Image) error {
	scope, reqs, err := p.find(ref)
	if err != nil {
		return fmt.Errorf("find policy for %s: %w", ref, err)
	}
	for _, r := range reqs {
		if refused := r.metBy(ref, img); refused != nil {
			refused.Image, refused.File, refused.Scope = ref.String(), p.file, scope
			refused.Requirement, refused.Line = r.kind, r.line
			return refused
		}
	}
	return nil
}

const hintFetch = "fetch it again, with --pull-policy=update, to have its signatures looked for"

// metBy says why an image in the store does not meet a requirement; nil where it
// does.
func (r requirement) metBy(ref image.Ref, img image.Image) *RefusedError {
	switch {
	case r.kind == acceptAnything:
		return nil
	case r.kind == reject:
		return because(hintEdit, "no image of that scope may be used")
	case slices.ContainsFunc(img.Evidence, overrides(img.ID)):
		return nil
	case r.unsupported != "":
		return unsupported(r)
	}
	want := image.SimpleSigning
	if r.kind == sigstoreSigned {
		want = image.Sigstore
	}
	evidence := slices.DeleteFunc(slices.Clone(img.Evidence), func(e image.Evidence) bool { return e.Kind != want || e.Digest == "" })
	if len(evidence) == 0 {
		return because(hintFetch, "when it was fetched no such signature was checked")
	}
	trusted, err := r.fingerprints()
	if err != nil {
		return because("", "%v", err)
	}
	refused := &RefusedError{hint: hintFetch}
	for _, e := range evidence {
		why, ok := trusted[e.Key]
		switch err := r.identity.Check(ref, e.Identity); {
		case !ok:
			refused.Why = append(refused.Why, "signed by key "+e.Key+", which is not among the policy's")
		case why != "":
			refused.Why = append(refused.Why, "signed by key "+e.Key+": "+why)
		case err != nil:
			refused.Why = append(refused.Why, "signed by key "+e.Key+": "+err.Error())
		default:
			return nil
		}
	}
	return refused
}

// overrides tells a user's word for that very image, or for whatever came.
func overrides(id digest.Digest) func(image.Evidence) bool {
	return func(e image.Evidence) bool {
		return e.Kind == image.Override && (e.Digest == "" || e.Digest == id)
	}
}

// fingerprints has the requirement's keys, and why one must not be used any more;
// "" for those that may.
func (r requirement) fingerprints() (map[string]string, error) {
	if r.kind == sigstoreSigned {
		return trusted(r.sigstoreKeys, func(k sigstore.Key) (string, string) { return k.Fingerprint(), "" })
	}
	return trusted(func() ([]openpgp.Key, error) {
		keys, err := r.openpgpKeys()
		return keys.Keys(), err
	}, func(k openpgp.Key) (string, string) { return k.Fingerprint, k.Refused })
}

func trusted[K any](read func() ([]K, error), of func(K) (fingerprint, why string)) (map[string]string, error) {
	keys, err := read()
	if err != nil {
		return nil, err
	}
	all := make(map[string]string, len(keys))
	for _, k := range keys {
		fingerprint, why := of(k)
		all[fingerprint] = why
	}
	return all, nil
}
