package appc

import (
	"errors"
	"fmt"
	"net/http"
	"time"
)

// Error is a failure with something to do about it.
type Error struct {
	err  error
	hint string
}

func (e *Error) Error() string { return e.err.Error() }

func (e *Error) Unwrap() error { return e.err }

// Hint is what to do next.
func (e *Error) Hint() string { return e.hint }

func hinted(err error, hint string) error { return &Error{err, hint} }

// ErrNoImage is wrapped where a site was asked and has no such image.
var ErrNoImage = errors.New("no such image")

// statusError is an answer that is no file.
type statusError struct {
	url   string
	code  int
	after time.Duration // of Retry-After
}

func (e *statusError) Error() string {
	return fmt.Sprintf("get %q: the site answers %d %s", e.url, e.code, http.StatusText(e.code))
}

func (e *statusError) Hint() string {
	switch e.code {
	case http.StatusUnauthorized, http.StatusForbidden:
		return "put credentials for the host into a file in auth.d, or check those that are there"
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		return "the site is busy: try again later"
	}
	return ""
}

// passing reports an answer that may be another the next time.
func (e *statusError) passing() bool {
	switch e.code {
	case http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests:
		return true
	case http.StatusNotImplemented, http.StatusHTTPVersionNotSupported:
		return false
	}
	return e.code >= 500
}

func (e *statusError) missing() bool {
	return e.code == http.StatusNotFound || e.code == http.StatusGone
}

// passingError is a failure of the network, worth another try.
type passingError struct{ err error }

func (e *passingError) Error() string { return e.err.Error() }

func (e *passingError) Unwrap() error { return e.err }

// isPassing tells whether to try again, and after how long at least.
func isPassing(err error) (time.Duration, bool) {
	var status *statusError
	if errors.As(err, &status) {
		return status.after, status.passing()
	}
	var p *passingError
	return 0, errors.As(err, &p)
}

func isMissing(err error) bool {
	var status *statusError
	return errors.As(err, &status) && status.missing()
}
