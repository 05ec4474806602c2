package registry

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/raket/raket/pkg/image"
)

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
	t.Run("from the middle, of a registry that refuses ranges", func(t *testing.T) {
		f.on(func(w http.ResponseWriter, r *http.Request, _ int) bool {
			if r.Header.Get("Range") != "" {
				http.Error(w, "", http.StatusRequestedRangeNotSatisfiable)
				return true
			}
			return false
		})
		r, err := open(t, f.host, Options{}).BlobFrom(t.Context(), d, 40)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, content[40:]) {
			t.Errorf("got %d bytes, error %v", len(got), err)
		}
	})
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

// TestBlobsOverHTTP2: there it is streams that break, not connections.
func TestBlobsOverHTTP2(t *testing.T) {
	content := noise(5 << 20)
	f := newFake(t, true)
	d := f.put("", content)
	f.on(func(w http.ResponseWriter, r *http.Request, asked int) bool {
		switch {
		case r.ProtoMajor != 2:
			t.Errorf("asked over %s", r.Proto)
		case asked == 1:
			panic(http.ErrAbortHandler)
		case asked <= 4:
			breakAfter(w, r, content, 1<<20)
		}
		return false
	})
	raw, err := readAll(t, open(t, f.host, Options{CertDirs: trust(t, f)}), d)
	if err != nil || !bytes.Equal(raw, content) {
		t.Errorf("%d bytes, %v", len(raw), err)
	}
	if n := len(f.requests()); n != 5 {
		t.Errorf("asked %d times", n)
	}
}
