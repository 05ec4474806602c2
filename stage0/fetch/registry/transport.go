package registry

import (
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"
)

const (
	maxHeaderBytes = 64 << 10
	maxRedirects   = 5
	// streamBufferBytes is what a blob that is read slowly may hold in memory
	// over HTTP/2, half the standard library's.
	streamBufferBytes = 2 << 20
)

// isLoopback reports whether a registry's host can only be this machine.
func isLoopback(host string) bool {
	host = hostname(host)
	if host == "localhost" {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

// hostname is a host without its port.
func hostname(hostport string) string {
	if h, _, err := net.SplitHostPort(hostport); err == nil {
		hostport = h
	}
	return strings.Trim(hostport, "[]")
}

// transports carry the requests of one endpoint, wherever redirects and token
// servers lead them: each host has its own certificates, and what the user
// allowed for one host is not allowed for another.
type transports struct {
	opts     Options
	host     string // the endpoint's
	name     string // by which the endpoint's certificates are known
	insecure bool   // what the endpoint's hostname may be spoken to without

	mu     sync.Mutex
	shared *http.Transport            // for hosts that nothing is configured for
	own    map[string]*http.Transport // by host, for the others
}

// allowPlain says whether plain HTTP may go to a host. Of this machine's own
// services only what a registry on it leads to.
func (t *transports) allowPlain(host string) bool {
	return t.opts.InsecureHTTP || t.insecure && hostname(host) == hostname(t.host) || isLoopback(host) && isLoopback(t.host)
}

// RoundTrip lets no request leave for another machine without TLS, whatever
// asked for it: a redirect, a token server, or a default.
func (t *transports) RoundTrip(req *http.Request) (*http.Response, error) {
	host := req.URL.Host
	switch {
	case req.URL.Scheme == "https":
	case req.URL.Scheme != "http":
		return nil, &refusal{text: fmt.Sprintf("refused to speak %q", req.URL.Scheme)}
	case !t.allowPlain(host):
		return nil, &refusal{
			text: fmt.Sprintf("refused plain HTTP to %q", host),
			hint: "allow it with --insecure-options=http, if nobody between here and there can change what is sent",
		}
	}
	rt, err := t.of(host)
	if err != nil {
		return nil, err
	}
	return rt.RoundTrip(req)
}

// of returns the transport for a host.
func (t *transports) of(host string) (*http.Transport, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if rt := t.own[host]; rt != nil {
		return rt, nil
	}
	name := host
	if host == t.host {
		name = t.name
	}
	dir := findCertDir(t.opts.CertDirs, name)
	skip := t.opts.InsecureTLS || t.insecure && hostname(host) == hostname(t.host)
	if dir == "" && !skip && t.shared != nil {
		return t.shared, nil
	}
	conf, err := tlsConfig(dir, skip)
	if err != nil {
		return nil, err
	}
	rt := &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		DialContext:            (&net.Dialer{Timeout: connectTimeout, KeepAlive: 30 * time.Second}).DialContext,
		TLSHandshakeTimeout:    connectTimeout,
		TLSClientConfig:        conf,
		ResponseHeaderTimeout:  t.opts.StallTimeout,
		MaxResponseHeaderBytes: maxHeaderBytes,
		ForceAttemptHTTP2:      true,
		HTTP2: &http.HTTP2Config{
			MaxReceiveBufferPerStream: streamBufferBytes,
			// A connection that is dead is not to be asked again.
			SendPingTimeout: connectTimeout,
			PingTimeout:     connectTimeout,
		},
		MaxConnsPerHost:     maxConnsPerHost,
		MaxIdleConnsPerHost: maxConnsPerHost,
		IdleConnTimeout:     30 * time.Second,
		ReadBufferSize:      64 << 10,
		// Blobs and manifests are wanted as they are digested.
		DisableCompression: true,
	}
	switch {
	case dir == "" && !skip:
		t.shared = rt
	case t.own == nil:
		t.own = map[string]*http.Transport{host: rt}
	default:
		t.own[host] = rt
	}
	return rt, nil
}

func (t *transports) close() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.shared != nil {
		t.shared.CloseIdleConnections()
	}
	for _, rt := range t.own {
		rt.CloseIdleConnections()
	}
}

// client follows redirects, without credentials wherever they lead to another
// host, and never out of TLS.
func (t *transports) client() *http.Client {
	return &http.Client{Transport: t, CheckRedirect: func(req *http.Request, via []*http.Request) error {
		first, last := via[0].URL, via[len(via)-1].URL
		switch {
		case len(via) > maxRedirects:
			return &refusal{text: fmt.Sprintf("refused more than %d redirects", maxRedirects)}
		case req.Method != http.MethodGet:
			return &refusal{text: "refused a redirect of a secret"}
		case last.Scheme == "https" && req.URL.Scheme != "https" && !t.opts.InsecureHTTP:
			return &refusal{text: fmt.Sprintf("refused plain HTTP to %q, a redirect out of TLS", req.URL.Host)}
		}
		// The standard library would show them to subdomains as well.
		if req.URL.Host != first.Host || req.URL.Scheme != first.Scheme {
			req.Header.Del("Authorization")
		}
		req.Header.Del("Referer") // the URL before may be signed
		return nil
	}}
}
