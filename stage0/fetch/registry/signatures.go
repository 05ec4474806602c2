package registry

import (
	"context"
	"fmt"
	"net/http"

	"github.com/opencontainers/go-digest"

	"github.com/raket/raket/pkg/image"
)

// What is known of an endpoint's signature extension.
const (
	signaturesUnknown int32 = iota
	signaturesYes
	signaturesNo
)

const doingSignatures = "get signatures"

// SignatureExtension reads the simple signing signatures that a registry keeps
// with a manifest: JSON with "signatures", as the X-Registry-Supports-Signatures
// extension has it. It is not verified. The error is fs.ErrNotExist where the
// registry has no such extension.
func (s *Source) SignatureExtension(ctx context.Context, d digest.Digest) ([]byte, error) {
	if err := d.Validate(); err != nil {
		return nil, fmt.Errorf("bad digest %q of a manifest", d)
	}
	var raw []byte
	_, err := s.each(ctx, func(e *endpoint) error {
		has, err := e.hasSignatures(ctx)
		if err != nil {
			return err
		}
		if !has {
			return notThere(doingSignatures, e, "it does not keep any")
		}
		doc, err := e.document(ctx, request{doing: doingSignatures, path: "/extensions/v2/" + e.repo + "/signatures/" + d.String()}, image.MaxManifestBytes)
		raw = doc.raw
		return err
	})
	return raw, err
}

// hasSignatures asks an endpoint what it supports, once.
func (e *endpoint) hasSignatures(ctx context.Context) (bool, error) {
	tries := newRetrier(e.opts.Retry, e.mirror)
	for e.signatures.Load() == signaturesUnknown {
		err := e.ping(ctx)
		if err == nil {
			break
		}
		if err := tries.again(ctx, err); err != nil {
			return false, err
		}
	}
	return e.signatures.Load() == signaturesYes, nil
}

// ping reads the headers of /v2/, which a 401 has as well.
func (e *endpoint) ping(ctx context.Context) error {
	ctx, cancel := e.smallTimeout(ctx)
	defer cancel()
	shown, err := e.auth.current(ctx)
	if err != nil {
		return e.failed(doingSignatures, err)
	}
	resp, err := e.send(ctx, request{path: "/v2/"}, shown)
	if err != nil {
		return e.failed(doingSignatures, err)
	}
	answer := e.answered(doingSignatures, resp)
	switch resp.StatusCode {
	case http.StatusOK, http.StatusUnauthorized:
	default:
		return answer
	}
	known := signaturesNo
	if resp.Header.Get("X-Registry-Supports-Signatures") == "1" && resp.Request.URL.Host == e.host {
		known = signaturesYes
	}
	e.signatures.Store(known)
	return nil
}
