package corpus

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"
)

// Outcome is what an archive must come to.
type Outcome string

// The outcomes.
const (
	Refused   Outcome = "refused"
	Contained Outcome = "contained"
)

// Layer is one layer of an archive's image.
type Layer struct {
	// Blob is the layer as it travels.
	Blob []byte
	// DiffID is "sha256:HEX" of the uncompressed tar. Where the blob cannot be
	// decompressed it is of as much as can.
	DiffID string
	// MediaType is an OCI layer's.
	MediaType string
}

// Archive is an image with one trick.
type Archive struct {
	// Name is words joined by hyphens, unique and the same for ever.
	Name string
	// Class is the chapter it belongs to.
	Class string
	// Does says what it tries.
	Does   string
	Layers []Layer
	Want   Outcome
	// Reason is a part of the error where Want is Refused.
	Reason string
	// Tree is what the trees of the layers hold, a line a file as List prints
	// it, where Want is Contained; nil where that is too much to write down.
	Tree []string
	// Note says why it is right that this is contained, where that needs saying.
	Note string
}

// Classes are the chapters, in order.
func Classes() []string {
	return []string{classPaths, classLinks, classHardLinks, classTypes, classIDs, classAttrs, classNames, classRepeats, classWhiteouts, classPAX, classSparse, classStreams, classBombs}
}

const (
	classPaths     = "paths"
	classLinks     = "symbolic links"
	classHardLinks = "hard links"
	classTypes     = "kinds of files"
	classIDs       = "modes, owners and times"
	classAttrs     = "extended attributes"
	classNames     = "names"
	classRepeats   = "repeated entries"
	classWhiteouts = "whiteouts"
	classPAX       = "headers"
	classSparse    = "sparse files"
	classStreams   = "streams"
	classBombs     = "bombs"
)

// Archives returns all archives but the bombs. Those that aim at an absolute
// path aim into canary, a clean absolute path. It has a directory "dir" with a
// file "file", as MakeCanary makes it.
func Archives(canary string) []Archive {
	return slices.Concat(
		paths(canary), links(canary), hardLinks(canary), types(), ids(), attrs(canary),
		names(), repeats(canary), whiteouts(), headers(), sparse(), streams())
}

// layerOf is a layer of an uncompressed tar.
func layerOf(tarBytes []byte) Layer {
	return Layer{Blob: tarBytes, DiffID: sum(tarBytes), MediaType: mediaTar}
}

const (
	mediaTar  = "application/vnd.oci.image.layer.v1.tar"
	mediaGzip = mediaTar + "+gzip"
	mediaZstd = mediaTar + "+zstd"
)

func sum(b []byte) string { return fmt.Sprintf("sha256:%x", sha256.Sum256(b)) }

// chapter gathers archives of a class.
type chapter struct {
	class string
	list  []Archive
}

// refused adds an archive of one layer that must be refused.
func (c *chapter) refused(name, does, reason string, entries ...entry) {
	c.list = append(c.list, Archive{Name: name, Class: c.class, Does: does, Want: Refused, Reason: reason, Layers: []Layer{layerOf(makeTar(entries...))}})
}

// contained adds an archive of one layer that unpacks to tree.
func (c *chapter) contained(name, does string, tree []string, entries ...entry) *Archive {
	c.list = append(c.list, Archive{Name: name, Class: c.class, Does: does, Want: Contained, Tree: tree, Layers: []Layer{layerOf(makeTar(entries...))}})
	return &c.list[len(c.list)-1]
}

// layered adds an archive of several layers that unpack to trees one after the other.
func (c *chapter) layered(name, does string, tree []string, layers ...[]entry) {
	a := Archive{Name: name, Class: c.class, Does: does, Want: Contained, Tree: tree}
	for _, entries := range layers {
		a.Layers = append(a.Layers, layerOf(makeTar(entries...)))
	}
	c.list = append(c.list, a)
}

// raw adds an archive of bytes.
func (c *chapter) raw(a Archive, l Layer) {
	a.Class, a.Layers = c.class, []Layer{l}
	c.list = append(c.list, a)
}

// below is the listing of the directories that lead to an absolute path,
// without the path itself.
func below(path string) []string {
	var lines []string
	parts := strings.Split(strings.Trim(path, "/"), "/")
	for i := 1; i < len(parts); i++ {
		lines = append(lines, strings.Join(parts[:i], "/")+" drwxr-xr-x")
	}
	return lines
}
