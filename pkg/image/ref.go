package image

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/opencontainers/go-digest"
)

// Transport is where a reference points.
type Transport string

// The transports.
const (
	Docker        Transport = "docker"         // a registry
	OCILayout     Transport = "oci"            // an OCI image layout directory
	OCIArchive    Transport = "oci-archive"    // a tar of one
	DockerArchive Transport = "docker-archive" // the output of docker save
	ACIFile       Transport = "aci"            // an appc image file
	ACIURL        Transport = "aci-url"        // an appc image file on a web site
	ByID          Transport = "id"             // an image in the store, by (shortened) ID
	ByName        Transport = "name"           // an image in the store, by (shortened) name
)

// Ref is a parsed reference. The zero Ref refers to nothing; Parse makes the
// others. Refs are comparable.
type Ref struct {
	Transport Transport
	// Registry (host or host:port), Repository, and one of Tag and Digest
	// are set for Docker.
	Registry   string
	Repository string
	// Tag is also the optional name within an OCILayout, OCIArchive or
	// DockerArchive.
	Tag    string
	Digest digest.Digest
	// Path is set for the transports that name files.
	Path string
	// URL is set for ACIURL: http or https, in the form parseURL gives it.
	URL string
	// ID is set for ByID: "sha256:" or "sha512-" and 2 or more hex digits.
	ID string
	// Name is set for ByName.
	Name string
}

const (
	maxRefLen       = 4096
	dockerRegistry  = "docker.io"
	dockerLibrary   = "library/"
	defaultTag      = "latest"
	maxRepoLen      = 255
	maxTagLen       = 128
	minIDHexDigits  = 2
	sha256HexDigits = 64
	sha512HexDigits = 128
)

// Parse reads a reference as a user types it:
//
//	docker://[HOST[:PORT]/]NAME[:TAG|@sha256:HEX]   default tag latest, default host docker.io
//	oci:DIR[:TAG]   oci-archive:FILE[:TAG]   docker-archive:FILE[:NAME]
//	FILE.aci, /FILE, ./FILE, ../FILE, file://FILE
//	https://HOST/PATH, http://HOST/PATH
//	sha256:HEX, sha512-HEX                           possibly shortened
//	anything else                                    a name in the store
//
// The error says what is wrong, without naming the reference.
func Parse(s string) (Ref, error) {
	switch {
	case s == "":
		return Ref{}, errors.New("empty image name")
	case len(s) > maxRefLen:
		return Ref{}, fmt.Errorf("image name is longer than %d bytes", maxRefLen)
	case hasControl(s):
		return Ref{}, errors.New("image name has a control character")
	}
	scheme, rest, hasScheme := strings.Cut(s, ":")
	if hasScheme {
		switch Transport(scheme) {
		case Docker:
			return parseDocker(rest)
		case OCILayout, OCIArchive, DockerArchive:
			return parseArchive(Transport(scheme), rest)
		}
		switch scheme {
		case "file":
			return parseFile(strings.TrimPrefix(rest, "//"))
		case "sha256":
			return parseID(s, rest, sha256HexDigits)
		case "http", "https":
			return parseURL(s)
		}
	}
	if hex, ok := strings.CutPrefix(s, appcPrefix); ok {
		return parseID(s, hex, sha512HexDigits)
	}
	if strings.HasSuffix(s, ".aci") || s[0] == '/' || strings.HasPrefix(s, "./") || strings.HasPrefix(s, "../") {
		return parseFile(s)
	}
	if strings.Contains(s, "://") {
		return Ref{}, fmt.Errorf("unknown image transport %q", scheme)
	}
	if strings.Contains(s, " ") {
		return Ref{}, errors.New("image name has a space")
	}
	return Ref{Transport: ByName, Name: s}, nil
}

