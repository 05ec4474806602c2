package registry

import (
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"strings"
	"sync"

	"github.com/google/go-containerregistry/pkg/registry"
)

// Server is a registry inside the test process.
type Server struct {
	// Addr is its host:port.
	Addr string

	server *http.Server
	mu     sync.Mutex
	before func(w http.ResponseWriter, r *http.Request, next http.Handler)
	log    []string
}

// Serve answers on l until Close; for a test host's loopback take testhost's Host.Listen.
func Serve(l net.Listener) *Server {
	return serve(l, registry.New(registry.Logger(log.New(io.Discard, "", 0))))
}

func serve(l net.Listener, next http.Handler) *Server {
	s := &Server{Addr: l.Addr().String()}
	s.server = &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		s.log = append(s.log, r.Method+" "+r.URL.Path)
		before := s.before
		s.mu.Unlock()
		if before == nil {
			next.ServeHTTP(w, r)
			return
		}
		before(w, r, next)
	})}
	go s.server.Serve(l)
	return s
}

// Local is Serve on a free port of this machine's loopback.
func Local() (*Server, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("serve a registry: %w", err)
	}
	return Serve(l), nil
}

// Before has f answer every request from now on: itself, or by next. Nil takes it away.
func (s *Server) Before(f func(w http.ResponseWriter, r *http.Request, next http.Handler)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.before = f
}

// Requests returns what has been asked since the last Reset, as "GET /v2/x/blobs/sha256:…".
func (s *Server) Requests() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.log...)
}

// Blobs counts the blobs that were fetched since the last Reset.
func (s *Server) Blobs() int {
	n := 0
	for _, r := range s.Requests() {
		if strings.HasPrefix(r, "GET ") && strings.Contains(r, "/blobs/sha256:") {
			n++
		}
	}
	return n
}

// Reset forgets the requests so far.
func (s *Server) Reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.log = nil
}

// Close ends it and all its connections.
func (s *Server) Close() error { return s.server.Close() }

// Client reaches the registry through dial, as testhost's Host.Dial.
func Client(dial func(ctx context.Context, network, addr string) (net.Conn, error)) http.RoundTripper {
	return &http.Transport{DialContext: dial, DisableKeepAlives: true}
}

// Truncate is for Before: it lets each blob end after n bytes, though more were announced.
func Truncate(n int64) func(http.ResponseWriter, *http.Request, http.Handler) {
	return func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		if r.Method != http.MethodGet || !strings.Contains(r.URL.Path, "/blobs/") {
			next.ServeHTTP(w, r)
			return
		}
		next.ServeHTTP(&cut{ResponseWriter: w, left: n}, r)
	}
}

// cut passes left bytes of a body and then drops the connection.
type cut struct {
	http.ResponseWriter
	left int64
}

func (c *cut) Write(b []byte) (int, error) {
	if int64(len(b)) <= c.left {
		c.left -= int64(len(b))
		return c.ResponseWriter.Write(b)
	}
	if _, err := c.ResponseWriter.Write(b[:c.left]); err != nil {
		return 0, err
	}
	if err := http.NewResponseController(c.ResponseWriter).Flush(); err != nil {
		return 0, err
	}
	// The server's own way to end an answer in the middle.
	panic(http.ErrAbortHandler)
}
