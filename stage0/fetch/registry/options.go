package registry

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/raket/raket/stage0/credentials"
	"github.com/raket/raket/stage0/registries"
)

// Options say how a registry is spoken to. The zero value asks the reference's
// own registry, anonymously, over TLS.
type Options struct {
	// Endpoints are asked in order, mirrors first; the last one is the
	// registry's own location. Default: the one the reference names.
	Endpoints []registries.Endpoint
	// Credentials finds what to show a registry, the empty Credential for
	// nothing. It is called where a registry asks, once an endpoint. Nil:
	// nothing is ever shown.
	Credentials func(ctx context.Context, registry, repository string) (credentials.Credential, error)
	// InsecureHTTP allows plain HTTP, where HTTPS is not answered, to any
	// host. Credentials are not sent over it even so.
	InsecureHTTP bool
	// InsecureTLS accepts any certificate from any host.
	InsecureTLS bool
	// CertDirs have directories HOST or HOST:PORT of CA certificates
	// (*.crt) and client certificates (NAME.cert with NAME.key), as
	// containers-certs.d(5) has it; the first that has the host counts.
	// Default: /etc/containers/certs.d, /etc/docker/certs.d.
	CertDirs []string
	// StallTimeout is how long a registry may take to begin an answer, or
	// to send 4 KiB more of one; default 1 minute.
	StallTimeout time.Duration
	Retry        Retry
	// Warn is told, in one line for people, where a mirror fails. It is
	// called from any goroutine. Nil: nobody is.
	Warn func(line string)
}

// Retry says how often and after how long something is tried again. A zero
// field has its default.
type Retry struct {
	// Attempts is how often in all a request is made; default 5. A mirror
	// is tried at most twice. For a blob it is how many attempts in a row
	// may bring less than 64 KiB.
	Attempts int
	// Base is the longest first wait, doubled each time up to Max; from half
	// of it to all of it is waited, by chance. Default 300ms and 10s.
	Base, Max time.Duration
	// MaxRetryAfter is the longest wait that a registry may ask for with
	// Retry-After; where it asks for more, nothing is tried again. Default
	// 1 minute.
	MaxRetryAfter time.Duration
	// Tell is told, in one line for people, of what failed and when it is tried
	// again. It is called from any goroutine. Nil: nobody is.
	Tell func(line string)
	// Sleep and Now are for tests: they stand for the clock.
	Sleep func(ctx context.Context, d time.Duration) error
	Now   func() time.Time
}

const (
	defaultStall    = time.Minute
	connectTimeout  = 15 * time.Second
	maxConnsPerHost = 4
	mirrorAttempts  = 2
)

func (o Options) withDefaults() Options {
	if o.CertDirs == nil {
		o.CertDirs = []string{"/etc/containers/certs.d", "/etc/docker/certs.d"}
	}
	if o.StallTimeout <= 0 {
		o.StallTimeout = defaultStall
	}
	if o.Warn == nil {
		o.Warn = func(string) {}
	}
	if o.Credentials == nil {
		o.Credentials = func(context.Context, string, string) (credentials.Credential, error) {
			return credentials.Credential{}, nil
		}
	}
	r := &o.Retry
	if r.Attempts <= 0 {
		r.Attempts = 5
	}
	if r.Base <= 0 {
		r.Base = 300 * time.Millisecond
	}
	if r.Max <= 0 {
		r.Max = 10 * time.Second
	}
	if r.MaxRetryAfter <= 0 {
		r.MaxRetryAfter = time.Minute
	}
	if r.Tell == nil {
		r.Tell = func(string) {}
	}
	if r.Sleep == nil {
		r.Sleep = sleep
	}
	if r.Now == nil {
		r.Now = time.Now
	}
	return o
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// backOff is the wait before the attempt after the n-th, n from 1.
func (r Retry) backOff(n int) time.Duration {
	d := r.Base
	for ; n > 1 && d < r.Max; n-- {
		d *= 2
	}
	d = min(d, r.Max)
	return d/2 + rand.N(d/2+1)
}
