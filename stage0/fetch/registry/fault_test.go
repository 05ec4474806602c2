package registry

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/go-digest"

	"github.com/raket/raket/pkg/image"
)

func discardLog() *log.Logger { return log.New(io.Discard, "", 0) }

const testStall = 60 * time.Millisecond

// isBlob tells the requests for blobs.
func isBlob(r *http.Request) bool { return strings.Contains(r.URL.Path, "/blobs/") }

// hang sends nothing more until the client is gone.
func hang(w http.ResponseWriter, r *http.Request) {
	_ = http.NewResponseController(w).Flush()
	<-r.Context().Done()
	panic(http.ErrAbortHandler)
}

// trickle sends a byte at a time, well below the least rate.
func trickle(w http.ResponseWriter, r *http.Request) {
	for r.Context().Err() == nil {
		_, _ = w.Write([]byte("x"))
		_ = http.NewResponseController(w).Flush()
		select {
		case <-r.Context().Done():
		case <-time.After(time.Millisecond):
		}
	}
	panic(http.ErrAbortHandler)
}

// TestBlobsOfARegistryThatFails reads a blob of 1 MiB from a registry that does
// what each case says.
func TestBlobsOfARegistryThatFails(t *testing.T) {
	content := noise(1 << 20)
	type hook = func(w http.ResponseWriter, r *http.Request, asked int) bool
	for _, tc := range []struct {
		name   string
		hook   hook
		want   string   // of the error; empty where the blob comes whole
		ranges []string // of the requests, where that matters
	}{
		{name: "nothing fails", hook: func(http.ResponseWriter, *http.Request, int) bool { return false }, ranges: []string{""}},
		{
			name: "the connection breaks twice",
			hook: func(w http.ResponseWriter, r *http.Request, asked int) bool {
				if asked <= 2 {
					breakAfter(w, r, content, 100<<10)
				}
				return false
			},
			ranges: []string{"", "bytes=102400-", "bytes=204800-"},
		},
		{
			name: "the connection breaks again and again, with progress",
			hook: func(w http.ResponseWriter, r *http.Request, _ int) bool {
				breakAfter(w, r, content, 65<<10)
				return true
			},
		},
		{
			name: "the connection breaks again and again, with next to no progress",
			hook: func(w http.ResponseWriter, r *http.Request, _ int) bool {
				breakAfter(w, r, content, 10)
				return true
			},
			want:   "the connection broke",
			ranges: []string{"", "bytes=10-", "bytes=20-", "bytes=30-", "bytes=40-"},
		},
		{
			name: "the connection breaks before an answer",
			hook: func(_ http.ResponseWriter, _ *http.Request, asked int) bool {
				if asked <= 3 {
					panic(http.ErrAbortHandler)
				}
				return false
			},
		},
		{
			name: "it always breaks before an answer",
			hook: func(http.ResponseWriter, *http.Request, int) bool { panic(http.ErrAbortHandler) },
			want: "the connection broke",
		},
		{
			name: "it ignores ranges",
			hook: func(w http.ResponseWriter, r *http.Request, asked int) bool {
				r.Header.Del("Range")
				if asked == 1 {
					breakAfter(w, r, content, 100<<10)
				}
				return false
			},
			ranges: []string{"", "bytes=102400-"},
		},
		{
			name: "it has no ETag and ignores ranges, in chunks of unknown total",
			hook: func(w http.ResponseWriter, r *http.Request, asked int) bool {
				if asked == 1 {
					_, _ = w.Write(content[:70<<10])
					_ = http.NewResponseController(w).Flush()
					panic(http.ErrAbortHandler)
				}
				_, _ = w.Write(content[:512<<10])
				_ = http.NewResponseController(w).Flush()
				_, _ = w.Write(content[512<<10:])
				return true
			},
		},
		{
			name: "it gives less than the range it was asked for",
			hook: func(w http.ResponseWriter, r *http.Request, asked int) bool {
				from := 0
				if asked > 1 {
					_, _ = fmt.Sscanf(r.Header.Get("Range"), "bytes=%d-", &from)
				} else {
					breakAfter(w, r, content, 100<<10)
				}
				to := min(from+200<<10, len(content))
				w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", from, to-1, len(content)))
				w.WriteHeader(http.StatusPartialContent)
				_, _ = w.Write(content[from:to])
				return true
			},
		},
		{
			name: "it answers another range than it was asked for",
			hook: func(w http.ResponseWriter, r *http.Request, asked int) bool {
				if asked == 1 {
					breakAfter(w, r, content, 100<<10)
				}
				r.Header.Set("Range", "bytes=5-")
				return false
			},
			want: "from byte 102400 on: range \"bytes 5-1048575/1048576\"",
		},
		{
			name: "it answers a range without saying which",
			hook: func(w http.ResponseWriter, r *http.Request, asked int) bool {
				if asked == 1 {
					breakAfter(w, r, content, 100<<10)
				}
				w.WriteHeader(http.StatusPartialContent)
				return true
			},
			want: `from byte 102400 on: range ""`,
		},
		{
			name: "it answers a part where the whole was asked for",
			hook: func(w http.ResponseWriter, r *http.Request, _ int) bool {
				r.Header.Set("Range", "bytes=5-")
				return false
			},
			want: "it answered 206 Partial Content",
		},
		{
			name: "the blob changes its length on the way",
			hook: func(w http.ResponseWriter, r *http.Request, asked int) bool {
				if asked == 1 {
					breakAfter(w, r, content, 100<<10)
				}
				serve(w, r, content[:500<<10])
				return true
			},
			want: "it has 512000 bytes now, and had 1048576",
		},
		{
			name: "it stalls, and then does not",
			hook: func(w http.ResponseWriter, r *http.Request, asked int) bool {
				if asked == 1 {
					w.Header().Set("Content-Length", strconv.Itoa(len(content)))
					_, _ = w.Write(content[:1000])
					hang(w, r)
				}
				return false
			},
			ranges: []string{"", "bytes=1000-"},
		},
		{
			name: "it stalls for good",
			hook: func(w http.ResponseWriter, r *http.Request, _ int) bool {
				w.Header().Set("Content-Length", strconv.Itoa(len(content)))
				w.WriteHeader(http.StatusOK)
				hang(w, r)
				return true
			},
			want: "registry sent nothing for 60ms",
		},
		{
			name: "it never answers",
			hook: func(_ http.ResponseWriter, r *http.Request, _ int) bool {
				<-r.Context().Done()
				panic(http.ErrAbortHandler)
			},
			want: "it took too long",
		},
		{
			name: "it sends a byte at a time",
			hook: func(w http.ResponseWriter, r *http.Request, _ int) bool {
				trickle(w, r)
				return true
			},
			want: "bytes for 60ms",
		},
		{
			name: "500 and then good",
			hook: func(w http.ResponseWriter, _ *http.Request, asked int) bool {
				if asked <= 4 {
					w.WriteHeader(http.StatusInternalServerError)
				}
				return asked <= 4
			},
		},
		{
			name: "502, 503, 504 and then good",
			hook: func(w http.ResponseWriter, _ *http.Request, asked int) bool {
				if asked <= 3 {
					w.WriteHeader(501 + asked)
				}
				return asked <= 3
			},
		},
		{
			name: "it refuses with an endless page",
			hook: func(w http.ResponseWriter, r *http.Request, _ int) bool {
				w.WriteHeader(http.StatusForbidden)
				for r.Context().Err() == nil {
					if _, err := w.Write(content); err != nil {
						break
					}
				}
				return true
			},
			want: "it answered 403 Forbidden",
		},
		{
			name: "it refuses with a page that never ends and never comes",
			hook: func(w http.ResponseWriter, r *http.Request, _ int) bool {
				w.WriteHeader(http.StatusForbidden)
				trickle(w, r)
				return true
			},
			want: "it answered 403 Forbidden",
		},
		{
			name: "its headers have no end",
			hook: func(w http.ResponseWriter, _ *http.Request, _ int) bool {
				w.Header().Set("X-Much", strings.Repeat("x", 1<<20))
				return true
			},
			want: "headers exceeded",
		},
		{
			name: "it redirects in a circle",
			hook: func(w http.ResponseWriter, r *http.Request, _ int) bool {
				http.Redirect(w, r, r.URL.Path, http.StatusFound)
				return true
			},
			want: "refused more than 5 redirects",
		},
		{
			name: "it redirects to plain HTTP elsewhere",
			hook: func(w http.ResponseWriter, r *http.Request, _ int) bool {
				http.Redirect(w, r, "http://cdn.invalid/blob", http.StatusTemporaryRedirect)
				return true
			},
			want: `by way of cdn.invalid: refused plain HTTP to "cdn.invalid"`,
		},
		{
			name: "it redirects to a file",
			hook: func(w http.ResponseWriter, r *http.Request, _ int) bool {
				http.Redirect(w, r, "file:///etc/shadow", http.StatusTemporaryRedirect)
				return true
			},
			want: `refused to speak "file"`,
		},
		{
			name: "it speaks no HTTP",
			hook: func(w http.ResponseWriter, _ *http.Request, _ int) bool {
				c, _, err := w.(http.Hijacker).Hijack()
				if err == nil {
					_, _ = io.WriteString(c, "220 mail.example ESMTP\r\n")
					c.Close()
				}
				return true
			},
			want: "malformed HTTP",
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f := newFake(t, false)
			d := f.put("1", content)
			f.on(tc.hook)
			s := open(t, f.host, Options{StallTimeout: testStall})
			raw, err := readAll(t, s, d)
			if tc.want != "" {
				checkError(t, err, tc.want)
			} else if err != nil || !bytes.Equal(raw, content) {
				t.Errorf("got %d bytes, error %v", len(raw), err)
			}
			if tc.ranges != nil {
				if diff := cmp.Diff(tc.ranges, f.headers("Range")); diff != "" {
					t.Errorf("ranges asked for (-want +got):\n%s", diff)
				}
			}
		})
	}
}

