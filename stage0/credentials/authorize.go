package credentials

import (
	"net/http"
	"net/netip"
	"strings"

	"github.com/raket/raket/stage0/config"
)

const authorization = "Authorization"

// Authorize puts what kind auth has for the request's host into its header: a
// user and password, a token, or a signature of what the request is now. It does
// nothing where there is none for the host, or the request is neither over HTTPS
// nor to this machine's loopback.
//
// An http.Client takes the header along when it is sent on to a subdomain. Whoever
// lets one follow redirects takes Transport.
func (f *Finder) Authorize(req *http.Request) error {
	auth, ok := f.authOf(req)
	if !ok || !isPrivate(req) {
		return nil
	}
	switch auth.Type {
	case config.BasicAuth:
		req.SetBasicAuth(auth.User, string(auth.Password))
	case config.OAuth:
		req.Header.Set(authorization, "Bearer "+string(auth.Token))
	case config.AWSAuth:
		return f.sign(req, auth)
	}
	return nil
}

// Transport authorizes each request by itself, those after a redirect too, so that
// no host is shown what is another's. A request that has an authorization already
// keeps it. Base is http.DefaultTransport where it is nil.
func (f *Finder) Transport(base http.RoundTripper) http.RoundTripper {
	if base == nil {
		base = http.DefaultTransport
	}
	return &transport{f, base}
}

type transport struct {
	finder *Finder
	base   http.RoundTripper
}

// RoundTrip leaves the request as it is, as the interface asks.
func (t *transport) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.Header.Get(authorization) == "" {
		req = req.Clone(req.Context())
		if err := t.finder.Authorize(req); err != nil {
			if req.Body != nil {
				_ = req.Body.Close() // the request's error is the one to tell
			}
			return nil, err
		}
	}
	return t.base.RoundTrip(req)
}

// authOf is what there is for the host that a request goes to, with or without
// the port that the scheme implies.
func (f *Finder) authOf(req *http.Request) (config.HostAuth, bool) {
	host := strings.ToLower(req.URL.Host)
	if auth, ok := f.o.Config.Hosts[host]; ok {
		return auth, true
	}
	port := map[string]string{"https": ":443", "http": ":80"}[req.URL.Scheme]
	if bare, ok := strings.CutSuffix(host, port); ok && port != "" {
		auth, ok := f.o.Config.Hosts[bare]
		return auth, ok
	}
	if req.URL.Port() != "" {
		return config.HostAuth{}, false
	}
	auth, ok := f.o.Config.Hosts[host+port]
	return auth, ok
}

// isPrivate says that nobody reads the request on its way.
func isPrivate(req *http.Request) bool {
	switch req.URL.Scheme {
	case "https":
		return true
	case "http":
		host := req.URL.Hostname()
		addr, err := netip.ParseAddr(host)
		return host == "localhost" || err == nil && addr.Unmap().IsLoopback()
	}
	return false
}
