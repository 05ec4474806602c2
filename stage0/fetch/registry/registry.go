package registry

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
	"github.com/opencontainers/go-digest"

	"github.com/raket/raket/pkg/image"
)

// Options say how a registry is spoken to.
type Options struct {
	// InsecureHTTP allows plain HTTP, where HTTPS is not answered, to any host.
	InsecureHTTP bool
	// StallTimeout is how long a registry may send nothing; default 1 minute.
	StallTimeout time.Duration
}

const (
	defaultStall   = time.Minute
	connectTimeout = 15 * time.Second
	maxErrorBody   = 64 << 10
)

// accepted are the manifests understood (distribution-spec, "Pulling
// manifests"). Schema 1 is not among them, but some registries send it.
const accepted = "application/vnd.oci.image.index.v1+json, " +
	"application/vnd.docker.distribution.manifest.list.v2+json, " +
	"application/vnd.oci.image.manifest.v1+json, " +
	"application/vnd.docker.distribution.manifest.v2+json"

// Source is one repository.
type Source struct {
	ref    image.Ref
	base   string // scheme://host/v2/repository
	client *http.Client
	tr     *http.Transport
	stall  time.Duration
}

// Open introduces itself to the registry of ref, a Docker reference.
func Open(ctx context.Context, ref image.Ref, opts Options) (*Source, error) {
	plain := opts.InsecureHTTP || isLoopback(ref.Registry)
	var nameOpts []name.Option
	if plain {
		nameOpts = append(nameOpts, name.Insecure)
	}
	repo, err := name.NewRepository(ref.Registry+"/"+ref.Repository, nameOpts...)
	if err != nil {
		return nil, fmt.Errorf("bad repository name %q", ref.Registry+"/"+ref.Repository)
	}
	s := &Source{ref: ref, stall: opts.StallTimeout}
	if s.stall <= 0 {
		s.stall = defaultStall
	}
	s.tr = &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           (&net.Dialer{Timeout: connectTimeout, KeepAlive: 30 * time.Second}).DialContext,
		TLSHandshakeTimeout:   connectTimeout,
		ResponseHeaderTimeout: s.stall,
		ForceAttemptHTTP2:     true,
		MaxIdleConnsPerHost:   8,
		IdleConnTimeout:       30 * time.Second,
		ReadBufferSize:        64 << 10,
		// Blobs and manifests are wanted as they are digested.
		DisableCompression: true,
	}
	guard := &plainGuard{inner: s.tr, allowAll: opts.InsecureHTTP}
	rt, err := transport.NewWithContext(ctx, repo.Registry, authn.Anonymous,
		transport.NewRetry(guard), []string{repo.Scope(transport.PullScope)})
	if err != nil {
		s.tr.CloseIdleConnections()
		return nil, s.explain("reach registry", err)
	}
	s.client = &http.Client{Transport: rt}
	// The transport replaces the scheme by what the registry answered to.
	s.base = "https://" + repo.RegistryStr() + "/v2/" + repo.RepositoryStr()
	return s, nil
}

// Close drops idle connections.
func (s *Source) Close() error {
	s.tr.CloseIdleConnections()
	return nil
}

// Names is empty: a registry's image has the name it was fetched by.
func (s *Source) Names() []string { return nil }

// Manifest reads the manifest or index of a digest, or for an empty one that of
// the reference's tag. The bytes are not verified.
func (s *Source) Manifest(ctx context.Context, d digest.Digest) ([]byte, error) {
	what := s.ref.Tag
	if d != "" {
		what = d.String()
	}
	resp, err := s.get(ctx, "manifests/"+what, accepted)
	if err != nil {
		return nil, s.explain("get manifest", err)
	}
	body := newStallReader(resp.Body, s.stall)
	defer body.Close()
	if image.IsSchema1(resp.Header.Get("Content-Type")) {
		return nil, errors.New("registry has a manifest of Docker schema 1 only, which is no longer supported: push the image again with a current tool")
	}
	raw, err := io.ReadAll(io.LimitReader(body, image.MaxManifestBytes+1))
	if err != nil {
		return nil, s.explain("get manifest", err)
	}
	if len(raw) > image.MaxManifestBytes {
		return nil, fmt.Errorf("image manifest is larger than %d MiB", image.MaxManifestBytes>>20)
	}
	return raw, nil
}

// Blob begins to read a blob. The bytes are not verified. The reader fails when
// the registry sends nothing for the stall timeout.
func (s *Source) Blob(ctx context.Context, d digest.Digest) (io.ReadCloser, error) {
	resp, err := s.get(ctx, "blobs/"+d.String(), "")
	if err != nil {
		return nil, s.explain("get blob "+d.String(), err)
	}
	return newStallReader(resp.Body, s.stall), nil
}

func (s *Source) get(ctx context.Context, path, accept string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.base+"/"+path, nil)
	if err != nil {
		return nil, err
	}
	if accept != "" {
		req.Header.Set("Accept", accept)
	}
	resp, err := s.client.Do(req)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode == http.StatusOK {
		return resp, nil
	}
	resp.Body = struct {
		io.Reader
		io.Closer
	}{io.LimitReader(resp.Body, maxErrorBody), resp.Body}
	err = transport.CheckError(resp, http.StatusOK)
	return nil, errors.Join(err, resp.Body.Close())
}

// explain makes one line of an error, with the registry's own words.
func (s *Source) explain(doing string, err error) error {
	var answer *transport.Error
	if !errors.As(err, &answer) {
		return &Error{Doing: doing, Registry: s.ref.Registry, err: err, text: oneLine(err.Error())}
	}
	text := fmt.Sprintf("it answered %d %s", answer.StatusCode, http.StatusText(answer.StatusCode))
	for _, d := range answer.Errors {
		text += ", " + string(d.Code)
		if d.Message != "" {
			text += ": " + d.Message
		}
	}
	e := &Error{Doing: doing, Registry: s.ref.Registry, Status: answer.StatusCode, err: err, text: oneLine(text)}
	if answer.StatusCode == http.StatusNotFound && doing == "get manifest" {
		e.Doing = fmt.Sprintf("find image %q", strings.TrimPrefix(s.ref.String(), "docker://"))
	}
	return e
}

// Error is a registry's refusal, or the failure to reach it.
type Error struct {
	Doing    string
	Registry string
	Status   int // of HTTP; 0 where there was no answer
	text     string
	err      error
}

func (e *Error) Error() string {
	return fmt.Sprintf("%s at registry %s: %s", e.Doing, e.Registry, e.text)
}

func (e *Error) Unwrap() error { return e.err }

const maxErrorText = 400

// oneLine keeps a stranger's text from being more than one plain line.
func oneLine(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 {
			return ' '
		}
		return r
	}, s)
	s = strings.Join(strings.Fields(s), " ")
	if len(s) > maxErrorText {
		s = strings.ToValidUTF8(s[:maxErrorText], "") + "…"
	}
	return s
}