func TestABlobThatIsNotThere(t *testing.T) {
	f := newFake(t, false)
	_, err := open(t, f.host, Options{}).Blob(t.Context(), image.Sum(nil))
	if !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("error %v, want fs.ErrNotExist", err)
	}
	if n := len(f.requests()); n != 1 {
		t.Errorf("asked %d times for what is not there", n)
	}
	for _, d := range []digest.Digest{"", "sha256:../../x", "sha256:00", "x"} {
		if _, err := open(t, f.host, Options{}).Blob(t.Context(), d); err == nil {
			t.Errorf("digest %q was asked for", d)
		}
	}
}

// TestBlobFrom goes on where another process has stopped.
func TestBlobFrom(t *testing.T) {
	content := noise(100)
	for _, tc := range []struct {
		name   string
		offset int64
		ranges bool
		want   []byte
	}{
		{"from the middle", 40, true, content[40:]},
		{"from the middle, of a registry without ranges", 40, false, content[40:]},
		{"from the end", 100, true, nil},
		{"from the end, of a registry without ranges", 100, false, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f := newFake(t, false)
			d := f.put("", content)
			f.on(func(_ http.ResponseWriter, r *http.Request, _ int) bool {
				if !tc.ranges {
					r.Header.Del("Range")
				}
				return false
			})
			r, err := open(t, f.host, Options{}).BlobFrom(t.Context(), d, tc.offset)
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			got, err := io.ReadAll(r)
			if err != nil || !bytes.Equal(got, tc.want) {
				t.Errorf("got %d bytes, error %v", len(got), err)
			}
		})
	}
	f := newFake(t, false)
	d := f.put("", content)
	_, err := open(t, f.host, Options{}).BlobFrom(t.Context(), d, 101)
	checkError(t, err, "it answered 416")
}

