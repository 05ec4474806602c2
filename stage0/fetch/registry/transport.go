package registry

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"time"
)

// isLoopback reports whether a registry's host can only be this machine.
func isLoopback(host string) bool {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	host = strings.Trim(host, "[]")
	if host == "localhost" {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

// plainGuard lets no request leave for another machine without TLS, whatever
// asked for it: a registry's redirect, its token server, or a default.
type plainGuard struct {
	inner    http.RoundTripper
	allowAll bool
}

func (g *plainGuard) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.URL.Scheme != "https" && !g.allowAll && !isLoopback(req.URL.Host) {
		return nil, fmt.Errorf("refused plain HTTP to %q: allow it with --insecure-options=http", req.URL.Host)
	}
	return g.inner.RoundTrip(req)
}

// stallReader closes what it reads when nothing came for a while, which makes
// the blocked Read return.
type stallReader struct {
	r       io.ReadCloser
	d       time.Duration
	timer   *time.Timer
	stalled atomic.Bool
}

func newStallReader(r io.ReadCloser, d time.Duration) *stallReader {
	s := &stallReader{r: r, d: d}
	s.timer = time.AfterFunc(d, func() {
		s.stalled.Store(true)
		_ = r.Close()
	})
	s.timer.Stop()
	return s
}

func (s *stallReader) Read(p []byte) (int, error) {
	s.timer.Reset(s.d)
	n, err := s.r.Read(p)
	s.timer.Stop()
	if s.stalled.Load() {
		return n, fmt.Errorf("registry sent nothing for %s", s.d)
	}
	return n, err
}

func (s *stallReader) Close() error {
	s.timer.Stop()
	return s.r.Close()
}
