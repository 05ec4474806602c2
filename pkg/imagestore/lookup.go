package imagestore

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/raket/raket/pkg/image"
)

// Lookup finds the image that ref means:
//
//   - by ID, full or shortened, with its algorithm or bare hex digits;
//   - by exactly the reference it was fetched by;
//   - by a bare name: the whole name of an image, with or without docker://, or
//     the last elements of it; a missing tag means latest, or whatever tag
//     there is if there is but one.
//
// The error wraps ErrNotFound or, with the candidates, ErrAmbiguous.
func (s *Store) Lookup(ref image.Ref) (image.Image, error) {
	idx, _, err := s.readIndex()
	if err != nil {
		return image.Image{}, err
	}
	var found []indexEntry
	switch ref.Transport {
	case image.ByID:
		found = idx.byID(ref.ID)
	case image.ByName:
		found = idx.byName(ref.Name)
		if len(found) == 0 && isIDPrefix(ref.Name) {
			found = idx.byID(ref.Name)
		}
	default:
		found = idx.byExactName(ref.String())
		if len(found) == 0 && ref.Digest != "" {
			found = idx.byID(ref.Digest.String())
		}
	}
	slices.SortStableFunc(found, func(a, b indexEntry) int { return strings.Compare(a.Digest.String(), b.Digest.String()) })
	ids := slices.CompactFunc(slices.Clone(found), func(a, b indexEntry) bool { return a.Digest == b.Digest })
	switch len(ids) {
	case 0:
		return image.Image{}, fmt.Errorf("%q: %w", ref, ErrNotFound)
	case 1:
		return s.byID(ids[0].Digest)
	}
	return image.Image{}, fmt.Errorf("%q: %w: it may be %s", ref, ErrAmbiguous, candidates(ids))
}

const maxCandidates = 5

func candidates(entries []indexEntry) string {
	var names []string
	for _, e := range entries[:min(len(entries), maxCandidates)] {
		name := e.name()
		if name == "" {
			name = "an image without a name"
		}
		names = append(names, fmt.Sprintf("%s (%s)", name, image.ShortID(image.Image{ID: e.Digest, AppcID: e.appcID()})))
	}
	if len(entries) > maxCandidates {
		names = append(names, "others")
	}
	return strings.Join(names, ", ")
}

const minBareID = 6

// isIDPrefix reports hex digits that a user may have copied off a table.
func isIDPrefix(s string) bool {
	return len(s) >= minBareID && strings.Trim(s, "0123456789abcdef") == ""
}

func (idx *index) filter(keep func(indexEntry) bool) []indexEntry {
	var found []indexEntry
	for _, e := range idx.Manifests {
		if keep(e) {
			found = append(found, e)
		}
	}
	return found
}

func (idx *index) byID(prefix string) []indexEntry {
	return idx.filter(func(e indexEntry) bool {
		return image.Image{ID: e.Digest, AppcID: e.appcID()}.MatchesID(prefix)
	})
}

func (idx *index) byExactName(name string) []indexEntry {
	return idx.filter(func(e indexEntry) bool { return e.name() == name })
}

// byName returns the entries of the best rank that has any.
func (idx *index) byName(bare string) []indexEntry {
	var found []indexEntry
	best := noMatch
	for _, e := range idx.Manifests {
		rank := matchName(bare, e.name())
		if rank < best {
			best, found = rank, nil
		}
		if rank == best && rank < noMatch {
			found = append(found, e)
		}
	}
	return found
}

const noMatch = 6

// matchName ranks how well an image's name answers to what a user typed; 0 is
// best.
func matchName(bare, name string) int {
	if name == "" {
		return noMatch
	}
	if name == bare {
		return 0
	}
	if strings.HasPrefix(name, "file:") || strings.HasPrefix(name, "oci:") || strings.Contains(name, "-archive:") {
		return noMatch // files are named in full
	}
	name = strings.TrimPrefix(name, "docker://")
	untagged := name
	if i := strings.LastIndexByte(name, ':'); i > strings.LastIndexByte(name, '/') && !strings.Contains(name, "@") {
		untagged = name[:i]
	}
	switch {
	case name == bare:
		return 1
	case name == bare+":latest":
		return 2
	case strings.HasSuffix(name, "/"+bare):
		return 3
	case strings.HasSuffix(name, "/"+bare+":latest"):
		return 4
	case untagged == bare, strings.HasSuffix(untagged, "/"+bare):
		return 5
	}
	return noMatch
}

// Manifest returns the image's OCI manifest, checked against its ID.
func (s *Store) Manifest(_ context.Context, img image.Image) ([]byte, error) {
	return s.readBlob("image manifest", img.ID, image.MaxManifestBytes)
}

// Config returns the image's config, checked against its digest: an OCI image
// config, or an appc ImageManifest, as Kind says.
func (s *Store) Config(_ context.Context, img image.Image) ([]byte, error) {
	return s.readBlob("image config", img.Config, image.MaxConfigBytes)
}

// Verified checks an image's manifest and config anew, which is what its
// layers can be unpacked with.
func (s *Store) Verified(ctx context.Context, img image.Image) (image.Verified, error) {
	raw, err := s.Manifest(ctx, img)
	if err != nil {
		return image.Verified{}, err
	}
	m, err := image.VerifyManifest(raw, img.ID, img.Kind, img.Verification)
	if err != nil {
		return image.Verified{}, err
	}
	config, err := s.Config(ctx, img)
	if err != nil {
		return image.Verified{}, err
	}
	return m.VerifyConfig(config)
}
