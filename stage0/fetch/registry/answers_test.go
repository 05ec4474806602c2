package registry

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/go-digest"

	"github.com/raket/raket/pkg/image"
)

// TestWaits checks what is tried again, and after how long.
func TestWaits(t *testing.T) {
	start := newClock().now
	for _, tc := range []struct {
		name   string
		status int
		after  string
		want   []time.Duration // the longest of each wait; half of it is the shortest
		exact  bool
		says   string
	}{
		{name: "500", status: 500, want: []time.Duration{300 * time.Millisecond, 600 * time.Millisecond, 1200 * time.Millisecond, 2400 * time.Millisecond}},
		{name: "408", status: 408, want: []time.Duration{300 * time.Millisecond, 600 * time.Millisecond, 1200 * time.Millisecond, 2400 * time.Millisecond}},
		{name: "429 with seconds", status: 429, after: "7", exact: true, want: []time.Duration{7 * time.Second, 7 * time.Second, 7 * time.Second, 7 * time.Second}},
		{name: "503 with a date", status: 503, after: start.Add(30 * time.Second).Format(http.TimeFormat), exact: true, want: []time.Duration{30 * time.Second}},
		{name: "429 with too long a wait", status: 429, after: "3600", says: "asks to wait for 1h0m0s"},
		{name: "429 with an absurd wait", status: 429, after: strings.Repeat("9", 40), says: "asks to wait for 8760h0m0s"},
		{name: "429 with nonsense", status: 429, after: "soon", want: []time.Duration{300 * time.Millisecond, 600 * time.Millisecond, 1200 * time.Millisecond, 2400 * time.Millisecond}},
		{name: "400", status: 400},
		{name: "403", status: 403},
		{name: "404", status: 404},
		{name: "501", status: 501},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f := newFake(t, false)
			f.on(func(w http.ResponseWriter, _ *http.Request, _ int) bool {
				if tc.after != "" {
					w.Header().Set("Retry-After", tc.after)
				}
				w.WriteHeader(tc.status)
				return true
			})
			c := newClock()
			_, err := open(t, f.host, Options{Retry: c.retry()}).Manifest(t.Context(), "")
			checkError(t, err, "it answered "+strconv.Itoa(tc.status))
			checkError(t, err, tc.says)
			if tc.name == "503 with a date" {
				c.slept = c.slept[:1] // the date comes nearer
			}
			if len(c.slept) != len(tc.want) {
				t.Fatalf("waited %v, want %v", c.slept, tc.want)
			}
			for i, d := range c.slept {
				if d > tc.want[i] || d < tc.want[i]/2 || tc.exact && d != tc.want[i] {
					t.Errorf("wait %d was %s, want %s", i, d, tc.want[i])
				}
			}
		})
	}
}

// TestManifestsOfARegistryThatFails is for what is read whole.
func TestManifestsOfARegistryThatFails(t *testing.T) {
	manifest := noise(10 << 10)
	other := noise(11 << 10)
	for _, tc := range []struct {
		name  string
		asked digest.Digest
		hook  func(w http.ResponseWriter, r *http.Request, asked int) bool
		want  string
	}{
		{name: "it breaks in the middle, twice", hook: func(w http.ResponseWriter, r *http.Request, asked int) bool {
			if asked <= 2 {
				breakAfter(w, r, manifest, 5000)
			}
			return false
		}},
		{name: "it sends another manifest for a digest", asked: image.Sum(manifest), hook: func(w http.ResponseWriter, r *http.Request, _ int) bool {
			serve(w, r, other)
			return true
		}, want: "sent something else: image manifest has the wrong digest: expected " + image.Sum(manifest).String()},
		{name: "it sends another manifest than it says", hook: func(w http.ResponseWriter, r *http.Request, _ int) bool {
			w.Header().Set("Docker-Content-Digest", image.Sum(manifest).String())
			serve(w, r, other)
			return true
		}, want: "sent something else"},
		{name: "it says nonsense of the digest", hook: func(w http.ResponseWriter, _ *http.Request, _ int) bool {
			w.Header().Set("Docker-Content-Digest", "sha256:nonsense")
			return false
		}},
		{name: "the manifest has no end", hook: func(w http.ResponseWriter, r *http.Request, _ int) bool {
			for r.Context().Err() == nil {
				if _, err := w.Write(manifest); err != nil {
					break
				}
			}
			return true
		}, want: "larger than 4 MiB"},
		{name: "it is a manifest of schema 1", hook: func(w http.ResponseWriter, _ *http.Request, _ int) bool {
			w.Header().Set("Content-Type", "application/vnd.docker.distribution.manifest.v1+prettyjws")
			return true
		}, want: "schema 1"},
		{name: "it speaks in colours", hook: func(w http.ResponseWriter, _ *http.Request, _ int) bool {
			w.WriteHeader(http.StatusForbidden)
			_, _ = io.WriteString(w, `{"errors":[{"code":"DENIED","message":"go\naway\u001b[2J\u202e"}]}`)
			return true
		}, want: "it answered 403 Forbidden, DENIED: go away [2J"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f := newFake(t, false)
			f.put("1", manifest)
			f.on(tc.hook)
			raw, err := open(t, f.host, Options{}).Manifest(t.Context(), tc.asked)
			if tc.want != "" {
				checkError(t, err, tc.want)
			} else if err != nil || !bytes.Equal(raw, manifest) {
				t.Errorf("got %d bytes, error %v", len(raw), err)
			}
		})
	}
}

// TestTags also holds the text of an absent image, which people see most.
func TestTags(t *testing.T) {
	f := newFake(t, false)
	f.put("sha256-abc.sig", []byte("{}"))
	s := open(t, f.host, Options{})
	if raw, err := s.TagManifest(t.Context(), "sha256-abc.sig"); err != nil || string(raw) != "{}" {
		t.Errorf("got %q, %v", raw, err)
	}
	if _, err := s.TagManifest(t.Context(), "other"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("error %v, want fs.ErrNotExist", err)
	}
	for _, tag := range []string{"", ".x", "-x", "a/b", "a b", strings.Repeat("x", 129)} {
		if _, err := s.TagManifest(t.Context(), tag); err == nil || errors.Is(err, fs.ErrNotExist) {
			t.Errorf("tag %q: error %v", tag, err)
		}
	}
	_, err := s.Manifest(t.Context(), "")
	want := fmt.Sprintf("find image %q at registry %s: it answered 404 Not Found, MANIFEST_UNKNOWN: manifest unknown", f.host+"/app:1", f.host)
	if diff := cmp.Diff(want, err.Error()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestRoundTrips: a public image costs one request each for manifest, config
// and layers, all over as few connections as there are readers.
func TestRoundTrips(t *testing.T) {
	f := newFake(t, true)
	d := f.put("1", []byte("manifest"))
	s := open(t, f.host, Options{CertDirs: trust(t, f)})
	if _, err := s.Manifest(t.Context(), ""); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if _, err := readAll(t, s, d); err != nil {
			t.Fatal(err)
		}
	}
	blob := "GET /v2/app/blobs/" + d.String()
	if diff := cmp.Diff([]string{"GET /v2/app/manifests/1", blob, blob, blob}, f.requests()); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	from := map[string]bool{}
	for _, r := range f.log {
		from[r.RemoteAddr] = true
		if slices.Contains(r.Header.Values("Accept-Encoding"), "gzip") || r.ProtoMajor != 2 {
			t.Errorf("%s, Accept-Encoding %q", r.Proto, r.Header.Values("Accept-Encoding"))
		}
	}
	if len(from) != 1 {
		t.Errorf("%d connections, want 1", len(from))
	}
}