// String is the canonical form: Parse of it gives the same Ref.
func (r Ref) String() string {
	switch r.Transport {
	case Docker:
		s := "docker://" + r.Registry + "/" + r.Repository
		if r.Digest != "" {
			return s + "@" + r.Digest.String()
		}
		return s + ":" + r.Tag
	case OCILayout, OCIArchive, DockerArchive:
		s := string(r.Transport) + ":" + r.Path
		if r.Tag != "" {
			s += ":" + r.Tag
		}
		return s
	case ACIFile:
		return "file://" + r.Path
	case ACIURL:
		return r.URL
	case ByID:
		return r.ID
	case ByName:
		return r.Name
	}
	return ""
}

// Abs resolves the path of a file reference against dir; other references
// come back unchanged.
func (r Ref) Abs(dir string) Ref {
	if r.Path != "" && !filepath.IsAbs(r.Path) {
		r.Path = filepath.Join(dir, r.Path)
	}
	return r
}

// InStore reports whether the reference can only be answered by the store.
func (r Ref) InStore() bool { return r.Transport == ByID || r.Transport == ByName }

func parseFile(path string) (Ref, error) {
	if path == "" {
		return Ref{}, errors.New("empty file name")
	}
	return Ref{Transport: ACIFile, Path: filepath.Clean(path)}, nil
}

func parseArchive(t Transport, rest string) (Ref, error) {
	path, tag, _ := strings.Cut(rest, ":")
	if path == "" {
		return Ref{}, fmt.Errorf("%s: needs a path", t)
	}
	return Ref{Transport: t, Path: filepath.Clean(path), Tag: tag}, nil
}

func parseID(s, hex string, full int) (Ref, error) {
	switch {
	case len(hex) < minIDHexDigits:
		return Ref{}, fmt.Errorf("image ID needs at least %d hex digits", minIDHexDigits)
	case len(hex) > full:
		return Ref{}, fmt.Errorf("image ID has more than %d hex digits", full)
	case !isHex(hex):
		return Ref{}, errors.New("image ID has a character that is no lower case hex digit")
	}
	return Ref{Transport: ByID, ID: s}, nil
}

func parseDocker(rest string) (Ref, error) {
	rest, ok := strings.CutPrefix(rest, "//")
	if !ok {
		return Ref{}, errors.New("docker image name must begin with docker://")
	}
	r := Ref{Transport: Docker, Registry: dockerRegistry}
	rest, dig, hasDigest := strings.Cut(rest, "@")
	if hasDigest {
		hex, ok := strings.CutPrefix(dig, "sha256:")
		if !ok || len(hex) != sha256HexDigits || !isHex(hex) {
			return Ref{}, fmt.Errorf("%q is not a sha256 digest", dig)
		}
		r.Digest = digest.Digest(dig)
	}
	if i := strings.LastIndexByte(rest, ':'); i > strings.LastIndexByte(rest, '/') {
		// With a digest the tag is decoration: it may have moved since.
		rest, r.Tag = rest[:i], rest[i+1:]
		if !isTag(r.Tag) {
			return Ref{}, fmt.Errorf("bad tag %q", r.Tag)
		}
	}
	if hasDigest {
		r.Tag = ""
	} else if r.Tag == "" {
		r.Tag = defaultTag
	}
	first, path, hasSlash := strings.Cut(rest, "/")
	switch {
	case hasSlash && (strings.ContainsAny(first, ".:[") || first == "localhost"):
		if !isHost(first) {
			return Ref{}, fmt.Errorf("bad registry host %q", first)
		}
		r.Registry, rest = first, path
		if first == "index.docker.io" || first == "registry-1.docker.io" {
			r.Registry = dockerRegistry
		}
	}
	if r.Registry == dockerRegistry && !strings.Contains(rest, "/") {
		rest = dockerLibrary + rest
	}
	if !isRepository(rest) {
		return Ref{}, fmt.Errorf("bad repository name %q", rest)
	}
	r.Repository = rest
	return r, nil
}
