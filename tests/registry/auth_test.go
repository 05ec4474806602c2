package registry_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/raket/raket/tests/authority"
	"github.com/raket/raket/tests/images"
	"github.com/raket/raket/tests/registry"
	"github.com/raket/raket/tests/testhost"
)

func needSkopeo(t *testing.T) {
	t.Helper()
	for _, why := range []string{registry.Missing(), registry.MissingSkopeo()} {
		if why != "" {
			testhost.SkipOrFail(t, why)
		}
	}
}

func debian(t *testing.T, o registry.Options) *registry.Process {
	t.Helper()
	p, err := registry.Debian(t.Context(), t.TempDir(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Stop(); err != nil {
			t.Error(err)
		}
	})
	return p
}

func tokens(t *testing.T, o registry.TokenOptions) *registry.TokenServer {
	t.Helper()
	s, err := registry.LocalTokens(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// status asks for a path of the registry.
func status(t *testing.T, p *registry.Process, path string, change func(*http.Request)) int {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, p.URL()+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	if change != nil {
		change(req)
	}
	resp, err := (&http.Client{Transport: p.Transport()}).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	return resp.StatusCode
}

func layoutOf(t *testing.T) string {
	t.Helper()
	dir := t.TempDir() + "/hello"
	if err := testImage(t).Layout(dir, "1"); err != nil {
		t.Fatal(err)
	}
	return "oci:" + dir + ":1"
}

func TestDebianWithTLS(t *testing.T) {
	needSkopeo(t)
	p := debian(t, registry.Options{TLS: true, Names: []string{"registry.example"}})
	if err := p.Push(t.Context(), layoutOf(t), "team/hello:1", registry.Login{}); err != nil {
		t.Fatal(err)
	}
	if err := p.Pull(t.Context(), "team/hello:1", "oci:"+t.TempDir()+"/back:1", registry.Login{}); err != nil {
		t.Error(err)
	}
	if err := testImage(t).Push(t.Context(), p.Addr+"/from/go:1", images.PushOptions{Transport: p.Transport()}); err != nil {
		t.Error(err)
	}
	if _, err := http.Get(p.URL() + "/v2/"); err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("a client that does not know the authority got %v", err)
	}
}

func TestDebianWithPasswords(t *testing.T) {
	needSkopeo(t)
	p := debian(t, registry.Options{TLS: true, Users: map[string]string{"ann": "secret", "bob": "other"}})
	src := layoutOf(t)
	for name, tt := range map[string]struct {
		login registry.Login
		ok    bool
	}{
		"a user's password opens":    {registry.Login{User: "ann", Password: "secret"}, true},
		"another's does not":         {registry.Login{User: "ann", Password: "other"}, false},
		"an unknown user's does not": {registry.Login{User: "eve", Password: "secret"}, false},
		"nobody gets in":             {registry.Login{}, false},
	} {
		t.Run(name, func(t *testing.T) {
			if err := p.Push(t.Context(), src, "hello:1", tt.login); (err == nil) != tt.ok {
				t.Errorf("push: %v", err)
			}
		})
	}
	err := testImage(t).Push(t.Context(), p.Addr+"/go:1", images.PushOptions{Transport: p.Transport(), User: "bob", Password: "other"})
	if err != nil {
		t.Error(err)
	}
}

func TestDebianWithTokens(t *testing.T) {
	needSkopeo(t)
	ca, err := authority.New()
	if err != nil {
		t.Fatal(err)
	}
	s := tokens(t, registry.TokenOptions{
		Users: map[string]string{"ann": "secret"}, Authority: ca,
		Allow: func(user, repository, action string) bool {
			return user == "ann" || action == "pull" && strings.HasPrefix(repository, "public/")
		},
	})
	p := debian(t, registry.Options{TLS: true, Authority: ca, Token: s})
	ann, src := registry.Login{User: "ann", Password: "secret"}, layoutOf(t)
	if got := status(t, p, "/v2/", nil); got != http.StatusUnauthorized {
		t.Errorf("without a token: %d", got)
	}
	for _, ref := range []string{"public/hello:1", "private/hello:1"} {
		if err := p.Push(t.Context(), src, ref, ann); err != nil {
			t.Fatal(err)
		}
	}
	for name, tt := range map[string]struct {
		ref   string
		login registry.Login
		ok    bool
	}{
		"everyone reads what is public":     {"public/hello:1", registry.Login{}, true},
		"a user reads what is not":          {"private/hello:1", ann, true},
		"nobody else does":                  {"private/hello:1", registry.Login{}, false},
		"a wrong password opens not even a": {"public/hello:1", registry.Login{User: "ann", Password: "wrong"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			if err := p.Pull(t.Context(), tt.ref, "oci:"+t.TempDir()+"/back:1", tt.login); (err == nil) != tt.ok {
				t.Errorf("pull: %v", err)
			}
		})
	}
	if err := p.Push(t.Context(), src, "public/hello:2", registry.Login{}); err == nil {
		t.Error("nobody in particular could push")
	}
}

func TestTokensByForm(t *testing.T) {
	needSkopeo(t)
	s := tokens(t, registry.TokenOptions{Users: map[string]string{"ann": "secret"}})
	p := debian(t, registry.Options{Token: s})
	form := func(fields ...string) (string, string, int) { return postForm(t, s, fields...) }
	const scope = "repository:hello:pull,push"
	access, refresh, code := form("grant_type", "password", "username", "ann", "password", "secret", "scope", scope, "access_type", "offline")
	if code != http.StatusOK || access == "" || refresh == "" {
		t.Fatalf("by password: %d, access %q, refresh %q", code, access, refresh)
	}
	bearer := func(token string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+token) }
	}
	if got := status(t, p, "/v2/hello/tags/list", bearer(access)); got != http.StatusNotFound {
		t.Errorf("with the token: %d, want that there is no such repository", got)
	}
	if got := status(t, p, "/v2/other/tags/list", bearer(access)); got != http.StatusUnauthorized {
		t.Errorf("with the token of another repository: %d", got)
	}
	again, _, code := form("grant_type", "refresh_token", "refresh_token", refresh, "scope", scope)
	if got := status(t, p, "/v2/hello/tags/list", bearer(again)); code != http.StatusOK || got != http.StatusNotFound {
		t.Errorf("with the refreshed token: %d, %d", code, got)
	}
	if _, _, code := form("grant_type", "refresh_token", "refresh_token", "made-up", "scope", scope); code != http.StatusUnauthorized {
		t.Errorf("a made-up refresh token: %d", code)
	}
	want := []registry.TokenRequest{
		{Method: "POST", Grant: "password", User: "ann", Scopes: []string{scope}, Status: 200},
		{Method: "POST", Grant: "refresh_token", User: "ann", Scopes: []string{scope}, Status: 200},
		{Method: "POST", Grant: "refresh_token", Scopes: []string{scope}, Status: 401},
	}
	if diff := cmp.Diff(want, s.Requests()); diff != "" {
		t.Errorf("log (-want +got):\n%s", diff)
	}
}

func TestTokensExpire(t *testing.T) {
	if why := registry.Missing(); why != "" {
		testhost.SkipOrFail(t, why)
	}
	s := tokens(t, registry.TokenOptions{Users: map[string]string{"ann": "secret"}, TTL: time.Second})
	p := debian(t, registry.Options{Token: s})
	access, _, _ := postForm(t, s, "grant_type", "password", "username", "ann", "password", "secret", "scope", "repository:hello:pull")
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for {
		got := status(t, p, "/v2/hello/tags/list", func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+access) })
		if got == http.StatusUnauthorized {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("after 20 s a token for one second still gives %d", got)
		case <-time.After(50 * time.Millisecond):
		}
	}
}
