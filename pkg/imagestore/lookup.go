package imagestore

import (
	"cmp"
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
// The error is ErrNotFound or wraps, with the candidates, ErrAmbiguous; the reference is not
// in it.
func (s *Store) Lookup(ref image.Ref) (image.Image, error) {
	img, _, err := s.Find(ref)
	return img, err
}

// Find is Lookup that returns the name, in full, by which the image was found too:
// "" where it was an ID.
func (s *Store) Find(ref image.Ref) (_ image.Image, name string, _ error) {
	images, err := s.load()
	if err != nil {
		return image.Image{}, "", err
	}
	var found []image.Image
	switch ref.Transport {
	case image.ByID:
		found = byID(images, ref.ID)
	case image.ByName:
		if found = byName(images, ref.Name); len(found) > 0 {
			name = bestName(found[0], ref.Name)
		}
		if len(found) == 0 && isIDPrefix(ref.Name) {
			found = byID(images, ref.Name)
		}
	default:
		name = ref.String()
		found = filter(images, func(i image.Image) bool { return slices.Contains(i.Names, name) })
		if len(found) == 0 && ref.Digest != "" {
			found, name = byID(images, ref.Digest.String()), ""
		}
	}
	found = sameACI(found)
	switch len(found) {
	case 0:
		return image.Image{}, "", ErrNotFound
	case 1:
		return found[0], name, s.withLastUsed(found)
	}
	return image.Image{}, "", fmt.Errorf("%w: it may be %s", ErrAmbiguous, candidates(found))
}

// sameACI makes one image, the newest, of those that are one ACI compressed in
// several ways: its appc ID, and what it unpacks to, is the same.
func sameACI(found []image.Image) []image.Image {
	for _, i := range found {
		if i.AppcID == "" || i.AppcID != found[0].AppcID {
			return found
		}
	}
	return found[max(0, len(found)-1):]
}

const maxCandidates = 5

func candidates(images []image.Image) string {
	var names []string
	for _, i := range images[:min(len(images), maxCandidates)] {
		names = append(names, fmt.Sprintf("%s (%s)", image.ShortID(i), i.Name()))
	}
	if len(images) > maxCandidates {
		names = append(names, "others")
	}
	return strings.Join(names, ", ")
}

const minBareID = 6

// isIDPrefix reports hex digits that a user may have copied off a table.
func isIDPrefix(s string) bool {
	return len(s) >= minBareID && strings.Trim(s, "0123456789abcdef") == ""
}

func filter(images []image.Image, keep func(image.Image) bool) []image.Image {
	var found []image.Image
	for _, i := range images {
		if keep(i) {
			found = append(found, i)
		}
	}
	return found
}

func byID(images []image.Image, prefix string) []image.Image {
	return filter(images, func(i image.Image) bool { return i.MatchesID(prefix) })
}

// byName returns the images of the best rank that has any.
func byName(images []image.Image, bare string) []image.Image {
	var found []image.Image
	best := noMatch
	for _, i := range images {
		rank := noMatch
		for _, name := range i.Names {
			rank = min(rank, matchName(bare, name))
		}
		if rank < best {
			best, found = rank, nil
		}
		if rank == best && rank < noMatch {
			found = append(found, i)
		}
	}
	return found
}

// bestName is the image's name that answers best.
func bestName(img image.Image, bare string) string {
	return slices.MinFunc(img.Names, func(a, b string) int { return cmp.Compare(matchName(bare, a), matchName(bare, b)) })
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
	m, err := image.VerifyManifest(raw, img.ID, img.Kind, img.Evidence)
	if err != nil {
		return image.Verified{}, err
	}
	config, err := s.Config(ctx, img)
	if err != nil {
		return image.Verified{}, err
	}
	return m.VerifyConfig(config)
}