// TestContentThatChanges: with an ETag the registry itself can tell.
func TestContentThatChanges(t *testing.T) {
	f := newFake(t, false)
	was, now := noise(200<<10), bytes.Repeat([]byte("now"), 200<<10)[:200<<10]
	d := f.put("", was)
	f.on(func(w http.ResponseWriter, r *http.Request, asked int) bool {
		if asked == 1 {
			breakAfter(w, r, was, 100<<10)
		}
		serve(w, r, now)
		return true
	})
	s := open(t, f.host, Options{})
	raw, err := readAll(t, s, d)
	if err != nil || image.Sum(raw) == d {
		t.Errorf("error %v", err)
	}
	if got := f.headers("If-Range"); len(got) != 2 || got[1] != `"`+image.Sum(was).Encoded()[:12]+`"` {
		t.Errorf("If-Range %q", got)
	}
	if s.Distrust(d) {
		t.Error("there is nobody else to ask")
	}
}

func TestCancelling(t *testing.T) {
	content := noise(100)
	for _, tc := range []struct {
		name string
		hook func(http.ResponseWriter, *http.Request, int) bool
	}{
		{"while the registry is silent", func(w http.ResponseWriter, r *http.Request, _ int) bool {
			w.Header().Set("Content-Length", "100")
			_, _ = w.Write(content[:10])
			hang(w, r)
			return true
		}},
		{"while waiting to try again", func(w http.ResponseWriter, r *http.Request, _ int) bool {
			breakAfter(w, r, content, 10)
			return true
		}},
	} {
		for _, how := range []string{"cancel", "close"} {
			t.Run(tc.name+", by "+how, func(t *testing.T) {
				f := newFake(t, false)
				d := f.put("", content)
				f.on(tc.hook)
				waits := make(chan struct{}, 1)
				s := open(t, f.host, Options{Retry: Retry{
					Now: time.Now,
					Sleep: func(ctx context.Context, _ time.Duration) error {
						waits <- struct{}{}
						<-ctx.Done()
						return ctx.Err()
					},
				}})
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				r, err := s.Blob(ctx, d)
				if err != nil {
					t.Fatal(err)
				}
				defer r.Close()
				if _, err := io.ReadFull(r, make([]byte, 10)); err != nil {
					t.Fatal(err)
				}
				ended := make(chan error, 1)
				go func() {
					_, err := r.Read(make([]byte, 10))
					ended <- err
				}()
				if strings.Contains(tc.name, "again") {
					<-waits
				}
				want := context.Canceled
				if how == "close" {
					want = os.ErrClosed
					r.Close()
				} else {
					cancel()
				}
				if err := <-ended; !errors.Is(err, want) {
					t.Errorf("error %v, want %v", err, want)
				}
			})
		}
	}
}

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
			raw, err := open(t, f.host, Options{StallTimeout: testStall}).Manifest(t.Context(), tc.asked)
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
