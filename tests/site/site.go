package site

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"path"
	"strings"
	"sync"

	"github.com/raket/raket/tests/authority"
)

// Options say how a site is reached.
type Options struct {
	// Names are its DNS names, beside localhost.
	Names []string
	// Authority signs its certificate. Default: one made for it.
	Authority *authority.Authority
	// PlainHTTP has it speak HTTP, without any certificate.
	PlainHTTP bool
}

// Site is a running web site.
type Site struct {
	// Addr is its host:port.
	Addr string
	// Authority signed its certificate; nil with plain HTTP.
	Authority *authority.Authority

	server *http.Server
	mu     sync.Mutex
	files  map[string]*File
	log    []*Request
}

// Request is what a client asked, and was answered.
type Request struct {
	Method string
	// URL is host, path and query, as "example.com/app?ac-discovery=1".
	URL string
	// Range, IfNoneMatch and Authorization are the headers of these names.
	Range, IfNoneMatch, Authorization string
	// Status is the answer's.
	Status int
	// Bytes are those of the body that were to be sent.
	Bytes int64
}

// Serve answers on l until Close; for a test host's loopback take testhost's Host.Listen.
func Serve(l net.Listener, o Options) (*Site, error) {
	s := &Site{Addr: l.Addr().String(), files: map[string]*File{}}
	s.server = &http.Server{Handler: http.HandlerFunc(s.answer), ErrorLog: log.New(io.Discard, "", 0)}
	if o.PlainHTTP {
		go s.server.Serve(l)
		return s, nil
	}
	if err := s.certify(o); err != nil {
		return nil, errors.Join(fmt.Errorf("serve a site: %w", err), l.Close())
	}
	go s.server.ServeTLS(l, "", "")
	return s, nil
}

func (s *Site) certify(o Options) (err error) {
	if s.Authority = o.Authority; s.Authority == nil {
		if s.Authority, err = authority.New(); err != nil {
			return err
		}
	}
	s.server.TLSConfig, err = s.Authority.ServerTLS(o.Names...)
	return err
}

// Local is Serve on a free port of this machine's loopback.
func Local(o Options) (*Site, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("serve a site: %w", err)
	}
	return Serve(l, o)
}

// Transport leads requests for every name and port to the site, and trusts its certificate.
func (s *Site) Transport() *http.Transport {
	t := &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, s.Addr)
	}}
	if s.Authority != nil {
		t.TLSClientConfig = &tls.Config{RootCAs: s.Authority.Pool(), MinVersion: tls.VersionTLS12}
	}
	return t
}

// URL is the URL of a path on the site by its address, as "https://127.0.0.1:8443/x".
func (s *Site) URL(p string) string {
	if s.Authority == nil {
		return "http://" + s.Addr + p
	}
	return "https://" + s.Addr + p
}

// Put puts a file at a path, in place of what was there.
func (s *Site) Put(p string, f File) {
	f.ContentType = cmp.Or(f.ContentType, "application/octet-stream")
	s.mu.Lock()
	defer s.mu.Unlock()
	s.files[path.Clean(p)] = &f
}

// Change turns knobs of the file at a path. It reports whether there is one.
func (s *Site) Change(p string, change func(*File)) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	f := s.files[path.Clean(p)]
	if f != nil {
		change(f)
	}
	return f != nil
}

// Remove takes the file at a path away.
func (s *Site) Remove(p string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.files, path.Clean(p))
}

// Requests returns what has been asked since the last Reset.
func (s *Site) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	log := make([]Request, len(s.log))
	for i, r := range s.log {
		log[i] = *r
	}
	return log
}

// Count is how often a path was asked for since the last Reset, by any name and with any query.
func (s *Site) Count(p string) int {
	n := 0
	for _, r := range s.Requests() {
		if _, rest, _ := strings.Cut(r.URL, "/"); "/"+cutQuery(rest) == p {
			n++
		}
	}
	return n
}

func cutQuery(s string) string {
	before, _, _ := strings.Cut(s, "?")
	return before
}

// Reset forgets the requests so far.
func (s *Site) Reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.log = nil
}

// Close ends it and all its connections.
func (s *Site) Close() error { return s.server.Close() }

func (s *Site) answer(w http.ResponseWriter, r *http.Request) {
	asked := &Request{
		Method: r.Method, URL: r.Host + r.URL.RequestURI(), Range: r.Header.Get("Range"),
		IfNoneMatch: r.Header.Get("If-None-Match"), Authorization: r.Header.Get("Authorization"),
	}
	s.mu.Lock()
	f := s.files[path.Clean(r.URL.Path)]
	var t turn
	if f != nil {
		t = f.take(r)
	}
	s.log = append(s.log, asked)
	s.mu.Unlock()
	w = &counter{ResponseWriter: w, request: asked, mu: &s.mu}
	if f == nil {
		http.NotFound(w, r)
		return
	}
	t.serve(w, r)
}

// counter notes what is answered, before it is: who has the answer may ask for the log.
type counter struct {
	http.ResponseWriter
	mu      *sync.Mutex
	request *Request
}

func (c *counter) WriteHeader(status int) {
	c.mu.Lock()
	c.request.Status = status
	c.mu.Unlock()
	c.ResponseWriter.WriteHeader(status)
}

func (c *counter) Write(p []byte) (int, error) {
	c.mu.Lock()
	c.request.Status = cmp.Or(c.request.Status, http.StatusOK)
	c.request.Bytes += int64(len(p))
	c.mu.Unlock()
	return c.ResponseWriter.Write(p)
}

// Unwrap is for http.ResponseController.
func (c *counter) Unwrap() http.ResponseWriter { return c.ResponseWriter }
