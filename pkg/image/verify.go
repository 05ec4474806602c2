package image

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// Limits on what is read of an image before its layers.
const (
	MaxManifestBytes = 4 << 20 // as registries have it
	MaxConfigBytes   = 8 << 20
	MaxLayers        = 256
)

// Media types of configs and layers that OCI does not define.
const (
	MediaTypeDockerManifest = "application/vnd.docker.distribution.manifest.v2+json"
	MediaTypeDockerIndex    = "application/vnd.docker.distribution.manifest.list.v2+json"
	MediaTypeLayerGzip      = ocispec.MediaTypeImageLayerGzip
	MediaTypeLayerZstd      = ocispec.MediaTypeImageLayerZstd
	mediaTypeDockerSchema1  = "application/vnd.docker.distribution.manifest.v1"
	mediaTypeDockerConfig   = "application/vnd.docker.container.image.v1+json"
	mediaTypeAppcConfig     = "application/vnd.appc.image.manifest.v1+json"
	// MediaTypeACI is of a layer blob that is an ACI file, of any of the
	// compressions ACIs have; its tree is what lies below rootfs/.
	MediaTypeACI = "application/vnd.appc.image.v1.tar"

	annotationDiffID = "raket.appc.diff-id"
	annotationAppcID = "raket.appc.image-id"

	annotationDependencies = "raket.appc.dependencies"
)

// Manifest is an image manifest whose digest was checked. Only
// VerifyManifest makes one that is not empty.
type Manifest struct {
	raw      []byte
	id       digest.Digest
	kind     Kind
	evidence []Evidence
	parsed   ocispec.Manifest
}

// VerifyManifest checks raw against want and only then parses it. Of kind OCI
// it must be an OCI image manifest or a Docker manifest of schema 2; of kind
// Appc one that NewAppcManifest made. The evidence is what vouches for the
// digest; it becomes Image.Evidence.
func VerifyManifest(raw []byte, want digest.Digest, kind Kind, evidence []Evidence) (Manifest, error) {
	if len(raw) > MaxManifestBytes {
		return Manifest{}, fmt.Errorf("image manifest is larger than %d MiB", MaxManifestBytes>>20)
	}
	if err := CheckDigest("image manifest", raw, want); err != nil {
		return Manifest{}, err
	}
	m := Manifest{raw: raw, id: want, kind: kind, evidence: evidence}
	// A document that is an index to one reader and a manifest to another
	// would be two images under one digest (CVE-2021-41190).
	var probe struct {
		SchemaVersion int             `json:"schemaVersion"`
		MediaType     string          `json:"mediaType"`
		Manifests     json.RawMessage `json:"manifests"`
		FSLayers      json.RawMessage `json:"fsLayers"`
	}
	if err := json.Unmarshal(raw, &probe); err != nil {
		return Manifest{}, fmt.Errorf("parse image manifest: %w", err)
	}
	switch {
	case probe.SchemaVersion == 1 || probe.FSLayers != nil:
		return Manifest{}, errors.New("image manifest is of Docker schema 1, which is no longer supported: push the image again with a current tool")
	case probe.Manifests != nil:
		return Manifest{}, errors.New("image manifest is an index, or both an index and a manifest")
	case probe.SchemaVersion != 2:
		return Manifest{}, fmt.Errorf("image manifest has schema version %d, want 2", probe.SchemaVersion)
	case probe.MediaType != "" && probe.MediaType != ocispec.MediaTypeImageManifest && probe.MediaType != MediaTypeDockerManifest:
		return Manifest{}, fmt.Errorf("image manifest has media type %q", probe.MediaType)
	}
	if err := json.Unmarshal(raw, &m.parsed); err != nil {
		return Manifest{}, fmt.Errorf("parse image manifest: %w", err)
	}
	return m, m.check()
}

func (m Manifest) check() error {
	c := m.parsed.Config
	switch {
	case m.kind == OCI && (c.MediaType == ocispec.MediaTypeImageConfig || c.MediaType == mediaTypeDockerConfig):
	case m.kind == Appc && c.MediaType == mediaTypeAppcConfig:
	default:
		return fmt.Errorf("not a container image: its config has media type %q", c.MediaType)
	}
	if c.Size < 0 || c.Size > MaxConfigBytes {
		return fmt.Errorf("image config is %d bytes, more than %d MiB", c.Size, MaxConfigBytes>>20)
	}
	if err := checkAlgorithm(c.Digest); err != nil {
		return fmt.Errorf("image config: %w", err)
	}
	if len(m.parsed.Layers) > MaxLayers {
		return fmt.Errorf("image has %d layers, more than %d", len(m.parsed.Layers), MaxLayers)
	}
	for i, l := range m.parsed.Layers {
		if err := checkAlgorithm(l.Digest); err != nil {
			return fmt.Errorf("layer %d: %w", i, err)
		}
		if l.Size < 0 {
			return fmt.Errorf("layer %s has negative size %d", l.Digest, l.Size)
		}
		if !layerMediaType(m.kind, l.MediaType) {
			return fmt.Errorf("layer %s has unknown media type %q", l.Digest, l.MediaType)
		}
	}
	return nil
}

