package registry

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/raket/raket/pkg/image"
)

const (
	maxErrorBody = 64 << 10
	maxErrorText = 400
	maxToldCodes = 3
)

// Error is a registry's refusal, or the failure to reach it. It is
// fs.ErrNotExist where the registry answered 404.
type Error struct {
	Doing    string // "get blob sha256:…"
	Registry string // host or host:port that was asked
	Status   int    // of HTTP; 0 where there was no answer
	text     string
	hint     string
	err      error
	// passing errors may be gone the next time.
	passing    bool
	retryAfter time.Duration
	// contentRange is that header of a 416.
	contentRange string
}

func (e *Error) Error() string {
	return fmt.Sprintf("%s at registry %s: %s", e.Doing, e.Registry, e.text)
}

// Hint says what to do about it, if anything is known.
func (e *Error) Hint() string { return e.hint }

func (e *Error) Unwrap() error { return e.err }

// Is makes an absence known to errors.Is.
func (e *Error) Is(target error) bool {
	return target == fs.ErrNotExist && e.Status == http.StatusNotFound
}

// LyingError is a registry that sent something else than what it was asked for
// by digest. It wraps the *image.DigestError where there is one.
type LyingError struct {
	Registry string
	err      error
}

func (e *LyingError) Error() string {
	return fmt.Sprintf("registry %s sent something else: %s", e.Registry, oneLine(e.err.Error()))
}

func (e *LyingError) Unwrap() error { return e.err }

// refusal is something this client does not do, whoever asks for it.
type refusal struct{ text, hint string }

func (r *refusal) Error() string { return r.text }
func (r *refusal) Hint() string  { return r.hint }

// answered makes an error of an answer, with the registry's own words, and
// closes its body.
func (e *endpoint) answered(doing string, resp *http.Response) *Error {
	// The words matter less than the status: what does not come soon is let be.
	stop := time.AfterFunc(e.opts.StallTimeout, func() { _ = resp.Body.Close() })
	raw, _ := io.ReadAll(io.LimitReader(resp.Body, maxErrorBody))
	stop.Stop()
	_ = resp.Body.Close()
	text := fmt.Sprintf("it answered %d %s", resp.StatusCode, http.StatusText(resp.StatusCode))
	var words struct {
		Errors []struct{ Code, Message string }
	}
	if json.Unmarshal(raw, &words) == nil {
		for _, w := range words.Errors[:min(len(words.Errors), maxToldCodes)] {
			text += ", " + w.Code
			if w.Message != "" {
				text += ": " + w.Message
			}
		}
	}
	host := e.name
	if resp.Request != nil && resp.Request.URL.Host != e.host {
		host += " (by way of " + resp.Request.URL.Host + ")"
	}
	err := &Error{Doing: doing, Registry: oneLine(host), Status: resp.StatusCode, text: oneLine(text)}
	switch resp.StatusCode {
	case http.StatusRequestTimeout, http.StatusTooManyRequests, http.StatusInternalServerError,
		http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		err.passing = true
		err.retryAfter = retryAfter(resp.Header.Get("Retry-After"), e.opts.Retry.Now())
	case http.StatusRequestedRangeNotSatisfiable:
		err.contentRange = resp.Header.Get("Content-Range")
	}
	return err
}

// failed makes an error of a request that had no answer.
func (e *endpoint) failed(doing string, err error) error {
	var known *Error
	if errors.As(err, &known) {
		return err
	}
	out := &Error{Doing: doing, Registry: e.name, err: err, passing: passes(err)}
	host := e.host
	var u *url.Error
	if errors.As(err, &u) {
		// Not its URL, which may carry a signature of its own.
		err = u.Err
		if to, perr := url.Parse(u.URL); perr == nil && to.Host != "" {
			host = to.Host
		}
	}
	text := err.Error()
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		text = "it took too long"
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		text = "the connection broke"
	case schemeMismatch(err):
		text = "it speaks plain HTTP and no TLS"
	}
	if host != e.host {
		text = "by way of " + host + ": " + text
	}
	out.text = oneLine(text)
	var hinted interface{ Hint() string }
	var authority x509.UnknownAuthorityError
	switch {
	case errors.As(err, &hinted):
		out.hint = hinted.Hint()
	case schemeMismatch(err):
		out.hint = hintPlain
	case errors.As(err, &authority):
		out.hint = fmt.Sprintf("if you trust it, put the certificate of its authority into %s/ca.crt", e.certDir(host))
	case strings.Contains(text, "certificate required"), strings.Contains(text, "bad certificate"):
		out.hint = fmt.Sprintf("put a certificate for this client into %s/client.cert and client.key", e.certDir(host))
	}
	return out
}

const hintPlain = "allow it with --insecure-options=http, or insecure = true for it in registries.conf, if nobody between here and there can change what is sent"

// schemeMismatch reports that HTTPS met plain HTTP.
func schemeMismatch(err error) bool {
	var record tls.RecordHeaderError
	return errors.Is(err, http.ErrSchemeMismatch) || errors.As(err, &record)
}

// wrongDigest reports that content was not what its digest says.
func wrongDigest(err error) bool {
	var d *image.DigestError
	return errors.As(err, &d)
}

// oneLine keeps a stranger's text from being more than one plain line.
func oneLine(s string) string {
	s = strings.ToValidUTF8(s, "?")
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f && r < 0xa0 || r >= 0x200b && r <= 0x200f || r >= 0x2028 && r <= 0x202e || r >= 0x2066 && r <= 0x2069 {
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
