package registry

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/raket/raket/stage0/credentials"
)

// errNothingToShow: the registry's no stands.
var errNothingToShow = errors.New("nothing more to show")

// auth is how one endpoint is logged in to.
type auth struct {
	endpoint *endpoint
	lock     chan struct{} // held by who changes what follows, over requests
	found    bool
	cred     credentials.Credential
	shown    proof
	bearer   *challenge // what the token was for
	// refresh is a newer refresh token than the credential's.
	refresh string
}

// proof is what requests carry.
type proof struct {
	header  string // of Authorization; empty for none
	number  int    // of the proofs so far
	expires time.Time
	secret  bool // it came of a credential
}

// tokenSlack is how long before its end a token is replaced.
const tokenSlack = 5 * time.Second

func (a *auth) acquire(ctx context.Context) error {
	select {
	case a.lock <- struct{}{}:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (a *auth) release() { <-a.lock }

// anonymous reports that a credential has nothing to show.
func anonymous(c credentials.Credential) bool {
	return c == credentials.Credential{Source: c.Source}
}

// current returns what to show, after replacing a token that has expired.
func (a *auth) current(ctx context.Context) (proof, error) {
	if err := a.acquire(ctx); err != nil {
		return proof{}, err
	}
	defer a.release()
	if a.bearer != nil && !a.shown.expires.IsZero() && !a.endpoint.opts.Retry.Now().Before(a.shown.expires) {
		if err := a.fetchToken(ctx, *a.bearer); err != nil {
			return proof{}, err
		}
	}
	return a.shown, nil
}

// challenged makes a proof of what a 401 asks for. The error is errNothingToShow
// where the refused proof was all there is.
func (a *auth) challenged(ctx context.Context, h http.Header, refused proof) error {
	if err := a.acquire(ctx); err != nil {
		return err
	}
	defer a.release()
	if a.shown.number != refused.number {
		return nil // another request has got a new one meanwhile
	}
	c, ok := choose(parseChallenges(h.Values("Www-Authenticate")))
	if !ok {
		return errNothingToShow
	}
	if !a.found {
		cred, err := a.endpoint.opts.Credentials(ctx, a.endpoint.name, a.endpoint.repo)
		if err != nil {
			return fmt.Errorf("find credentials: %w", err)
		}
		a.found, a.cred = true, cred
	}
	if !anonymous(a.cred) && a.endpoint.plain.Load() && !isLoopback(a.endpoint.host) {
		return plainCredentials(a.endpoint.host)
	}
	switch {
	case a.cred.RegistryToken != "":
		return a.show("Bearer "+a.cred.RegistryToken, time.Time{})
	case c.scheme == "bearer":
		return a.fetchToken(ctx, c)
	case a.cred.Username != "" || a.cred.Password != "":
		return a.show(basic(a.cred.Username, a.cred.Password), time.Time{})
	}
	return errNothingToShow
}

// show has requests carry a proof, unless it is the one that was refused.
func (a *auth) show(header string, expires time.Time) error {
	if header == a.shown.header {
		return errNothingToShow
	}
	if !isVisible(strings.ReplaceAll(header, " ", "")) {
		return errors.New("credentials have a character that no header can carry")
	}
	a.shown = proof{header: header, number: a.shown.number + 1, expires: expires, secret: !anonymous(a.cred)}
	return nil
}

// choose takes the first challenge that is understood.
func choose(all []challenge) (challenge, bool) {
	for _, c := range all {
		if c.scheme == "basic" || c.scheme == "bearer" && c.params["realm"] != "" {
			return c, true
		}
	}
	return challenge{}, false
}

// explain makes a 401 say whose fault it is.
func (a *auth) explain(e *Error) *Error {
	a.lock <- struct{}{}
	defer a.release()
	blame(e, a.cred, a.endpoint.name)
	return e
}

func blame(e *Error, cred credentials.Credential, registry string) {
	if anonymous(cred) {
		e.hint = fmt.Sprintf("it may need credentials, or not have this image: log in with \"skopeo login %s\"", registry)
		return
	}
	from := "given"
	if cred.Source != "" {
		from = "from " + oneLine(cred.Source)
	}
	e.text = fmt.Sprintf("it refused the credentials %s: %s", from, strings.TrimPrefix(e.text, "it "))
	e.hint = fmt.Sprintf("correct them, or log in again with \"skopeo login %s\"", registry)
}

func basic(user, password string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))
}

// isVisible reports that s is printable ASCII without spaces.
func isVisible(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] >= 0x7f {
			return false
		}
	}
	return s != ""
}
