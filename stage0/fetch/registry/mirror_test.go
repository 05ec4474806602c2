package registry

import (
	"bytes"
	"errors"
	"io/fs"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/go-digest"

	"github.com/raket/raket/pkg/image"
)

// pair is a mirror and the registry, which has one image.
type pair struct {
	mirror, origin *fake
	content        []byte
	d              digest.Digest
	source         *Source

	mu     sync.Mutex
	warned []string
}

func newPair(t *testing.T) *pair {
	t.Helper()
	p := &pair{mirror: newFake(t, false), origin: newFake(t, false), content: noise(1 << 20)}
	p.mirror.put("1", p.content)
	p.d = p.origin.put("1", p.content)
	p.reopen(t, p.mirror.host, 0)
	return p
}

func (p *pair) reopen(t *testing.T, mirror string, stall time.Duration) {
	t.Helper()
	p.source = open(t, "registry.example", Options{
		Endpoints: mirrors(mirror, p.origin.host), StallTimeout: stall,
		Warn: func(line string) {
			p.mu.Lock()
			defer p.mu.Unlock()
			p.warned = append(p.warned, strings.NewReplacer(mirror, "MIRROR", p.origin.host, "ORIGIN", p.d.String(), "DIGEST").Replace(line))
		},
	})
}

// fetch asks for a manifest and two blobs, as a caller that verifies.
func (p *pair) fetch(t *testing.T) {
	t.Helper()
	raw, err := p.source.Manifest(t.Context(), p.d)
	if err != nil || !bytes.Equal(raw, p.content) {
		t.Fatalf("manifest of %d bytes, %v", len(raw), err)
	}
	for range 2 {
		raw, err = p.source.ReadBlob(t.Context(), p.d, 2<<20)
		if err != nil || !bytes.Equal(raw, p.content) {
			t.Fatalf("blob of %d bytes, %v", len(raw), err)
		}
	}
}

func TestMirrors(t *testing.T) {
	status := func(code int) func(http.ResponseWriter, *http.Request, int) bool {
		return func(w http.ResponseWriter, _ *http.Request, _ int) bool {
			w.WriteHeader(code)
			return true
		}
	}
	lie := func(w http.ResponseWriter, r *http.Request, _ int) bool {
		serve(w, r, bytes.Repeat([]byte("lie!"), 256<<10))
		return true
	}
	for _, tc := range []struct {
		name string
		hook func(http.ResponseWriter, *http.Request, int) bool
		// blobs has the hook for blobs alone.
		blobs          bool
		stalls         bool
		mirror, origin int // requests
		warned         []string
	}{
		{name: "a good one has everything", hook: func(http.ResponseWriter, *http.Request, int) bool { return false }, mirror: 3},
		{name: "one without the image is asked for the manifest only", hook: status(404), mirror: 1, origin: 3},
		{name: "one without the blobs is asked for each", hook: status(404), blobs: true, mirror: 3, origin: 2},
		{name: "one that fails is asked twice, and then no more", hook: status(500), mirror: 2, origin: 3,
			warned: []string{"mirror MIRROR failed (get manifest: it answered 500 Internal Server Error): asking ORIGIN"}},
		{name: "one that refuses is asked once", hook: status(403), mirror: 1, origin: 3,
			warned: []string{"mirror MIRROR failed (get manifest: it answered 403 Forbidden): asking ORIGIN"}},
		{name: "one that lies about a manifest", hook: lie, mirror: 1, origin: 3,
			warned: []string{"mirror MIRROR failed (registry MIRROR sent something else: image manifest has the wrong digest: expected DIGEST, got " +
				image.Sum(bytes.Repeat([]byte("lie!"), 256<<10)).String() + "): asking ORIGIN"}},
		{name: "one that lies about a blob", hook: lie, blobs: true, mirror: 2, origin: 2,
			warned: []string{"mirror MIRROR sent something else for DIGEST: asking ORIGIN"}},
		{name: "one that stalls", stalls: true, blobs: true, hook: func(w http.ResponseWriter, r *http.Request, _ int) bool {
			hang(w, r)
			return true
		}, mirror: 3, origin: 2, warned: []string{"mirror MIRROR failed (get blob DIGEST: registry sent nothing for " + testStall.String() + "): asking ORIGIN"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := newPair(t)
			if tc.stalls {
				p.reopen(t, p.mirror.host, testStall)
			}
			p.mirror.on(func(w http.ResponseWriter, r *http.Request, n int) bool {
				return (!tc.blobs || isBlob(r)) && tc.hook(w, r, n)
			})
			p.fetch(t)
			if m, o := len(p.mirror.requests()), len(p.origin.requests()); m != tc.mirror || o != tc.origin {
				t.Errorf("asked the mirror %d times and the registry %d, want %d and %d", m, o, tc.mirror, tc.origin)
			}
			if diff := cmp.Diff(tc.warned, p.warned); diff != "" {
				t.Errorf("warnings (-want +got):\n%s", diff)
			}
		})
	}
	t.Run("one that is not there", func(t *testing.T) {
		p := newPair(t)
		p.reopen(t, "127.0.0.1:1", 0)
		p.fetch(t)
		if len(p.warned) != 1 || !strings.Contains(p.warned[0], "connection refused): asking ORIGIN") {
			t.Errorf("warnings %q", p.warned)
		}
	})
	t.Run("all without the image", func(t *testing.T) {
		p := newPair(t)
		if _, err := p.source.TagManifest(t.Context(), "2"); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("error %v", err)
		}
	})
	t.Run("the registry's word is the last", func(t *testing.T) {
		p := newPair(t)
		p.origin.on(status(403))
		_, err := p.source.TagManifest(t.Context(), "2")
		if errors.Is(err, fs.ErrNotExist) {
			t.Error("a mirror's 404 hid that the registry could not be asked")
		}
		checkError(t, err, "403")
	})
	t.Run("all that lie", func(t *testing.T) {
		p := newPair(t)
		p.mirror.on(lie)
		p.origin.on(lie)
		_, err := p.source.Manifest(t.Context(), p.d)
		var lying *LyingError
		var wrong *image.DigestError
		if !errors.As(err, &lying) || lying.Registry != p.origin.host || !errors.As(err, &wrong) {
			t.Errorf("error %v", err)
		}
		p = newPair(t)
		p.mirror.on(lie)
		p.origin.on(lie)
		if _, err := p.source.ReadBlob(t.Context(), p.d, 2<<20); !errors.As(err, &lying) {
			t.Errorf("error %v", err)
		}
	})
}

