package appc_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/raket/raket/pkg/image"
	"github.com/raket/raket/pkg/imagestore"
	"github.com/raket/raket/pkg/imagestore/imagetest"
	"github.com/raket/raket/stage0/fetch/appc"
)

func needRoot(t testing.TB) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("fetching unpacks images, which sets owners: needs root")
	}
}

// site is every web site there is, with TLS and without.
type site struct {
	t         testing.TB
	transport *http.Transport

	mu    sync.Mutex
	pages map[string]http.HandlerFunc // by host/path
	asked []string                    // scheme://host/path of each request
}

func newSite(t testing.TB) *site {
	s := &site{t: t, pages: map[string]http.HandlerFunc{}}
	secure := httptest.NewTLSServer(s.handler("https"))
	plain := httptest.NewServer(s.handler("http"))
	secure.Config.ErrorLog, plain.Config.ErrorLog = nil, nil
	t.Cleanup(secure.Close)
	t.Cleanup(plain.Close)
	roots := x509.NewCertPool()
	roots.AddCert(secure.Certificate())
	s.transport = &http.Transport{
		// The test server's certificate is for example.com, whatever the host.
		TLSClientConfig:    &tls.Config{RootCAs: roots, ServerName: "example.com"},
		DisableCompression: true,
		DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			to := plain.Listener.Addr().String()
			if strings.HasSuffix(addr, ":443") {
				to = secure.Listener.Addr().String()
			}
			if strings.HasPrefix(addr, "nowhere.") {
				return nil, &net.DNSError{Err: "no such host", Name: addr, IsNotFound: true}
			}
			return (&net.Dialer{}).DialContext(ctx, network, to)
		},
	}
	t.Cleanup(s.transport.CloseIdleConnections)
	return s
}

func (s *site) handler(scheme string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		at := r.Host + r.URL.Path
		s.mu.Lock()
		s.asked = append(s.asked, scheme+"://"+at)
		page := s.pages[at]
		s.mu.Unlock()
		if page == nil {
			http.NotFound(w, r)
			return
		}
		page(w, r)
	})
}

// requests counts requests whose scheme://host/path has a suffix, since the
// last reset.
func (s *site) requests(suffix string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, a := range s.asked {
		if strings.HasSuffix(a, suffix) {
			n++
		}
	}
	return n
}

func (s *site) reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked = nil
}

func (s *site) on(at string, page http.HandlerFunc) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pages[at] = page
}

// serve has the content at a place, with ranges and conditions, under headers.
func (s *site) serve(at string, content []byte, headers ...string) {
	s.on(at, func(w http.ResponseWriter, r *http.Request) {
		for i := 0; i+1 < len(headers); i += 2 {
			w.Header().Set(headers[i], headers[i+1])
		}
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(content))
	})
}

// publish serves an ACI with its signature, and a meta tag for its name.
func (s *site) publish(name, version string, content []byte, headers ...string) {
	host, _, _ := strings.Cut(name, "/")
	at := host + "/files/" + name + "-" + version + "-linux-amd64.aci"
	s.serve(at, content, headers...)
	s.serve(at+".asc", sign(content))
	s.meta(host, name, "https://"+host+"/files/{name}-{version}-{os}-{arch}.{ext}")
}

func (s *site) meta(host, prefix string, templates ...string) {
	page := "<html><head>"
	for _, t := range templates {
		page += fmt.Sprintf(`<meta name="ac-discovery" content="%s %s">`, prefix, t)
	}
	s.on(host+"/"+strings.TrimPrefix(strings.TrimPrefix(prefix, host), "/"), func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, page) })
}

// sign makes what verify takes for a signature.
func sign(content []byte) []byte { return fmt.Appendf(nil, "signed %x", sha256.Sum256(content)) }

var errBadSignature = errors.New("bad signature")

func verify(content io.Reader, signature []byte) (func(string) (image.Evidence, error), error) {
	raw, err := io.ReadAll(content)
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(signature, sign(raw)) {
		return nil, errBadSignature
	}
	return func(name string) (image.Evidence, error) {
		if strings.HasPrefix(name, "untrusted.example") {
			return image.Evidence{}, errors.New("the key may not sign this name")
		}
		return image.Evidence{Kind: image.OpenPGP, Key: "0123", Identity: name}, nil
	}, nil
}

