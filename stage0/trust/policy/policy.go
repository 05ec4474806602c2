package policy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"

	"github.com/opencontainers/go-digest"

	"github.com/raket/raket/pkg/image"
	"github.com/raket/raket/stage0/trust/lookaside"
	"github.com/raket/raket/stage0/trust/sigstore"
)

// maxFileBytes bounds policy.json.
const maxFileBytes = 1 << 20

// Options say where policies and signatures are.
type Options struct {
	// Paths are files; the first that exists is the policy. Default:
	// Files("/usr/lib/raket", "/etc/raket", "").
	Paths []string
	// LookasideDirs are directories of registries.d, later ones winning. They
	// are read when a signature is looked for. Default: lookaside.Dirs of
	// the same directories.
	LookasideDirs []string
	// Client fetches from lookasides. Default: one with sensible timeouts.
	Client *http.Client
}

// Files are the usual places of a policy: in the directories of raket's
// configuration, the user's first, and then containers' own. Empty ones are left out.
func Files(system, local, user string) []string {
	var files []string
	for _, dir := range []string{user, local, system, "/etc/containers"} {
		if dir != "" {
			files = append(files, filepath.Join(dir, "policy.json"))
		}
	}
	return files
}

// Policy is what one file says, or what holds without one. It does not change
// once it is loaded; keys are read anew at each use.
type Policy struct {
	file      string // "" for the built-in one
	byDefault []requirement
	scopes    map[image.Transport]map[string][]requirement

	lookasideDirs []string
	client        *http.Client
}

// Load reads the policy. Where no file exists every image is accepted that has
// the digests it should have. A file that is there and can't be read, or has
// something in it that is not known, is an error that names file, line and key.
func Load(opts Options) (*Policy, error) {
	if opts.Paths == nil {
		opts.Paths = Files("/usr/lib/raket", "/etc/raket", "")
	}
	if opts.LookasideDirs == nil {
		opts.LookasideDirs = lookaside.Dirs("/usr/lib/raket", "/etc/raket", "")
	}
	p := &Policy{byDefault: []requirement{{kind: acceptAnything}}, lookasideDirs: opts.LookasideDirs, client: opts.Client}
	for _, path := range opts.Paths {
		raw, err := readFile(path, maxFileBytes)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err == nil {
			err = p.parse(raw)
		}
		if err != nil {
			return nil, fmt.Errorf("read policy %s: %w", path, err)
		}
		p.file = path
		break
	}
	return p, nil
}

// File is the policy's path, or "" where none exists.
func (p *Policy) File() string { return p.file }

// Subject is an image that has come, or is about to.
type Subject struct {
	// Ref is what the user asked for, not the mirror that answered.
	Ref image.Ref
	// Digests are the manifest's and, where an index led to it, the index's: a
	// signature of either vouches, since the index names the manifest. Both
	// were checked against what was sent.
	Digests []digest.Digest
	// Attachments reads from the repository that the image came from; nil
	// where the source has no such thing.
	Attachments Attachments
}

// Attachments reads what lies beside an image in its repository.
type Attachments = sigstore.Attachments

// SignatureExtender is an optional method of Attachments, for registries with
// the header X-Registry-Supports-Signatures.
type SignatureExtender interface {
	// SignatureExtension is the answer to /extensions/v2/NAME/signatures/DIGEST,
	// JSON; an error that is fs.ErrNotExist where the registry has no such API.
	SignatureExtension(ctx context.Context, d digest.Digest) ([]byte, error)
}

// readFile reads a regular file of at most so many bytes.
func readFile(path string, most int64) (raw []byte, err error) {
	f, err := os.Open(path)
	if err != nil {
		var perr *fs.PathError
		if errors.As(err, &perr) {
			err = perr.Err // the path stands in the message already
		}
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	raw, err = io.ReadAll(io.LimitReader(f, most+1))
	if err != nil {
		return nil, err
	}
	if int64(len(raw)) > most {
		return nil, fmt.Errorf("larger than %d KiB", most>>10)
	}
	return raw, nil
}
