package registry

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/opencontainers/go-digest"

	"github.com/raket/raket/pkg/image"
)

const (
	indexType        = "application/vnd.oci.image.index.v1+json"
	emptyIndex       = `{"schemaVersion":2,"mediaType":"` + indexType + `","manifests":[]}`
	maxReferrerPages = 16
)

// Referrers reads the OCI index of what refers to a manifest: signatures,
// attestations (distribution-spec, "Listing referrers"). A registry without
// that API is asked for the tag that stands for it, "sha256-HEX". Registries
// may or may not leave out what is not of artifactType; empty means all. The
// index is not verified, and is empty where nothing refers to it.
func (s *Source) Referrers(ctx context.Context, subject digest.Digest, artifactType string) ([]byte, error) {
	if err := subject.Validate(); err != nil {
		return nil, fmt.Errorf("bad digest %q of a subject", subject)
	}
	var raw []byte
	_, err := s.each(ctx, func(e *endpoint) (err error) {
		raw, err = e.referrers(ctx, subject, artifactType)
		return err
	})
	var absent *Error
	if errors.As(err, &absent) && absent.Status == http.StatusNotFound {
		return []byte(emptyIndex), nil
	}
	return raw, err
}

const doingReferrers = "list referrers"

func (e *endpoint) referrers(ctx context.Context, subject digest.Digest, artifactType string) ([]byte, error) {
	r := request{doing: doingReferrers, path: "referrers/" + subject.String(), accept: indexType}
	if artifactType != "" {
		r.query = url.Values{"artifactType": {artifactType}}
	}
	raw, err := e.referrerPages(ctx, r)
	if err != nil && lacksReferrers(err) {
		tag := strings.Replace(subject.String(), ":", "-", 1)
		raw, err = e.manifest(ctx, tag[:min(len(tag), maxTagLen)], "")
	}
	if err == nil && len(parseReferrers(raw)) == 0 {
		return nil, notThere(doingReferrers, e, "it has none")
	}
	return raw, err
}

var errNoIndex = errors.New("it sent no index")

// lacksReferrers tells a registry that does not know the API. They are not of
// one mind how to say so.
func lacksReferrers(err error) bool {
	var known *Error
	if !errors.As(err, &known) {
		return errors.Is(err, errNoIndex)
	}
	switch known.Status {
	case http.StatusNotFound, http.StatusBadRequest, http.StatusMethodNotAllowed, http.StatusNotAcceptable, http.StatusNotImplemented:
		return true
	}
	return false
}

// referrerPages follows the links from page to page.
func (e *endpoint) referrerPages(ctx context.Context, r request) ([]byte, error) {
	var all []json.RawMessage
	for page := 1; ; page++ {
		doc, err := e.document(ctx, r, image.MaxManifestBytes)
		if err != nil {
			return nil, err
		}
		found := parseReferrers(doc.raw)
		if found == nil { // a page for people, from a server that has one for every path
			return nil, errNoIndex
		}
		next := nextLink(doc.header.Values("Link"))
		if page == 1 && next == "" {
			return doc.raw, nil
		}
		if all = append(all, found...); next == "" {
			return joinReferrers(r.doing, e, all)
		}
		to, err := doc.url.Parse(next)
		if err != nil || to.Host != e.host || !strings.HasPrefix(to.Path, "/v2/") || page == maxReferrerPages {
			return nil, &Error{Doing: r.doing, Registry: e.name, text: oneLine(fmt.Sprintf("refused to follow its link to %q", next))}
		}
		r.path, r.query = to.Path, to.Query()
	}
}

func joinReferrers(doing string, e *endpoint, all []json.RawMessage) ([]byte, error) {
	raw, err := json.Marshal(struct {
		SchemaVersion int               `json:"schemaVersion"`
		MediaType     string            `json:"mediaType"`
		Manifests     []json.RawMessage `json:"manifests"`
	}{2, indexType, all})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", doing, err)
	}
	if len(raw) > image.MaxManifestBytes {
		return nil, &Error{Doing: doing, Registry: e.name, text: fmt.Sprintf("they are larger than %d MiB", image.MaxManifestBytes>>20)}
	}
	return raw, nil
}

// notThere is the absence of something, whatever the registry answered.
func notThere(doing string, e *endpoint, text string) *Error {
	return &Error{Doing: doing, Registry: e.name, Status: http.StatusNotFound, text: oneLine(text)}
}

// parseReferrers returns an index's entries, nil where it is none.
func parseReferrers(raw []byte) []json.RawMessage {
	var index struct {
		SchemaVersion int                `json:"schemaVersion"`
		Manifests     *[]json.RawMessage `json:"manifests"`
	}
	if json.Unmarshal(raw, &index) != nil || index.SchemaVersion != 2 || index.Manifests == nil {
		return nil
	}
	return append([]json.RawMessage{}, *index.Manifests...)
}

// nextLink returns the target of the link that is "next" (RFC 8288), or "".
func nextLink(headers []string) string {
	for _, h := range headers {
		for link := range strings.SplitSeq(h, ",") {
			target, params, ok := strings.Cut(strings.TrimSpace(link), ">")
			if !ok || !strings.HasPrefix(target, "<") {
				continue
			}
			for param := range strings.SplitSeq(params, ";") {
				name, value, _ := strings.Cut(strings.TrimSpace(param), "=")
				if strings.EqualFold(strings.TrimSpace(name), "rel") && strings.EqualFold(strings.Trim(strings.TrimSpace(value), `"`), "next") {
					return target[1:]
				}
			}
		}
	}
	return ""
}
