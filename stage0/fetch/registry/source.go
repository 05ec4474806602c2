package registry

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/opencontainers/go-digest"

	"github.com/raket/raket/pkg/image"
	"github.com/raket/raket/stage0/registries"
)

// accepted are the manifests understood (distribution-spec, "Pulling
// manifests"). Schema 1 is not among them, but some registries send it.
const accepted = "application/vnd.oci.image.index.v1+json, " +
	"application/vnd.docker.distribution.manifest.list.v2+json, " +
	"application/vnd.oci.image.manifest.v1+json, " +
	"application/vnd.docker.distribution.manifest.v2+json"

// Source is one repository, at one or more endpoints. Its methods may be called
// from several goroutines. Their errors are an *Error, a *LyingError or the
// context's.
type Source struct {
	ref       image.Ref
	endpoints []*endpoint
	warn      func(string)
	// first is the endpoint that had the last manifest: those before it
	// have not.
	first atomic.Int32

	mu   sync.Mutex
	gave map[digest.Digest]int // the endpoint that a blob, or the first part of it, came from
}

// Open prepares to ask for ref, a Docker reference. Nothing is asked of the
// network yet.
func Open(_ context.Context, ref image.Ref, opts Options) (*Source, error) {
	opts = opts.withDefaults()
	if ref.Transport != image.Docker {
		return nil, fmt.Errorf("%q is not an image of a registry", ref)
	}
	where := opts.Endpoints
	if len(where) == 0 {
		where = []registries.Endpoint{{Registry: ref.Registry, Repository: ref.Repository}}
	}
	s := &Source{ref: ref, warn: opts.Warn, gave: map[digest.Digest]int{}}
	for i, w := range where {
		e, err := newEndpoint(w, i < len(where)-1, opts)
		if err != nil {
			return nil, err
		}
		s.endpoints = append(s.endpoints, e)
	}
	return s, nil
}

// Close drops idle connections.
func (s *Source) Close() error {
	for _, e := range s.endpoints {
		e.tr.close()
	}
	return nil
}

// Names is empty: a registry's image has the name it was fetched by.
func (s *Source) Names() []string { return nil }

// Manifest reads the manifest or index of a digest, or for an empty one that of
// the reference: by its digest, else by its tag. What has a digest is what it
// says. The error is fs.ErrNotExist where there is none.
func (s *Source) Manifest(ctx context.Context, d digest.Digest) ([]byte, error) {
	if d == "" {
		d = s.ref.Digest
	}
	what := s.ref.Tag
	if d != "" {
		if err := d.Validate(); err != nil {
			return nil, fmt.Errorf("bad digest %q of a manifest", d)
		}
		what = d.String()
	}
	var raw []byte
	at, err := s.each(ctx, func(e *endpoint) (err error) {
		raw, err = e.manifest(ctx, what, d)
		return err
	})
	if err != nil {
		var e *Error
		if errors.As(err, &e) && e.Status != 0 && e.Doing == doingManifest {
			named := *e
			named.Doing = fmt.Sprintf("find image %q", strings.TrimPrefix(s.ref.String(), "docker://"))
			return nil, &named
		}
		return nil, err
	}
	s.first.Store(int32(at)) //nolint:gosec // there are few endpoints
	return raw, nil
}

// TagManifest reads the manifest or index of another tag of the repository, as
// signatures and attestations have them. The error is fs.ErrNotExist where
// there is none.
func (s *Source) TagManifest(ctx context.Context, tag string) ([]byte, error) {
	if !isTag(tag) {
		return nil, fmt.Errorf("bad tag %q", oneLine(tag))
	}
	var raw []byte
	_, err := s.each(ctx, func(e *endpoint) (err error) {
		raw, err = e.manifest(ctx, tag, "")
		return err
	})
	return raw, err
}

// ReadBlob reads a blob of at most limit bytes, and is the blob of that digest.
func (s *Source) ReadBlob(ctx context.Context, d digest.Digest, limit int64) ([]byte, error) {
	for {
		raw, err := s.readBlob(ctx, d, limit)
		if wrongDigest(err) && s.Distrust(d) {
			continue
		}
		return raw, err
	}
}

// Distrust is told that what Blob gave for d was not of that digest or length.
// The endpoint it came from is not asked again for anything; where it came from
// several, the first of them. It reports whether another endpoint is left, and
// thus whether to ask for the blob once more, from its first byte.
func (s *Source) Distrust(d digest.Digest) bool {
	s.mu.Lock()
	at, known := s.gave[d]
	s.mu.Unlock()
	if !known {
		return false
	}
	next := s.after(func(i int) bool { return i != at })
	if next < 0 {
		return false
	}
	if e := s.endpoints[at]; e.left.CompareAndSwap(false, true) {
		s.warn(fmt.Sprintf("%s sent something else for %s: asking %s", e.title(), d, s.endpoints[next].name))
	}
	return true
}

// after is the first endpoint that is worth asking and that ok takes, or -1.
func (s *Source) after(ok func(i int) bool) int {
	for i := int(s.first.Load()); i < len(s.endpoints); i++ {
		if ok(i) && !s.endpoints[i].left.Load() {
			return i
		}
	}
	return -1
}

// each calls f with one endpoint after the other until one succeeds, and
// returns that one's number or the last one's error.
func (s *Source) each(ctx context.Context, f func(*endpoint) error) (int, error) {
	return s.eachFrom(ctx, s.after(func(int) bool { return true }), f)
}

func (s *Source) eachFrom(ctx context.Context, at int, f func(*endpoint) error) (int, error) {
	for at >= 0 {
		err := f(s.endpoints[at])
		if err == nil {
			return at, nil
		}
		if ctx.Err() != nil {
			return 0, context.Cause(ctx)
		}
		next := s.after(func(i int) bool { return i > at })
		if next < 0 {
			return 0, err
		}
		s.leave(at, next, err)
		at = next
	}
	return 0, fmt.Errorf("ask for %q: no registry is left to ask", s.ref)
}

// leave has an endpoint not be asked again, unless it only lacks something.
func (s *Source) leave(at, next int, err error) {
	var known *Error
	text := err.Error()
	if errors.As(err, &known) {
		if known.Status == 404 {
			return
		}
		text = known.Doing + ": " + known.text
	}
	if e := s.endpoints[at]; e.left.CompareAndSwap(false, true) {
		s.warn(fmt.Sprintf("%s failed (%s): asking %s", e.title(), oneLine(text), s.endpoints[next].name))
	}
}

func (e *endpoint) title() string {
	if e.mirror {
		return "mirror " + e.name
	}
	return "registry " + e.name
}

const maxTagLen = 128

// isTag holds a tag against distribution-spec, "Pulling manifests".
func isTag(s string) bool {
	if s == "" || len(s) > maxTagLen || s[0] == '.' || s[0] == '-' {
		return false
	}
	for i := range len(s) {
		if c := s[i]; !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '.' || c == '-') {
			return false
		}
	}
	return true
}
