package fetch

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/opencontainers/go-digest"

	"github.com/raket/raket/pkg/image"
	"github.com/raket/raket/pkg/imagestore"
)

// resolve reads a name's manifest, through an index where there is one, has it
// judged, and reads its config; each is checked against the digest that led to it.
func resolve(ctx context.Context, ref image.Ref, p platform, src source, opts Options) (image.Verified, error) {
	raw, err := src.Manifest(ctx, ref.Digest)
	if err != nil {
		return image.Verified{}, err
	}
	id := ref.Digest
	if id == "" {
		id = image.Sum(raw)
	}
	if err := image.CheckDigest("image manifest", raw, id); err != nil {
		return image.Verified{}, err
	}
	entries, isIndex, err := parseIndex(raw)
	if err != nil {
		return image.Verified{}, err
	}
	var index digest.Digest
	if isIndex {
		index = id
		if id, err = pick(entries, p); err != nil {
			return image.Verified{}, err
		}
		if raw, err = src.Manifest(ctx, id); err != nil {
			return image.Verified{}, err
		}
	}
	if err := image.CheckDigest("image manifest", raw, id); err != nil {
		return image.Verified{}, err
	}
	digests := []digest.Digest{id}
	if index != "" {
		digests = append(digests, index)
	}
	evidence, err := opts.vouch(ctx, ref, src, digests...)
	if err != nil {
		return image.Verified{}, err
	}
	m, err := image.VerifyManifest(raw, id, image.OCI, evidence)
	if err != nil {
		return image.Verified{}, err
	}
	config, err := readConfig(ctx, m, src, opts.Store)
	if err != nil {
		return image.Verified{}, err
	}
	v, err := m.VerifyConfig(config)
	if err != nil {
		return image.Verified{}, err
	}
	if img := v.Image(); !p.matches(img.OS, img.Arch) {
		return image.Verified{}, fmt.Errorf("image is for %s/%s, not for %s", img.OS, img.Arch, p)
	}
	return v, nil
}

// parseIndex tells an index from a manifest. Its bytes have been checked.
func parseIndex(raw []byte) ([]indexEntry, bool, error) {
	if len(raw) > image.MaxManifestBytes {
		return nil, false, fmt.Errorf("image manifest is larger than %d MiB", image.MaxManifestBytes>>20)
	}
	var doc struct {
		MediaType string          `json:"mediaType"`
		Manifests json.RawMessage `json:"manifests"`
		Layers    json.RawMessage `json:"layers"`
		Config    json.RawMessage `json:"config"`
	}
	if err := json.Unmarshal(raw, &doc); err != nil {
		return nil, false, fmt.Errorf("parse image manifest: %w", err)
	}
	if doc.Manifests == nil {
		return nil, false, nil
	}
	if doc.Layers != nil || doc.Config != nil || doc.MediaType != "" && !image.IsIndex(doc.MediaType) {
		return nil, false, errors.New("image manifest is both an index and a manifest")
	}
	var entries []indexEntry
	if err := json.Unmarshal(doc.Manifests, &entries); err != nil {
		return nil, false, fmt.Errorf("parse image index: %w", err)
	}
	return entries, true, nil
}

const maxPlatformsShown = 8

// pick chooses the manifest for a platform. An index with a single image that
// names no platform means that one.
func pick(entries []indexEntry, p platform) (digest.Digest, error) {
	best, bestRank := indexEntry{}, 0
	var have []string
	for _, e := range entries {
		if rank := p.rank(e); rank > bestRank {
			best, bestRank = e, rank
		}
		if e.Platform != nil && e.Platform.OS != "unknown" && len(have) < maxPlatformsShown {
			have = append(have, platform{e.Platform.OS, e.Platform.Arch, e.Platform.Variant}.String())
		}
	}
	if bestRank == 0 && len(entries) == 1 && entries[0].Platform == nil {
		best, bestRank = entries[0], 1
	}
	if bestRank == 0 {
		if len(have) == 0 {
			return "", fmt.Errorf("image has nothing for %s", p)
		}
		return "", fmt.Errorf("image has nothing for %s, only for %q", p, strings.Join(have, ", "))
	}
	if image.IsIndex(best.MediaType) {
		return "", errors.New("image index leads to another index")
	}
	return digest.Digest(best.Digest), nil
}

// wholeReader is a source that reads a small blob wherever it is right.
type wholeReader interface {
	ReadBlob(ctx context.Context, d digest.Digest, limit int64) ([]byte, error)
}

// readConfig takes the config from the store where it is there.
func readConfig(ctx context.Context, m image.Manifest, src source, store *imagestore.Store) ([]byte, error) {
	id, size := m.Config()
	var r io.ReadCloser
	var err error
	whole, ok := src.(wholeReader)
	switch {
	case store.HasBlob(id):
		r, err = store.OpenBlob(id)
	case ok:
		return whole.ReadBlob(ctx, id, size)
	default:
		r, err = src.Blob(ctx, id)
	}
	if err != nil {
		return nil, err
	}
	config, err := io.ReadAll(io.LimitReader(r, size+1))
	if err := errors.Join(err, r.Close()); err != nil {
		return nil, fmt.Errorf("read image config: %w", err)
	}
	return config, nil
}
