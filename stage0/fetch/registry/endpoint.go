package registry

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"syscall"

	"github.com/raket/raket/pkg/image"
	"github.com/raket/raket/stage0/registries"
)

const (
	dockerHub     = "docker.io"
	dockerHubHost = "registry-1.docker.io"
	userAgent     = "raket"
	maxChallenges = 3
)

// endpoint is one place that is asked.
type endpoint struct {
	name     string // as configured: host or host:port
	host     string // as connected to
	repo     string
	mirror   bool // another endpoint comes after it
	insecure bool
	opts     Options
	tr       *transports
	client   *http.Client
	auth     *auth
	// plain is set once HTTPS was not answered where it need not be.
	plain atomic.Bool
	// left is set when it is not to be asked again: it could not be
	// reached, or it has lied.
	left atomic.Bool
	// signatures is what is known of the signature extension.
	signatures atomic.Int32
}

func newEndpoint(conf registries.Endpoint, mirror bool, opts Options) (*endpoint, error) {
	full := conf.Registry + "/" + conf.Repository
	// Parsing adds to names of Docker's hub, and takes what is no host for
	// a part of one.
	ref, err := image.Parse("docker://" + full + ":latest")
	if err != nil || ref.Tag != "latest" || ref.Digest != "" || !strings.HasSuffix(ref.Repository, conf.Repository) ||
		ref.Registry != conf.Registry && !strings.HasSuffix(conf.Registry, "."+dockerHub) {
		return nil, fmt.Errorf("bad repository name %q", full)
	}
	e := &endpoint{name: conf.Registry, host: conf.Registry, repo: conf.Repository, mirror: mirror, insecure: conf.Insecure, opts: opts}
	if e.host == dockerHub {
		e.host = dockerHubHost
	}
	e.tr = &transports{opts: opts, host: e.host, name: e.name, insecure: e.insecure}
	e.client = e.tr.client()
	e.auth = &auth{endpoint: e, lock: make(chan struct{}, 1)}
	return e, nil
}

// request is a GET of something of the endpoint.
type request struct {
	doing  string // for errors: "get manifest"
	path   string // below /v2/REPOSITORY/, or from / on
	query  url.Values
	accept string
	// rng and ifRange are headers; a 206 is answered to the former.
	rng, ifRange string
}

// get does r, and again where that may help. The answer is a 200, or a 206 to a
// range.
func (e *endpoint) get(ctx context.Context, r request) (*http.Response, error) {
	tries := newRetrier(e.opts.Retry, e.mirror)
	for {
		resp, err := e.try(ctx, r)
		if err == nil {
			return resp, nil
		}
		if err := tries.again(ctx, err); err != nil {
			return nil, err
		}
	}
}

// try does r once, logging in where the registry asks for it.
func (e *endpoint) try(ctx context.Context, r request) (*http.Response, error) {
	for round := 1; ; round++ {
		shown, err := e.auth.current(ctx)
		if err != nil {
			return nil, e.failed(r.doing, err)
		}
		resp, err := e.send(ctx, r, shown)
		if err != nil {
			return nil, e.failed(r.doing, err)
		}
		switch {
		case resp.StatusCode == http.StatusOK, resp.StatusCode == http.StatusPartialContent && r.rng != "":
			return resp, nil
		case resp.StatusCode != http.StatusUnauthorized || resp.Request.URL.Host != e.host:
			return nil, e.answered(r.doing, resp)
		}
		refused := e.answered(r.doing, resp) // closes the body, for the connection to be used again
		if round == maxChallenges {
			return nil, e.auth.explain(refused)
		}
		err = e.auth.challenged(ctx, resp.Header, shown)
		switch {
		case errors.Is(err, errNothingToShow):
			return nil, e.auth.explain(refused)
		case err != nil:
			return nil, e.failed(r.doing, err)
		}
	}
}

// send asks over HTTPS, or over HTTP where that is allowed and HTTPS is not
// answered.
func (e *endpoint) send(ctx context.Context, r request, shown proof) (*http.Response, error) {
	for {
		plain := e.plain.Load()
		req, err := e.build(ctx, r, plain)
		if err != nil {
			return nil, err
		}
		if shown.secret && plain && !isLoopback(e.host) {
			return nil, plainCredentials(e.host)
		}
		if shown.header != "" {
			req.Header.Set("Authorization", shown.header)
		}
		resp, err := e.client.Do(req)
		if err == nil || plain || !e.tr.allowPlain(e.host) || !e.answersNoTLS(err) {
			return resp, err
		}
		e.plain.Store(true)
	}
}

// answersNoTLS reports that HTTPS is not spoken there.
func (e *endpoint) answersNoTLS(err error) bool {
	_, _, perr := net.SplitHostPort(e.host)
	hasPort := perr == nil
	return schemeMismatch(err) || !hasPort && errors.Is(err, syscall.ECONNREFUSED)
}

func (e *endpoint) build(ctx context.Context, r request, plain bool) (*http.Request, error) {
	u := url.URL{Scheme: "https", Host: e.host, Path: "/v2/" + e.repo + "/" + r.path, RawQuery: r.query.Encode()}
	if plain {
		u.Scheme = "http"
	}
	if strings.HasPrefix(r.path, "/") {
		u.Path = r.path
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("User-Agent", userAgent)
	for name, value := range map[string]string{"Accept": r.accept, "Range": r.rng, "If-Range": r.ifRange} {
		if value != "" {
			req.Header.Set(name, value)
		}
	}
	return req, nil
}

func plainCredentials(host string) error {
	return &refusal{
		text: fmt.Sprintf("refused to send credentials to %q over plain HTTP", host),
		hint: "have the registry speak TLS",
	}
}
