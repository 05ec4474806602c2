package registry

import (
	"bytes"
	"fmt"
	"io"
	"log"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func discardLog() *log.Logger { return log.New(io.Discard, "", 0) }

// testStall is longer than a busy machine makes a server that answers wait for its turn.
const testStall = 250 * time.Millisecond

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
		stalls bool     // it is to be given up soon
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
			name:   "it stalls, and then does not",
			stalls: true,
			hook: func(w http.ResponseWriter, r *http.Request, asked int) bool {
				if asked == 1 {
					w.Header().Set("Content-Length", strconv.Itoa(len(content)))
					_, _ = w.Write(content[:1000])
					hang(w, r)
				}
				return false
			},
		},
		{
			name:   "it stalls for good",
			stalls: true,
			hook: func(w http.ResponseWriter, r *http.Request, _ int) bool {
				w.Header().Set("Content-Length", strconv.Itoa(len(content)))
				w.WriteHeader(http.StatusOK)
				hang(w, r)
				return true
			},
			want: "registry sent nothing for " + testStall.String(),
		},
		{
			name:   "it never answers",
			stalls: true,
			hook: func(_ http.ResponseWriter, r *http.Request, _ int) bool {
				<-r.Context().Done()
				panic(http.ErrAbortHandler)
			},
			want: "it took too long",
		},
		{
			name:   "it sends a byte at a time",
			stalls: true,
			hook: func(w http.ResponseWriter, r *http.Request, _ int) bool {
				trickle(w, r)
				return true
			},
			want: "bytes for " + testStall.String(),
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
			name:   "it refuses with a page that never ends and never comes",
			stalls: true,
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
			var opts Options
			if tc.stalls {
				opts.StallTimeout = testStall
			}
			s := open(t, f.host, opts)
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