// TestAMirrorThatDiesWithinABlob: the rest comes from the registry, and the
// whole is right.
func TestAMirrorThatDiesWithinABlob(t *testing.T) {
	p := newPair(t)
	p.mirror.on(func(w http.ResponseWriter, r *http.Request, asked int) bool {
		if asked == 1 {
			breakAfter(w, r, p.content, 300<<10)
		}
		panic(http.ErrAbortHandler)
	})
	raw, err := readAll(t, p.source, p.d)
	if err != nil || !bytes.Equal(raw, p.content) {
		t.Fatalf("%d bytes, %v", len(raw), err)
	}
	if diff := cmp.Diff([]string{"bytes=307200-"}, p.origin.headers("Range")); diff != "" {
		t.Errorf("asked of the registry (-want +got):\n%s", diff)
	}
	if !slices.ContainsFunc(p.warned, func(s string) bool { return strings.HasPrefix(s, "mirror MIRROR failed (get blob DIGEST: ") }) {
		t.Errorf("warnings %q", p.warned)
	}
}

// TestDistrust has what a caller does with a blob it has found wrong.
func TestDistrust(t *testing.T) {
	p := newPair(t)
	if p.source.Distrust(p.d) {
		t.Error("what was not read cannot have been wrong")
	}
	if _, err := readAll(t, p.source, p.d); err != nil {
		t.Fatal(err)
	}
	for range 2 { // as two blobs would
		if !p.source.Distrust(p.d) {
			t.Error("the registry itself is left to ask")
		}
	}
	if _, err := readAll(t, p.source, p.d); err != nil {
		t.Fatal(err)
	}
	if p.source.Distrust(p.d) {
		t.Error("nobody is left to ask")
	}
	if diff := cmp.Diff([]string{"mirror MIRROR sent something else for DIGEST: asking ORIGIN"}, p.warned); diff != "" {
		t.Errorf("warnings (-want +got):\n%s", diff)
	}
	if m, o := len(p.mirror.requests()), len(p.origin.requests()); m != 1 || o != 1 {
		t.Errorf("asked the mirror %d times and the registry %d", m, o)
	}
}

func TestReadBlobIsBounded(t *testing.T) {
	p := newPair(t)
	_, err := p.source.ReadBlob(t.Context(), p.d, 1000)
	checkError(t, err, "is larger than 1000 bytes")
}

func TestBadEndpoints(t *testing.T) {
	ref, err := image.Parse("docker://registry.example/app:1")
	if err != nil {
		t.Fatal(err)
	}
	for _, host := range []string{"", "a/b", "evil@host", "a b", "-x"} {
		if _, err := Open(t.Context(), ref, Options{Endpoints: mirrors(host)}); err == nil {
			t.Errorf("endpoint %q was taken", host)
		}
	}
	bad := mirrors("registry.example")
	bad[0].Repository = "app/../../x"
	if _, err := Open(t.Context(), ref, Options{Endpoints: bad}); err == nil {
		t.Error("a repository with dots was taken")
	}
	ref.Transport = image.OCILayout
	if _, err := Open(t.Context(), ref, Options{}); err == nil {
		t.Error("a layout is no registry")
	}
}
