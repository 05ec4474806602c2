package registry

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/raket/raket/pkg/image"
)

// smallStalls is how many stall timeouts a whole document may take.
const smallStalls = 5

func (e *endpoint) smallTimeout(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, smallStalls*max(e.opts.StallTimeout, time.Millisecond))
}

// document is an answer that was read whole.
type document struct {
	raw    []byte
	header http.Header
	url    *url.URL // of the request that was answered in the end
}

// document reads a small answer whole, and again where that may help.
func (e *endpoint) document(ctx context.Context, r request, limit int64) (document, error) {
	tries := newRetrier(e.opts.Retry, e.mirror)
	for {
		doc, err := e.tryDocument(ctx, r, limit)
		if err == nil {
			return doc, nil
		}
		if err := tries.again(ctx, err); err != nil {
			return document{}, err
		}
	}
}

func (e *endpoint) tryDocument(ctx context.Context, r request, limit int64) (document, error) {
	ctx, cancel := e.smallTimeout(ctx)
	defer cancel()
	resp, err := e.try(ctx, r)
	if err != nil {
		return document{}, err
	}
	body := newStallReader(resp.Body, e.opts.StallTimeout)
	defer body.Close()
	raw, err := io.ReadAll(io.LimitReader(body, limit+1))
	if err != nil {
		return document{}, e.failed(r.doing, err)
	}
	if int64(len(raw)) > limit {
		return document{}, &Error{Doing: r.doing, Registry: e.name, text: fmt.Sprintf("it sent something larger than %d MiB", limit>>20)}
	}
	return document{raw: raw, header: resp.Header, url: resp.Request.URL}, nil
}

const doingManifest = "get manifest"

// manifest reads the manifest of a tag or digest, and holds it against the
// digest, or the one that the registry says its tag has.
func (e *endpoint) manifest(ctx context.Context, what string, d digest.Digest) ([]byte, error) {
	doc, err := e.document(ctx, request{doing: doingManifest, path: "manifests/" + what, accept: accepted}, image.MaxManifestBytes)
	if err != nil {
		return nil, err
	}
	if image.IsSchema1(doc.header.Get("Content-Type")) {
		return nil, &Error{Doing: doingManifest, Registry: e.name,
			text: "it has a manifest of Docker schema 1 only, which is no longer supported",
			hint: "push the image again with a current tool"}
	}
	if d == "" {
		said := digest.Digest(doc.header.Get("Docker-Content-Digest"))
		if said.Validate() != nil || said.Algorithm() != digest.SHA256 {
			return doc.raw, nil
		}
		d = said
	}
	if err := image.CheckDigest("image manifest", doc.raw, d); err != nil {
		return nil, &LyingError{Registry: e.name, err: err}
	}
	return doc.raw, nil
}

// readBlob reads a small blob from the endpoint whose turn it is.
func (s *Source) readBlob(ctx context.Context, d digest.Digest, limit int64) ([]byte, error) {
	r, err := s.Blob(ctx, d)
	if err != nil {
		return nil, err
	}
	raw, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err := errors.Join(err, r.Close()); err != nil {
		return nil, err
	}
	if int64(len(raw)) > limit {
		return nil, fmt.Errorf("blob %s is larger than %d bytes", d, limit)
	}
	if err := image.CheckDigest("blob", raw, d); err != nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		return nil, &LyingError{Registry: s.endpoints[s.gave[d]].name, err: err}
	}
	return raw, nil
}
