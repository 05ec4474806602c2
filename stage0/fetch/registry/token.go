package registry

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"time"
)

const (
	maxTokenBytes   = 64 << 10
	defaultLifetime = time.Minute // distribution's token specification, "expires_in"
	maxLifetime     = 24 * time.Hour
	clientID        = "raket"
	formType        = "application/x-www-form-urlencoded"
)

// fetchToken gets a token for a bearer challenge from the server it names, and
// has requests carry it (distribution's token and OAuth2 specifications).
func (a *auth) fetchToken(ctx context.Context, c challenge) error {
	e := a.endpoint
	realm, err := url.Parse(c.params["realm"])
	if err != nil || realm.Host == "" || realm.User != nil || realm.Scheme != "https" && realm.Scheme != "http" {
		return fmt.Errorf("registry names a token server that is no URL: %q", oneLine(c.params["realm"]))
	}
	secret := !anonymous(a.cred)
	if secret && realm.Scheme != "https" && (!isLoopback(realm.Host) || !isLoopback(e.host)) {
		return plainCredentials(realm.Host)
	}
	ctx, cancel := e.smallTimeout(ctx)
	defer cancel()
	resp, err := a.askToken(ctx, realm, c)
	if err != nil {
		return e.tokenFailed(realm, err)
	}
	if resp.StatusCode != http.StatusOK {
		return a.tokenRefused(realm, resp)
	}
	body := newStallReader(resp.Body, e.opts.StallTimeout)
	defer body.Close()
	raw, err := io.ReadAll(io.LimitReader(body, maxTokenBytes+1))
	if err != nil {
		return e.tokenFailed(realm, err)
	}
	return a.takeToken(raw, c, realm.Host)
}

func (a *auth) tokenRefused(realm *url.URL, resp *http.Response) error {
	e := a.endpoint
	refused := e.answered("get a token", resp)
	refused.Registry = e.name + ", from its token server " + oneLine(realm.Host)
	switch refused.Status {
	case http.StatusUnauthorized, http.StatusForbidden:
		blame(refused, a.cred, e.name)
	case http.StatusBadRequest: // OAuth2's "invalid_grant", RFC 6749, section 5.2
		if a.cred.IdentityToken != "" {
			blame(refused, a.cred, e.name)
		}
	}
	// Not the status of what the token was for: a 404 is no absent image.
	refused.Status = 0
	return refused
}

func (e *endpoint) tokenFailed(realm *url.URL, err error) error {
	err = e.failed("get a token", err)
	var known *Error
	if errors.As(err, &known) {
		known.Registry = e.name + ", from its token server " + oneLine(realm.Host)
	}
	return err
}

// askToken sends a refresh token by POST, anything else by GET. Servers that
// know no POST get the password, where there is one.
func (a *auth) askToken(ctx context.Context, realm *url.URL, c challenge) (*http.Response, error) {
	scope := c.params["scope"]
	if scope == "" {
		scope = "repository:" + a.endpoint.repo + ":pull"
	}
	asked := url.Values{"scope": {scope}}
	if s := c.params["service"]; s != "" {
		asked.Set("service", s)
	}
	refresh := a.refresh
	if refresh == "" {
		refresh = a.cred.IdentityToken
	}
	if refresh != "" {
		resp, err := a.postRefresh(ctx, realm, asked, refresh)
		absent := err == nil && (resp.StatusCode == http.StatusNotFound || resp.StatusCode == http.StatusMethodNotAllowed)
		if !absent || a.cred.Password == "" {
			return resp, err
		}
		_ = resp.Body.Close()
	}
	u := *realm
	q := u.Query()
	for name, values := range asked {
		q[name] = values
	}
	if a.cred.Username != "" {
		q.Set("account", a.cred.Username)
	}
	u.RawQuery = q.Encode()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("User-Agent", userAgent)
	if a.cred.Username != "" || a.cred.Password != "" {
		req.Header.Set("Authorization", basic(a.cred.Username, a.cred.Password))
	}
	return a.endpoint.client.Do(req)
}

func (a *auth) postRefresh(ctx context.Context, realm *url.URL, asked url.Values, refresh string) (*http.Response, error) {
	form := maps.Clone(asked)
	form.Set("grant_type", "refresh_token")
	form.Set("refresh_token", refresh)
	form.Set("client_id", clientID)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, realm.String(), strings.NewReader(form.Encode()))
	if err != nil {
		return nil, err
	}
	req.Header.Set("User-Agent", userAgent)
	req.Header.Set("Content-Type", formType)
	return a.endpoint.client.Do(req)
}

func (a *auth) takeToken(raw []byte, c challenge, server string) error {
	var answer struct {
		Token        string  `json:"token"`
		AccessToken  string  `json:"access_token"`
		RefreshToken string  `json:"refresh_token"`
		ExpiresIn    float64 `json:"expires_in"`
	}
	bad := func(what string) error {
		return fmt.Errorf("token server %s sent %s", oneLine(server), what)
	}
	if len(raw) > maxTokenBytes {
		return bad(fmt.Sprintf("more than %d KiB", maxTokenBytes>>10))
	}
	if err := json.Unmarshal(raw, &answer); err != nil {
		return bad("no JSON")
	}
	token := answer.Token
	if token == "" {
		token = answer.AccessToken
	}
	if !isVisible(token) {
		return bad("no usable token")
	}
	life := defaultLifetime
	if answer.ExpiresIn > 0 {
		life = time.Duration(min(answer.ExpiresIn, maxLifetime.Seconds()) * float64(time.Second))
	}
	if answer.RefreshToken != "" && a.cred.IdentityToken != "" {
		a.refresh = answer.RefreshToken
	}
	if life > 2*tokenSlack {
		life -= tokenSlack
	}
	a.bearer = &c
	header := "Bearer " + token
	expires := a.endpoint.opts.Retry.Now().Add(life)
	if header == a.shown.header {
		// A server may hand the same one out again; it is refused again
		// if it was wrong, and the rounds are counted.
		a.shown.expires = expires
		a.shown.number++
		return nil
	}
	return a.show(header, expires)
}
