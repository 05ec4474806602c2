package appc

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/raket/raket/pkg/image"
)

// HTTP says how web sites are spoken to. Its zero value asks for TLS and the
// system's certificates.
type HTTP struct {
	// Transport makes requests; nil for one of its own. It must not follow
	// redirects.
	Transport http.RoundTripper
	// InsecureTLS accepts any certificate. It is for the default Transport.
	InsecureTLS bool
	// AllowHTTP allows URLs without TLS, and looks for meta tags without it
	// where there is no answer with it. A redirect never gives up TLS.
	AllowHTTP bool
	// Authorize adds credentials to a request; it sees every request with TLS,
	// each redirect's too, and no other. Nil adds none.
	Authorize func(*http.Request) error
	// StallTimeout is how long a site may send nothing; default a minute.
	StallTimeout time.Duration
	// RetryWait is how long to wait before the second try; default half a
	// second. It doubles with each.
	RetryWait time.Duration
	// Tries is how often a request that fails is made; default 5.
	Tries int
	// Tell is told, in one line for people, of what failed and when it is tried
	// again. Nil: nobody is.
	Tell func(line string)
}

const (
	maxRedirects   = 10
	maxRetryWait   = time.Minute
	defaultStall   = time.Minute
	defaultWait    = 500 * time.Millisecond
	defaultTries   = 5
	connectTimeout = 20 * time.Second
)

// client makes requests as an HTTP says.
type client struct {
	HTTP
	http http.Client
	own  *http.Transport // to close; nil where it is the caller's
}

func newClient(h HTTP) *client {
	if h.StallTimeout <= 0 {
		h.StallTimeout = defaultStall
	}
	if h.RetryWait <= 0 {
		h.RetryWait = defaultWait
	}
	if h.Tries <= 0 {
		h.Tries = defaultTries
	}
	c := &client{HTTP: h}
	if h.Transport == nil {
		c.own = &http.Transport{
			Proxy:               http.ProxyFromEnvironment,
			DialContext:         (&net.Dialer{Timeout: connectTimeout}).DialContext,
			TLSHandshakeTimeout: connectTimeout,
			TLSClientConfig:     &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: h.InsecureTLS},
			DisableCompression:  true,
			ForceAttemptHTTP2:   true,
		}
		c.HTTP.Transport = c.own
	}
	c.http = http.Client{
		Transport:     c.HTTP.Transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return c
}

func (c *client) close() {
	if c.own != nil {
		c.own.CloseIdleConnections()
	}
}

// get asks for a URL and follows redirects. Headers, which hold no credentials,
// go to every site on the way. The body ends with an error when the site stalls.
func (c *client) get(ctx context.Context, at string, header http.Header) (*http.Response, error) {
	u, err := url.Parse(at)
	if err != nil {
		return nil, fmt.Errorf("bad URL %q", at)
	}
	for range maxRedirects {
		if err := c.allowed(u); err != nil {
			return nil, err
		}
		resp, err := c.once(ctx, u, header)
		if err != nil {
			return nil, err
		}
		if resp.StatusCode < 300 || resp.StatusCode > 399 || resp.StatusCode == http.StatusNotModified {
			return resp, nil
		}
		to := resp.Header.Get("Location")
		resp.Body.Close()
		next, err := u.Parse(to)
		switch {
		case to == "" || err != nil:
			return nil, fmt.Errorf("get %q: the site redirects to nowhere", at)
		case next.User != nil:
			return nil, fmt.Errorf("get %q: the site redirects to a URL with credentials", at)
		case u.Scheme == "https" && next.Scheme != "https":
			return nil, fmt.Errorf("get %q: the site redirects to %q, without TLS", at, shown(next))
		}
		u = next
	}
	return nil, fmt.Errorf("get %q: more than %d redirects", at, maxRedirects)
}

// shown is a URL without its query, which may hold a secret.
func shown(u *url.URL) string {
	short := url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}
	return short.String()
}

func (c *client) allowed(u *url.URL) error {
	if _, err := image.Parse(u.Scheme + "://" + u.Host + "/x"); err != nil {
		return fmt.Errorf("bad URL %q: %w", shown(u), err)
	}
	switch {
	case u.Scheme == "https", u.Scheme == "http" && c.AllowHTTP:
		return nil
	case u.Scheme == "http":
		return hinted(fmt.Errorf("refused plain HTTP to %q", u.Host), "use https, or allow it with --insecure-options=http")
	}
	return fmt.Errorf("%q: cannot fetch by %q", shown(u), u.Scheme)
}