type fetcher struct {
	*site
	store *imagestore.Store
	dir   string
}

func newFetcher(t testing.TB) *fetcher {
	t.Helper()
	needRoot(t)
	dir := filepath.Join(t.TempDir(), "raket")
	store, err := imagestore.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	return &fetcher{site: newSite(t), store: store, dir: dir}
}

// request is for a name, URL or file, verified by verify.
func (f *fetcher) request(ref string) appc.Request {
	f.t.Helper()
	r, err := image.Parse(ref)
	if err != nil {
		f.t.Fatal(err)
	}
	return appc.Request{
		Store: f.store, Ref: r, Verify: verify, OS: "linux", Arch: "amd64",
		HTTP: appc.HTTP{Transport: f.transport, RetryWait: time.Microsecond, StallTimeout: 10 * time.Second},
	}
}

func (f *fetcher) fetch(t testing.TB, ref string, change ...func(*appc.Request)) image.Image {
	t.Helper()
	img, err := f.try(t, ref, change...)
	if err != nil {
		t.Fatal(err)
	}
	return img
}

func (f *fetcher) try(t testing.TB, ref string, change ...func(*appc.Request)) (image.Image, error) {
	t.Helper()
	req := f.request(ref)
	for _, c := range change {
		c(&req)
	}
	return appc.Fetch(t.Context(), req)
}

// refused is try that must fail, saying so, and leave no image.
func (f *fetcher) refused(t testing.TB, ref, want string, change ...func(*appc.Request)) error {
	t.Helper()
	before := f.count(t)
	_, err := f.try(t, ref, change...)
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Fatalf("error %v, want one that says %q", err, want)
	}
	if strings.ContainsAny(err.Error(), "\n\x1b") {
		t.Errorf("the error is not one line: %q", err)
	}
	if n := f.count(t); n != before {
		t.Errorf("%d images in the store, %d before", n, before)
	}
	return err
}

func (f *fetcher) count(t testing.TB) int {
	t.Helper()
	all, err := f.store.List()
	if err != nil {
		t.Fatal(err)
	}
	return len(all)
}

func update(r *appc.Request)     { r.Update = true }
func unverified(r *appc.Request) { r.Verify = nil }

// aciDoc is what a test says of an image.
type aciDoc struct {
	name, version string
	arch          string // label; amd64 by default, "-" for none
	needs         []map[string]any
	whitelist     []string
	files         []imagetest.File
}

func need(name string, more ...any) map[string]any {
	m := map[string]any{"imageName": name}
	for i := 0; i+1 < len(more); i += 2 {
		m[more[i].(string)] = more[i+1]
	}
	return m
}

func (d aciDoc) build(t testing.TB) []byte {
	t.Helper()
	labels := []map[string]string{{"name": "os", "value": "linux"}}
	switch d.arch {
	case "":
		labels = append(labels, map[string]string{"name": "arch", "value": "amd64"})
	case "-":
		labels = nil
	default:
		labels = append(labels, map[string]string{"name": "arch", "value": d.arch})
	}
	if d.version != "" {
		labels = append(labels, map[string]string{"name": "version", "value": d.version})
	}
	raw, err := json.Marshal(map[string]any{
		"acKind": "ImageManifest", "acVersion": "0.8.11", "name": d.name, "labels": labels,
		"dependencies": d.needs, "pathWhitelist": d.whitelist,
	})
	if err != nil {
		t.Fatal(err)
	}
	files := []imagetest.File{{Name: "manifest", Body: string(raw)}, {Name: "rootfs/"}}
	for _, f := range d.files {
		f.Name = "rootfs/" + f.Name
		files = append(files, f)
	}
	return imagetest.Gzip(t, imagetest.Tar(t, files...))
}

// app is a small image.
func app(t testing.TB, name, version, content string) []byte {
	return aciDoc{name: name, version: version, files: []imagetest.File{{Name: "app", Body: content}}}.build(t)
}
