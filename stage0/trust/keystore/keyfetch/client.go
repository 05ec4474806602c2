package keyfetch

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"
)

const (
	maxPageBytes = 1 << 20
	maxKeyBytes  = 1 << 20
	maxRedirects = 5
	// timeout is for all of one question, redirections and pages of names above
	// it included.
	timeout     = time.Minute
	dialTimeout = 20 * time.Second
)

// Client asks. The zero value speaks HTTPS alone and believes the host's
// certificate authorities.
type Client struct {
	// AllowHTTP allows plain HTTP, where HTTPS fails and in redirections.
	AllowHTTP bool
	// Authorities replace the host's; for tests.
	Authorities *x509.CertPool
	// Port replaces 443 and 80 in discovery; for tests.
	Port uint
}

// transport asks once, within ctx whatever the request says, and ends bodies that
// are too long with an error.
type transport struct {
	base  *http.Transport
	ctx   context.Context // of one question
	limit int64
}

func (c *Client) transport(ctx context.Context, limit int64) *transport {
	return &transport{ctx: ctx, limit: limit, base: &http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		DialContext:         (&net.Dialer{Timeout: dialTimeout}).DialContext,
		TLSHandshakeTimeout: dialTimeout,
		TLSClientConfig:     &tls.Config{RootCAs: c.Authorities, MinVersion: tls.VersionTLS12},
		DisableKeepAlives:   true,
		ForceAttemptHTTP2:   true,
	}}
}

// RoundTrip is http.RoundTripper's.
func (t *transport) RoundTrip(req *http.Request) (*http.Response, error) {
	res, err := t.base.RoundTrip(req.WithContext(t.ctx))
	if err != nil {
		return nil, err
	}
	res.Body = &limited{ReadCloser: res.Body, left: t.limit}
	return res, nil
}

// limited is a body that fails when it is too long, rather than to end early.
type limited struct {
	io.ReadCloser
	left int64
}

var errTooLong = errors.New("the answer is too long")

func (l *limited) Read(p []byte) (int, error) {
	if l.left < 0 {
		return 0, errTooLong
	}
	if int64(len(p)) > l.left+1 {
		p = p[:l.left+1]
	}
	n, err := l.ReadCloser.Read(p)
	if l.left -= int64(n); l.left < 0 {
		return n - 1, errTooLong
	}
	return n, err
}

// redirection refuses to be led away from HTTPS.
func (c *Client) redirection(req *http.Request, via []*http.Request) error {
	if len(via) > maxRedirects {
		return fmt.Errorf("more than %d redirections", maxRedirects)
	}
	return c.allowed(req.URL)
}

func (c *Client) allowed(u *url.URL) error {
	switch {
	case u.Host == "":
		return fmt.Errorf("%q is not the URL of a key", u.Redacted())
	case u.Scheme == "https", u.Scheme == "http" && c.AllowHTTP:
		return nil
	case u.Scheme == "http":
		return &httpError{u.Redacted()}
	}
	return fmt.Errorf("%q is not an https URL", u.Redacted())
}

// httpError is a refusal of plain HTTP.
type httpError struct{ url string }

func (e *httpError) Error() string {
	return fmt.Sprintf("%q is not fetched over plain HTTP, where anybody may change it", e.url)
}

// Hint is how to allow it.
func (e *httpError) Hint() string {
	return "raket trust --insecure-allow-http, after which compare the fingerprint"
}

// FetchKey downloads what an https URL has, at most 1 MiB. It is not read.
func (c *Client) FetchKey(ctx context.Context, keyURL string) ([]byte, error) {
	u, err := url.Parse(keyURL)
	if err != nil {
		return nil, fmt.Errorf("fetch key: %w", err)
	}
	if err := c.allowed(u); err != nil {
		return nil, fmt.Errorf("fetch key: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, fmt.Errorf("fetch key: %w", err)
	}
	web := &http.Client{Transport: c.transport(ctx, maxKeyBytes), CheckRedirect: c.redirection}
	res, err := web.Do(req)
	if err != nil {
		return nil, fmt.Errorf("fetch key: %w", err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("fetch key %q: the server answers %q", u.Redacted(), res.Status)
	}
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		return nil, fmt.Errorf("fetch key %q: %w", u.Redacted(), err)
	}
	return raw, nil
}