// ID is the manifest's digest, the image's ID.
func (m Manifest) ID() digest.Digest { return m.id }

// Config is the digest and length of the config blob, not yet checked.
func (m Manifest) Config() (digest.Digest, int64) {
	return m.parsed.Config.Digest, m.parsed.Config.Size
}

// Verified is a manifest together with its config, both checked. Its zero
// value has no layers.
type Verified struct {
	manifest Manifest
	config   []byte
	img      Image
}

// VerifyConfig checks config against the manifest and only then parses it.
func (m Manifest) VerifyConfig(config []byte) (Verified, error) {
	if len(config) > MaxConfigBytes {
		return Verified{}, fmt.Errorf("image config is larger than %d MiB", MaxConfigBytes>>20)
	}
	if err := CheckDigest("image config", config, m.parsed.Config.Digest); err != nil {
		return Verified{}, err
	}
	img := Image{
		ID: m.id, Kind: m.kind, Config: m.parsed.Config.Digest,
		SizeBytes: int64(len(m.raw)) + int64(len(config)), Evidence: m.evidence,
	}
	for _, l := range m.parsed.Layers {
		img.Layers = append(img.Layers, Layer{
			Digest: l.Digest, DiffID: digest.Digest(l.Annotations[annotationDiffID]),
			MediaType: l.MediaType, SizeBytes: l.Size,
		})
		img.SizeBytes += l.Size
	}
	var err error
	if m.kind == Appc {
		err = img.readAppcConfig(config, m.parsed.Annotations)
	} else {
		err = img.readOCIConfig(config)
	}
	if err != nil {
		return Verified{}, err
	}
	for i, l := range img.Layers {
		if err := checkAlgorithm(l.DiffID); err != nil {
			return Verified{}, fmt.Errorf("diff ID of layer %d: %w", i, err)
		}
	}
	return Verified{manifest: m, config: config, img: img}, nil
}

func (i *Image) readOCIConfig(config []byte) error {
	var c struct {
		OS     string `json:"os"`
		Arch   string `json:"architecture"`
		RootFS struct {
			DiffIDs []digest.Digest `json:"diff_ids"`
		} `json:"rootfs"`
	}
	if err := json.Unmarshal(config, &c); err != nil {
		return fmt.Errorf("parse image config: %w", err)
	}
	if len(c.RootFS.DiffIDs) != len(i.Layers) {
		return fmt.Errorf("image config has %d diff IDs for %d layers", len(c.RootFS.DiffIDs), len(i.Layers))
	}
	for n := range i.Layers {
		i.Layers[n].DiffID = c.RootFS.DiffIDs[n]
	}
	i.OS, i.Arch = c.OS, c.Arch
	return nil
}

// Image is what the store records; Names, Origin and times are not set.
func (v Verified) Image() Image { return v.img }

// ManifestBytes is the checked manifest.
func (v Verified) ManifestBytes() []byte { return v.manifest.raw }

// ConfigBytes is the checked config.
func (v Verified) ConfigBytes() []byte { return v.config }

// Layers has the bottom layer first.
func (v Verified) Layers() []VerifiedLayer {
	layers := make([]VerifiedLayer, len(v.img.Layers))
	for i, l := range v.img.Layers {
		layers[i] = VerifiedLayer{layer: l, kind: v.img.Kind}
	}
	return layers
}

// VerifiedLayer is a layer whose two digests come from a checked manifest and
// config; its bytes are still to be held against them. The zero value is no
// layer, and can't be unpacked.
type VerifiedLayer struct {
	layer Layer
	kind  Kind
}

// Layer is the description that was checked.
func (l VerifiedLayer) Layer() Layer { return l.layer }

// Kind is that of the layer's image: an Appc layer's tree is below rootfs/.
func (l VerifiedLayer) Kind() Kind { return l.kind }

// DigestError is content that is not what its digest says.
type DigestError struct {
	What      string // "image manifest", "layer", …
	Want, Got digest.Digest
}

func (e *DigestError) Error() string {
	return fmt.Sprintf("%s has the wrong digest: expected %s, got %s", e.What, e.Want, e.Got)
}

// CheckDigest holds content against its sha256 digest. The error is a
// *DigestError, or says that want is not a sha256 digest.
func CheckDigest(what string, content []byte, want digest.Digest) error {
	if err := checkAlgorithm(want); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	if got := Sum(content); got != want {
		return &DigestError{What: what, Want: want, Got: got}
	}
	return nil
}

// Sum is the sha256 digest of content.
func Sum(content []byte) digest.Digest {
	return digest.NewDigestFromEncoded(digest.SHA256, fmt.Sprintf("%x", sha256.Sum256(content)))
}

// checkAlgorithm admits sha256 alone: the store files blobs under it.
func checkAlgorithm(d digest.Digest) error {
	hex, ok := cutSHA256(d)
	if !ok || len(hex) != sha256HexDigits || !isHex(hex) {
		return fmt.Errorf("%q is not a sha256 digest", string(d))
	}
	return nil
}