func (c *client) once(ctx context.Context, u *url.URL, header http.Header) (*http.Response, error) {
	reqCtx, cancel := context.WithCancel(ctx)
	req, err := http.NewRequestWithContext(reqCtx, http.MethodGet, u.String(), nil)
	if err != nil {
		cancel()
		return nil, fmt.Errorf("bad URL %q", shown(u))
	}
	for k, v := range header {
		req.Header[k] = v
	}
	// Files as they are: the signature is of those bytes.
	req.Header.Set("Accept-Encoding", "identity")
	req.Header.Set("User-Agent", "raket")
	if c.Authorize != nil && u.Scheme == "https" {
		if err := c.Authorize(req); err != nil {
			cancel()
			return nil, fmt.Errorf("authorise request to %q: %w", u.Host, err)
		}
	}
	w := newWatch(c.StallTimeout, cancel)
	resp, err := c.http.Do(req)
	w.rest()
	if err != nil {
		cancel()
		return nil, c.networkError(ctx, u, w, err)
	}
	resp.Body = &watchedBody{watch: w, body: resp.Body, cancel: cancel}
	return resp, nil
}

// networkError is what a request failed with, without the URL's query.
func (c *client) networkError(ctx context.Context, u *url.URL, w *watch, err error) error {
	var wrapped *url.Error
	if errors.As(err, &wrapped) {
		err = wrapped.Err
	}
	var cert *tls.CertificateVerificationError
	var dns *net.DNSError
	switch {
	case w.fired.Load():
		return &passingError{fmt.Errorf("get %q: the site sent nothing for %s", shown(u), w.after)}
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.As(err, &cert):
		return hinted(fmt.Errorf("get %q: %w", shown(u), err), "have the host trust the site's authority, or accept any certificate with --insecure-options=tls")
	}
	err = fmt.Errorf("get %q: %w", shown(u), err)
	if errors.As(err, &dns) && dns.IsNotFound {
		return err
	}
	return &passingError{err}
}

// watch cancels a request when nothing came for a while.
type watch struct {
	after time.Duration
	timer *time.Timer
	fired atomic.Bool
}

func newWatch(after time.Duration, cancel func()) *watch {
	w := &watch{after: after}
	w.timer = time.AfterFunc(after, func() {
		w.fired.Store(true)
		cancel()
	})
	return w
}

func (w *watch) rest() { w.timer.Stop() }

type watchedBody struct {
	*watch
	body   io.ReadCloser
	cancel func()
}

func (b *watchedBody) Read(p []byte) (int, error) {
	b.timer.Reset(b.after)
	n, err := b.body.Read(p)
	b.rest()
	if b.fired.Load() && err != nil {
		err = fmt.Errorf("the site sent nothing for %s", b.after)
	}
	return n, err
}

func (b *watchedBody) Close() error {
	b.rest()
	b.cancel()
	return b.body.Close()
}

// retry calls do until it succeeds, fails for good, or has failed too often.
func (c *client) retry(ctx context.Context, do func() error) error {
	for try := 1; ; try++ {
		err := do()
		least, passing := isPassing(err)
		if err == nil || !passing {
			return err
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if try == c.Tries {
			return fmt.Errorf("%w (tried %d times)", err, try)
		}
		if err := c.pause(ctx, try, least, err); err != nil {
			return err
		}
	}
}

// pause waits between tries, longer each time and never in step with others.
func (c *client) pause(ctx context.Context, try int, least time.Duration, why error) error {
	wait := min(c.RetryWait<<min(try-1, 10), maxRetryWait)
	wait = max(wait/2+rand.N(wait/2+1), min(least, maxRetryWait))
	if c.Tell != nil {
		c.Tell(fmt.Sprintf("%v; trying again in %s", why, wait.Round(wait/10+1)))
	}
	t := time.NewTimer(wait)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// page gets a small file whole, and reports false where the site asks to come
// back for it later (202).
func (c *client) page(ctx context.Context, at string, limit int64) (raw []byte, now bool, err error) {
	err = c.retry(ctx, func() error {
		resp, err := c.get(ctx, at, nil)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		switch resp.StatusCode {
		case http.StatusOK:
		case http.StatusAccepted:
			return nil
		default:
			return newStatusError(at, resp)
		}
		raw, err = io.ReadAll(io.LimitReader(resp.Body, limit+1))
		if err != nil {
			return &passingError{fmt.Errorf("get %q: %w", at, err)}
		}
		if int64(len(raw)) > limit {
			return fmt.Errorf("get %q: it has more than %d bytes", at, limit)
		}
		now = true
		return nil
	})
	return raw, now, err
}

// probe tells that nothing is at a URL.
func (c *client) probe(ctx context.Context, at string) error {
	resp, err := c.get(ctx, at, http.Header{"Range": {"bytes=0-0"}})
	if err != nil {
		return err
	}
	resp.Body.Close()
	if e := newStatusError(at, resp); e.missing() {
		return e
	}
	return nil
}

func newStatusError(at string, resp *http.Response) *statusError {
	if u, err := url.Parse(at); err == nil {
		at = shown(u)
	}
	e := &statusError{url: at, code: resp.StatusCode}
	after := strings.TrimSpace(resp.Header.Get("Retry-After"))
	if secs, err := strconv.ParseUint(after, 10, 31); err == nil {
		e.after = time.Duration(secs) * time.Second
	} else if at, err := http.ParseTime(after); err == nil {
		e.after = time.Until(at)
	}
	return e
}
