package image

import (
	"slices"
	"strings"
	"time"

	"github.com/opencontainers/go-digest"
)

// EvidenceKind is a way to vouch for an image beyond its digests.
type EvidenceKind string

// The kinds of evidence.
const (
	// OpenPGP is a detached signature of an ACI file (appc spec, "Image Archives").
	OpenPGP EvidenceKind = "openpgp"
	// SimpleSigning is an OpenPGP-signed document that names a manifest digest
	// (containers-signature(5)).
	SimpleSigning EvidenceKind = "simple"
	// Sigstore is a cosign signature made with a key.
	Sigstore EvidenceKind = "sigstore"
	// Override is a user's word that no signature was asked for.
	Override EvidenceKind = "override"
)

// Evidence is one signature that was checked when the image came, or the word
// to do without. Whether it is enough is asked again at each use, since keys
// and policies change.
type Evidence struct {
	Kind EvidenceKind `json:"kind"`
	// Key is the fingerprint of the key: 40 or 64 upper case hex digits for
	// OpenPGP keys (the primary key's), "sha256:" and 64 hex digits, of the
	// public key in DER, for sigstore.
	Key string `json:"key,omitempty"`
	// Signer is what the key says of its owner, as a user ID; may be empty.
	Signer string `json:"signer,omitempty"`
	// Identity is the image name that was signed: a docker reference
	// ("host/repository:tag"), or the appc name that led to the key.
	Identity string `json:"identity,omitempty"`
	// Digest is of what was signed: the image's manifest, the index that led
	// to it, or the ACI file.
	Digest digest.Digest `json:"digest,omitempty"`
	// Signed is when, by the signature's own account; may be zero.
	Signed time.Time `json:"signed,omitzero"`
}

// SameEvidence reports whether both have the same in the same order.
func SameEvidence(a, b []Evidence) bool { return slices.EqualFunc(a, b, Evidence.same) }

// same reports one signature, checked twice.
func (e Evidence) same(other Evidence) bool {
	return e.Kind == other.Kind && e.Key == other.Key && e.Identity == other.Identity &&
		e.Digest == other.Digest && e.Signed.Equal(other.Signed)
}

// MergeEvidence has everything of both, each signature once. Where signatures were
// found, a user's earlier word to do without ends.
func MergeEvidence(old, found []Evidence) []Evidence {
	merged := slices.Clone(old)
	if slices.ContainsFunc(found, func(e Evidence) bool { return e.Kind != Override }) {
		merged = slices.DeleteFunc(merged, func(e Evidence) bool { return e.Kind == Override })
	}
	for _, e := range found {
		if !slices.ContainsFunc(merged, e.same) {
			merged = append(merged, e)
		}
	}
	return merged
}

const shownKeyDigits = 16

// SignatureState says in a word or two who vouches for an image: "openpgp
// 8B86DE38890DDB72", "sigstore 9f86d081884c7d65", "override", several of them, or
// "none", where only digests were checked.
func (i Image) SignatureState() string {
	var words []string
	for _, e := range i.Evidence {
		if e.Kind == Override {
			continue
		}
		key := strings.TrimPrefix(e.Key, "sha256:")
		if key == e.Key {
			key = key[max(0, len(key)-shownKeyDigits):] // an OpenPGP key's ID
		}
		if word := string(e.Kind) + " " + key[:min(len(key), shownKeyDigits)]; !slices.Contains(words, word) {
			words = append(words, word)
		}
	}
	if slices.ContainsFunc(i.Evidence, func(e Evidence) bool { return e.Kind == Override }) {
		// It outlives the keys beside it.
		words = append(words, string(Override))
	}
	if len(words) == 0 {
		return "none"
	}
	return strings.Join(words, ", ")
}
