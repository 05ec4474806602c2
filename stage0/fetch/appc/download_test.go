package appc_test

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/raket/raket/pkg/imagestore/imagetest"
	"github.com/raket/raket/stage0/fetch/appc"
)

// large is an image that does not compress.
func large(t testing.TB, seed uint64) []byte {
	body := make([]byte, 200<<10)
	r := rand.New(rand.NewPCG(seed, 0))
	for i := range body {
		body[i] = byte(r.Uint32())
	}
	return aciDoc{name: "example.com/large", files: []imagetest.File{{Name: "app", Body: string(body)}}}.build(t)
}

// truncated says it sends everything and hangs up after n bytes of what is
// asked for.
func truncated(content []byte, n int) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", `"x"`)
		first := firstByte(r)
		w.Header().Set("Content-Length", strconv.Itoa(len(content)-first))
		if first > 0 {
			w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", first, len(content)-1, len(content)))
			w.WriteHeader(http.StatusPartialContent)
		}
		w.Write(content[first:min(len(content), first+n)])
		w.(http.Flusher).Flush()
	}
}

func firstByte(r *http.Request) int {
	first, _ := strconv.Atoi(strings.TrimSuffix(strings.TrimPrefix(r.Header.Get("Range"), "bytes="), "-"))
	return first
}

func TestDownloadGoesOn(t *testing.T) {
	raw, other := large(t, 1), large(t, 2)
	n := len(raw)
	for name, page := range map[string]func(f *fetcher) http.HandlerFunc{
		"a connection that breaks every 30 kB": func(*fetcher) http.HandlerFunc { return truncated(raw, 30<<10) },
		"a server that answers ranges with everything": func(f *fetcher) http.HandlerFunc {
			return func(w http.ResponseWriter, r *http.Request) {
				if f.requests("/x.aci") < 3 {
					r.Header.Del("Range")
					truncated(raw, n/2)(w, r)
					return
				}
				w.Write(raw)
			}
		},
		"another file meanwhile": func(f *fetcher) http.HandlerFunc {
			return func(w http.ResponseWriter, r *http.Request) {
				if f.requests("/x.aci") == 1 {
					truncated(other, n/2)(w, r)
					return
				}
				w.Header().Set("ETag", `"y"`)
				http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(raw))
			}
		},
		"another file in a range, its tag said": func(f *fetcher) http.HandlerFunc {
			return func(w http.ResponseWriter, r *http.Request) {
				if f.requests("/x.aci") == 1 {
					truncated(other, n/2)(w, r)
					return
				}
				w.Header().Set("ETag", `"y"`)
				r.Header.Del("If-Range")
				http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(raw))
			}
		},
		"a range that was not asked for": func(f *fetcher) http.HandlerFunc {
			return func(w http.ResponseWriter, r *http.Request) {
				switch f.requests("/x.aci") {
				case 1:
					truncated(raw, n/2)(w, r)
				case 2:
					w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", n/2+1, n-1, n))
					w.WriteHeader(http.StatusPartialContent)
					w.Write(raw[n/2+1:])
				case 3:
					w.WriteHeader(http.StatusPartialContent)
					w.Write(raw)
				default:
					w.Write(raw)
				}
			}
		},
		"no range any more": func(f *fetcher) http.HandlerFunc {
			return func(w http.ResponseWriter, r *http.Request) {
				switch f.requests("/x.aci") {
				case 1:
					truncated(raw, n/2)(w, r)
				case 2:
					w.WriteHeader(http.StatusRequestedRangeNotSatisfiable)
				default:
					w.Write(raw)
				}
			}
		},
		"busy, broken, and busy again": func(f *fetcher) http.HandlerFunc {
			return func(w http.ResponseWriter, _ *http.Request) {
				switch f.requests("/x.aci") {
				case 1:
					w.WriteHeader(http.StatusTooManyRequests)
				case 2:
					w.WriteHeader(http.StatusBadGateway)
				case 3:
					panic(http.ErrAbortHandler)
				default:
					w.Write(raw)
				}
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFetcher(t)
			f.on("files.example/x.aci", page(f))
			f.serve("files.example/x.aci.asc", sign(raw))
			f.fetch(t, "https://files.example/x.aci")
		})
	}
}

func TestDownloadGivesUp(t *testing.T) {
	t.Parallel()
	raw := large(t, 1)
	for name, tc := range map[string]struct {
		page http.HandlerFunc
		want string
	}{
		"always busy":      {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(503) }, "503 Service Unavailable (tried 5 times)"},
		"always broken":    {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, "(tried 5 times)"},
		"a byte at a time": {truncated(raw, 1), "(tried 50 times)"},
		"never further":    {truncated(raw, 0), "(tried 5 times)"},
		"too large by its own account": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", strconv.Itoa(1<<40))
		}, "larger than 300000 bytes"},
		"endless": {func(w http.ResponseWriter, r *http.Request) {
			for r.Context().Err() == nil {
				if _, err := w.Write(raw); err != nil {
					return
				}
			}
		}, "larger than 300000 bytes"},
		"stalled": {func(w http.ResponseWriter, r *http.Request) {
			w.Write(raw[:100])
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		}, "sent nothing for"},
		"no answer": {func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, "sent nothing for"},
		"gone":      {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(410) }, "410 Gone"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFetcher(t)
			f.on("files.example/x.aci", tc.page)
			f.refused(t, "https://files.example/x.aci", tc.want, func(r *appc.Request) {
				r.Verify, r.MaxBytes, r.HTTP.StallTimeout = nil, 300_000, 200*time.Millisecond
			})
		})
	}
}

// downloaded is how much has come of the one download under way.
func (f *fetcher) downloaded() int64 {
	files, _ := filepath.Glob(filepath.Join(f.dir, "images", "downloads", "*", "file"))
	if len(files) != 1 {
		return 0
	}
	fi, err := os.Stat(files[0])
	if err != nil {
		return 0
	}
	return fi.Size()
}

// TestDownloadOfAnotherProcessGoesOn: what a fetch that ended early left is not
// fetched again, unless it turns out to be bad.
func TestDownloadOfAnotherProcessGoesOn(t *testing.T) {
	raw, other := large(t, 1), large(t, 2)
	for name, tc := range map[string]struct {
		first []byte
		sent  int // bytes, of the second process's requests
	}{
		"the same file":                          {raw, len(raw) - len(raw)/2},
		"another under the same tag, once again": {other, len(raw) - len(raw)/2 + len(raw)},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFetcher(t)
			f.serve("files.example/x.aci.asc", sign(raw))
			ctx, cancel := context.WithCancel(t.Context())
			f.on("files.example/x.aci", func(w http.ResponseWriter, r *http.Request) {
				truncated(tc.first, len(raw)/2)(w, r)
				for f.downloaded() < int64(len(raw)/2) && r.Context().Err() == nil {
					runtime.Gosched()
				}
				cancel()
				<-r.Context().Done()
			})
			if _, err := appc.Fetch(ctx, f.request("https://files.example/x.aci")); err == nil {
				t.Fatal("no error")
			}
			sent := 0
			f.on("files.example/x.aci", func(w http.ResponseWriter, r *http.Request) {
				sent += len(raw) - firstByte(r)
				truncated(raw, len(raw))(w, r)
			})
			f.fetch(t, "https://files.example/x.aci")
			if sent != tc.sent {
				t.Errorf("%d bytes were sent, want %d", sent, tc.sent)
			}
		})
	}
}
