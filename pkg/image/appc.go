package image

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/opencontainers/go-digest"
	specs "github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

func cutSHA256(d digest.Digest) (string, bool) { return strings.CutPrefix(string(d), "sha256:") }

// layerMediaType lists what a layer of each kind may say it is. How it is
// compressed is read off its first bytes: archives made by docker save lie.
func layerMediaType(kind Kind, mediaType string) bool {
	if kind == Appc {
		return mediaType == MediaTypeACI
	}
	switch mediaType {
	case ocispec.MediaTypeImageLayer, ocispec.MediaTypeImageLayerGzip, ocispec.MediaTypeImageLayerZstd,
		"application/vnd.oci.image.layer.nondistributable.v1.tar",
		"application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
		"application/vnd.oci.image.layer.nondistributable.v1.tar+zstd",
		"application/vnd.docker.image.rootfs.diff.tar",
		"application/vnd.docker.image.rootfs.diff.tar.gzip",
		"application/vnd.docker.image.rootfs.diff.tar.zstd",
		"application/vnd.docker.image.rootfs.foreign.diff.tar.gzip":
		return true
	}
	return false
}

// IsIndex reports whether a media type is of a multi-platform index.
func IsIndex(mediaType string) bool {
	return mediaType == ocispec.MediaTypeImageIndex || mediaType == MediaTypeDockerIndex
}

// IsSchema1 reports whether a media type is of Docker's first manifests,
// which list layers under digests that nothing checks.
func IsSchema1(mediaType string) bool {
	return strings.HasPrefix(mediaType, mediaTypeDockerSchema1)
}

// NewAppcManifest makes the manifest under which an ACI is kept: the ACI file
// is its one layer, the appc ImageManifest its config. The same arguments give
// the same bytes, so that an ACI has one image ID everywhere. The layer's
// MediaType is set here; appcID is "sha512-" and 128 hex digits. The
// dependencies are Image.Dependencies: with others it is another image, so that
// what an ID stands for never changes.
func NewAppcManifest(layer Layer, config []byte, appcID string, dependencies ...digest.Digest) ([]byte, error) {
	annotations := map[string]string{annotationAppcID: appcID}
	if len(dependencies) > 0 {
		ids := make([]string, len(dependencies))
		for i, d := range dependencies {
			ids[i] = d.String()
		}
		annotations[annotationDependencies] = strings.Join(ids, ",")
	}
	raw, err := json.Marshal(ocispec.Manifest{
		Versioned: specs.Versioned{SchemaVersion: 2},
		MediaType: ocispec.MediaTypeImageManifest,
		Config: ocispec.Descriptor{
			MediaType: mediaTypeAppcConfig, Digest: Sum(config), Size: int64(len(config)),
		},
		Layers: []ocispec.Descriptor{{
			MediaType: MediaTypeACI, Digest: layer.Digest, Size: layer.SizeBytes,
			Annotations: map[string]string{annotationDiffID: layer.DiffID.String()},
		}},
		Annotations: annotations,
	})
	if err != nil {
		return nil, fmt.Errorf("make manifest of ACI: %w", err)
	}
	return raw, nil
}

// NewManifest makes an OCI manifest for a config and layers that came without
// one. A layer without a media type is a plain tar; the same arguments give the
// same bytes.
func NewManifest(config []byte, layers []Layer) ([]byte, error) {
	m := ocispec.Manifest{
		Versioned: specs.Versioned{SchemaVersion: 2},
		MediaType: ocispec.MediaTypeImageManifest,
		Config: ocispec.Descriptor{
			MediaType: ocispec.MediaTypeImageConfig, Digest: Sum(config), Size: int64(len(config)),
		},
		Layers: []ocispec.Descriptor{},
	}
	for _, l := range layers {
		mediaType := ocispec.MediaTypeImageLayer
		if l.MediaType != "" {
			mediaType = l.MediaType
		}
		m.Layers = append(m.Layers, ocispec.Descriptor{MediaType: mediaType, Digest: l.Digest, Size: l.SizeBytes})
	}
	raw, err := json.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("make image manifest: %w", err)
	}
	return raw, nil
}

// appcArch translates appc's architecture names (appc spec, "Image Manifest
// Schema") to Go's where they differ.
func appcArch(arch string) string {
	switch arch {
	case "i386":
		return "386"
	case "aarch64":
		return "arm64"
	case "armv6l", "armv7l":
		return "arm"
	}
	return arch
}

func (i *Image) readAppcConfig(config []byte, annotations map[string]string) error {
	appcID := annotations[annotationAppcID]
	hex, ok := strings.CutPrefix(appcID, appcPrefix)
	if !ok || len(hex) != sha512HexDigits || !isHex(hex) {
		return fmt.Errorf("bad appc image ID %q", appcID)
	}
	if len(i.Layers) != 1 {
		return fmt.Errorf("ACI has %d layers, want 1", len(i.Layers))
	}
	var c struct {
		Kind   string      `json:"acKind"`
		Name   string      `json:"name"`
		Labels []appcLabel `json:"labels"`

		Dependencies  []json.RawMessage `json:"dependencies"`
		PathWhitelist []string          `json:"pathWhitelist"`
	}
	if err := json.Unmarshal(config, &c); err != nil {
		return fmt.Errorf("parse appc image manifest: %w", err)
	}
	if c.Kind != "ImageManifest" || c.Name == "" {
		return errors.New("not an appc image manifest")
	}
	i.AppcID = appcID
	i.Whitelisted = len(c.PathWhitelist) > 0
	if list := annotations[annotationDependencies]; list != "" {
		for id := range strings.SplitSeq(list, ",") {
			if err := checkAlgorithm(digest.Digest(id)); err != nil {
				return fmt.Errorf("dependency of ACI: %w", err)
			}
			i.Dependencies = append(i.Dependencies, digest.Digest(id))
		}
	}
	if len(i.Dependencies) != len(c.Dependencies) {
		return fmt.Errorf("ACI has %d dependencies, of which %d were found", len(c.Dependencies), len(i.Dependencies))
	}
	name := c.Name
	for _, l := range c.Labels {
		switch l.Name {
		case "os":
			i.OS = l.Value
		case "arch":
			i.Arch = appcArch(l.Value)
		case "version":
			name = c.Name + ":" + l.Value
		}
	}
	if !hasControl(name) && !strings.Contains(name, " ") {
		i.Names = []string{name}
	}
	return nil
}

type appcLabel struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}
