package image

import (
	"strings"
	"time"

	"github.com/opencontainers/go-digest"
)

// Kind tells what an image's config is.
type Kind string

// The kinds of image in a store.
const (
	OCI  Kind = "oci"  // config is an OCI image config
	Appc Kind = "appc" // config is an appc ImageManifest, the one layer an ACI
)

// Layer is one layer of an image.
type Layer struct {
	// Digest is of the blob as fetched; sha256.
	Digest digest.Digest `json:"digest"`
	// DiffID is the digest of the blob's uncompressed tar; sha256.
	DiffID digest.Digest `json:"diffID"`
	// MediaType is the blob's, as the manifest gives it.
	MediaType string `json:"mediaType"`
	// SizeBytes is the blob's length.
	SizeBytes int64 `json:"size"`
}

// Image is an image in the store. The JSON form is what records hold and what
// tables print with --format=json.
type Image struct {
	// ID is the digest of the manifest blob; sha256.
	ID   digest.Digest `json:"id"`
	Kind Kind          `json:"kind"`
	// Names are the canonical references by which the image was fetched, as
	// Ref.String prints them, and bare names it carried itself. A name that
	// has since moved to a newer image is not among them.
	Names []string `json:"names"`
	// Config is the digest of the config blob: an OCI image config or an
	// appc ImageManifest, both JSON.
	Config digest.Digest `json:"config"`
	// Layers has the bottom layer first.
	Layers []Layer `json:"layers"`
	// AppcID is "sha512-" and 128 hex digits for an ACI, the digest of its
	// uncompressed tar (appc spec, "Image ID"); empty otherwise.
	AppcID string `json:"appcID,omitempty"`
	// Dependencies are the images, by ID, whose files lie below this one's, the
	// lowest first (appc spec, "Dependency Matching"): those the manifest's
	// dependencies were found to be when the image was fetched.
	Dependencies []digest.Digest `json:"dependencies,omitempty"`
	// Whitelisted is set where the manifest lists what of the image's and its
	// dependencies' files there is (appc spec, pathWhitelist).
	Whitelisted bool `json:"pathWhitelist,omitempty"`
	// Origin is the reference, as parsed, of the first fetch.
	Origin string `json:"origin"`
	// OS and Arch are in Go's words (linux, amd64); empty where not said.
	OS   string `json:"os,omitempty"`
	Arch string `json:"arch,omitempty"`
	// SizeBytes is the sum of manifest, config and layer blobs.
	SizeBytes int64 `json:"size"`
	// Imported is when the image came into this store, LastUsed when a pod
	// was last prepared from it (or Imported).
	Imported time.Time `json:"imported"`
	LastUsed time.Time `json:"lastUsed"`
	// Evidence is what was checked beyond the digests, which always are.
	Evidence []Evidence `json:"evidence,omitempty"`
}

// Name is the name to show for an image: the first of Names, or its origin.
func (i Image) Name() string {
	if len(i.Names) > 0 {
		return i.Names[0]
	}
	return i.Origin
}

// ShortID is how an image's ID is shown to people: as rkt's for an ACI
// ("sha512-" and 32 hex digits), "sha256:" and 12 hex digits otherwise.
func ShortID(i Image) string {
	id := FullID(i)
	if i.AppcID != "" {
		return id[:min(len(id), len(appcPrefix)+32)]
	}
	return id[:min(len(id), len("sha256:")+12)]
}

// FullID is the ID scripts may keep: AppcID for an ACI, ID otherwise.
func FullID(i Image) string {
	if i.AppcID != "" {
		return i.AppcID
	}
	return i.ID.String()
}

const appcPrefix = "sha512-"

// MatchesID reports whether prefix, which may be an ID with its algorithm
// ("sha512-…", "sha256:…") or bare hex digits, begins one of the image's IDs.
func (i Image) MatchesID(prefix string) bool {
	oci, appc := i.ID.String(), i.AppcID
	return strings.HasPrefix(oci, prefix) || strings.HasPrefix(strings.TrimPrefix(oci, "sha256:"), prefix) ||
		appc != "" && (strings.HasPrefix(appc, prefix) || strings.HasPrefix(strings.TrimPrefix(appc, appcPrefix), prefix))
}
