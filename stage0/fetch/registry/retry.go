package registry

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// retrier counts the attempts at one thing.
type retrier struct {
	opts  Retry
	limit int
	n     int // failures in a row
}

func newRetrier(r Retry, mirror bool) *retrier {
	limit := r.Attempts
	if mirror {
		limit = min(limit, mirrorAttempts)
	}
	return &retrier{opts: r, limit: limit}
}

// again waits before another attempt and returns nil; or at once the error to
// end with, where there must be none.
func (r *retrier) again(ctx context.Context, err error) error {
	if cerr := ctx.Err(); cerr != nil {
		return context.Cause(ctx)
	}
	var e *Error
	if !errors.As(err, &e) || !e.passing {
		return err
	}
	if r.n++; r.n >= r.limit {
		return err
	}
	wait := r.opts.backOff(r.n)
	if e.retryAfter > r.opts.MaxRetryAfter {
		longer := *e
		longer.text += ", and asks to wait for " + e.retryAfter.Round(time.Second).String()
		return &longer
	}
	wait = max(wait, e.retryAfter)
	r.opts.Tell(fmt.Sprintf("%v; trying again in %s", err, wait.Round(wait/10+1)))
	if serr := r.opts.Sleep(ctx, wait); serr != nil {
		return context.Cause(ctx)
	}
	return nil
}

// progressed forgets the failures so far.
func (r *retrier) progressed() { r.n = 0 }

// maxRetryAfter keeps a stranger's number from overflowing.
const maxRetryAfter = 365 * 24 * time.Hour

// retryAfter reads the header of that name: seconds, or a date (RFC 9110,
// section 10.2.3). It is zero for anything else and for the past.
func retryAfter(value string, now time.Time) time.Duration {
	value = strings.TrimSpace(value)
	if secs, err := strconv.ParseUint(value, 10, 63); err == nil {
		return time.Duration(min(secs, uint64(maxRetryAfter/time.Second))) * time.Second
	} else if errors.Is(err, strconv.ErrRange) {
		return maxRetryAfter
	}
	at, err := http.ParseTime(value)
	if err != nil {
		return 0
	}
	return min(max(at.Sub(now), 0), maxRetryAfter)
}

// passes reports whether a request that failed so may succeed the next time.
// The caller's own cancelling does not count among these.
func passes(err error) bool {
	var dns *net.DNSError
	var op *net.OpError
	var timeout interface{ Timeout() bool }
	var r *refusal
	switch {
	case errors.As(err, &r), errors.Is(err, context.Canceled):
		return false
	case errors.As(err, &dns):
		return dns.IsTemporary || dns.IsTimeout
	case errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return false
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE), errors.Is(err, syscall.ECONNABORTED),
		errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, errStalled):
		return true
	case errors.As(err, &timeout) && timeout.Timeout():
		return true
	case errors.As(err, &op) && op.Op == "dial":
		return false
	}
	// The standard library's HTTP/2 has no types to tell these by.
	text := err.Error()
	return strings.Contains(text, "http2: ") && !strings.Contains(text, "header list") ||
		strings.Contains(text, "stream error: ") || strings.Contains(text, "GOAWAY")
}
