package registry

import (
	"bytes"
	"context"
	"encoding/pem"
	"io"
	"math/rand"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/raket/raket/pkg/image"
	"github.com/raket/raket/stage0/registries"
)

// fake is a registry in the test, with a hook before each answer.
type fake struct {
	*httptest.Server
	host string

	mu        sync.Mutex
	documents map[string][]byte // by path below /v2/
	log       []*http.Request
	before    func(w http.ResponseWriter, r *http.Request, asked int) bool
}

func newFake(t testing.TB, tls bool) *fake {
	t.Helper()
	f := &fake{documents: map[string][]byte{}}
	f.Server = httptest.NewUnstartedServer(f)
	f.Config.ErrorLog = discardLog()
	if tls {
		f.EnableHTTP2 = true
		f.StartTLS()
	} else {
		f.Start()
	}
	t.Cleanup(f.Close)
	_, f.host, _ = strings.Cut(f.URL, "://")
	return f
}

// put serves content as a blob and as a manifest, by digest and tag.
func (f *fake) put(tag string, content []byte) digest.Digest {
	d := image.Sum(content)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.documents["app/blobs/"+d.String()] = content
	f.documents["app/manifests/"+d.String()] = content
	if tag != "" {
		f.documents["app/manifests/"+tag] = content
	}
	return d
}

// on has a hook asked before each answer, with the number of requests for that
// path so far; where it returns true it has answered.
func (f *fake) on(hook func(w http.ResponseWriter, r *http.Request, asked int) bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.before = hook
}

func (f *fake) requests() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var all []string
	for _, r := range f.log {
		all = append(all, r.Method+" "+r.URL.Path)
	}
	return all
}

func (f *fake) headers(name string) []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var all []string
	for _, r := range f.log {
		all = append(all, r.Header.Get(name))
	}
	return all
}

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	asked := 1
	for _, before := range f.log {
		if before.URL.Path == r.URL.Path {
			asked++
		}
	}
	f.log = append(f.log, r.Clone(context.Background())) // a hook may change it
	hook := f.before
	content, ok := f.documents[strings.TrimPrefix(r.URL.Path, "/v2/")]
	f.mu.Unlock()
	switch {
	case hook != nil && hook(w, r, asked):
	case r.URL.Path == "/v2/":
	case !ok:
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusNotFound)
		_, _ = io.WriteString(w, `{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown"}]}`)
	default:
		serve(w, r, content)
	}
}

// serve answers with content, or the range of it that was asked for.
func serve(w http.ResponseWriter, r *http.Request, content []byte) {
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Etag", `"`+image.Sum(content).Encoded()[:12]+`"`)
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(content))
}

// breakAfter serves, and drops the connection after n bytes.
func breakAfter(w http.ResponseWriter, r *http.Request, content []byte, n int) {
	serve(&cutWriter{ResponseWriter: w, left: n}, r, content)
}

// cutWriter passes left bytes and then drops the connection.
type cutWriter struct {
	http.ResponseWriter
	left int
}

func (c *cutWriter) Write(p []byte) (int, error) {
	if len(p) <= c.left {
		c.left -= len(p)
		return c.ResponseWriter.Write(p)
	}
	_, _ = c.ResponseWriter.Write(p[:c.left])
	_ = http.NewResponseController(c.ResponseWriter).Flush()
	panic(http.ErrAbortHandler)
}

// clock stands for time: it moves when somebody sleeps.
type clock struct {
	mu    sync.Mutex
	now   time.Time
	slept []time.Duration
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) Sleep(ctx context.Context, d time.Duration) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
	c.slept = append(c.slept, d)
	return ctx.Err()
}

func newClock() *clock { return &clock{now: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)} }

func (c *clock) retry() Retry { return Retry{Sleep: c.Sleep, Now: c.Now} }

// open makes a Source with a clock that does not wait.
func open(t testing.TB, host string, opts Options) *Source {
	t.Helper()
	if opts.Retry.Sleep == nil {
		opts.Retry = newClock().retry()
	}
	if opts.CertDirs == nil {
		opts.CertDirs = []string{t.TempDir()}
	}
	ref, err := image.Parse("docker://" + host + "/app:1")
	if err != nil {
		t.Fatal(err)
	}
	s, err := Open(t.Context(), ref, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// trust makes a certs.d that has the authority of a test server.
func trust(t *testing.T, f *fake) []string {
	t.Helper()
	dir := t.TempDir()
	write(t, filepath.Join(dir, f.host, "ca.crt"), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: f.Certificate().Raw}))
	return []string{dir}
}

func write(t *testing.T, path string, content []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
}

// mirrors are endpoints, the last of which is the registry itself.
func mirrors(hosts ...string) []registries.Endpoint {
	var all []registries.Endpoint
	for i, h := range hosts {
		all = append(all, registries.Endpoint{Registry: h, Repository: "app", Mirror: i < len(hosts)-1, For: registries.All})
	}
	return all
}

// noise is content that no part of repeats.
func noise(n int) []byte {
	raw := make([]byte, n)
	rand.New(rand.NewSource(int64(n))).Read(raw) //nolint:gosec // any bytes will do
	return raw
}

// readAll reads a blob to its end.
func readAll(t *testing.T, s *Source, d digest.Digest) ([]byte, error) {
	t.Helper()
	r, err := s.Blob(t.Context(), d)
	if err != nil {
		return nil, err
	}
	raw, err := io.ReadAll(r)
	if cerr := r.Close(); cerr != nil {
		t.Errorf("close: %v", cerr)
	}
	return raw, err
}

// oneOf reports that an error is one plain line, and says want.
func checkError(t *testing.T, err error, want string) {
	t.Helper()
	switch {
	case err == nil:
		t.Fatalf("no error, want one that says %q", want)
	case !strings.Contains(err.Error(), want):
		t.Errorf("error %q, want one that says %q", err, want)
	case slices.ContainsFunc([]rune(err.Error()), func(r rune) bool { return r < ' ' }):
		t.Errorf("error %q is not one plain line", err)
	}
}
