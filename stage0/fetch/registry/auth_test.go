package registry

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/raket/raket/stage0/credentials"
)

// hub is a registry that wants tokens, and its token server beside it.
type hub struct {
	*fake
	tokens *fake
	clock  *clock

	mu    sync.Mutex
	good  string // the token that counts
	count int
	// answer makes the token server's answer; default: a new good token.
	answer func(w http.ResponseWriter, r *http.Request)
	asked  []string // "METHOD user:password refresh scope service"
	life   int
}

func newHub(t *testing.T, tls bool) *hub {
	t.Helper()
	h := &hub{fake: newFake(t, tls), tokens: newFake(t, tls), clock: newClock(), life: 300}
	h.put("1", []byte("manifest"))
	h.fake.on(func(w http.ResponseWriter, r *http.Request, _ int) bool {
		h.mu.Lock()
		defer h.mu.Unlock()
		if h.good != "" && r.Header.Get("Authorization") == "Bearer "+h.good {
			return false
		}
		w.Header().Set("Www-Authenticate", fmt.Sprintf(`Bearer realm="%s/token",service="hub",scope="repository:app:pull"`, h.tokens.URL))
		w.WriteHeader(http.StatusUnauthorized)
		_, _ = io.WriteString(w, `{"errors":[{"code":"UNAUTHORIZED","message":"authentication required"}]}`)
		return true
	})
	h.tokens.on(func(w http.ResponseWriter, r *http.Request, _ int) bool {
		h.mu.Lock()
		defer h.mu.Unlock()
		user, password, _ := r.BasicAuth()
		h.asked = append(h.asked, strings.Join([]string{r.Method, user + ":" + password, r.PostFormValue("refresh_token"), r.FormValue("scope"), r.FormValue("service")}, " "))
		if h.answer != nil {
			h.answer(w, r)
		} else {
			h.grant(w)
		}
		return true
	})
	return h
}

func (h *hub) grant(w http.ResponseWriter) {
	h.count++
	h.good = fmt.Sprintf("token-%d", h.count)
	fmt.Fprintf(w, `{"token":%q,"expires_in":%d}`, h.good, h.life)
}

// open is with a credential, for the hub alone.
func (h *hub) open(t *testing.T, cred credentials.Credential) *Source {
	t.Helper()
	return open(t, h.host, Options{Retry: h.clock.retry(), Credentials: give(cred)})
}

func give(cred credentials.Credential) func(context.Context, string, string) (credentials.Credential, error) {
	return func(context.Context, string, string) (credentials.Credential, error) { return cred, nil }
}

func TestTokens(t *testing.T) {
	for _, tc := range []struct {
		name   string
		cred   credentials.Credential
		answer func(w http.ResponseWriter, r *http.Request)
		want   []string
		err    string
		hint   string
	}{
		{name: "for nobody in particular", want: []string{"GET :  repository:app:pull hub"}},
		{name: "for a user", cred: credentials.Credential{Username: "ann", Password: "secret"}, want: []string{"GET ann:secret  repository:app:pull hub"}},
		{name: "for a refresh token", cred: credentials.Credential{IdentityToken: "r1"}, want: []string{"POST : r1 repository:app:pull hub"}},
		{
			name: "for a refresh token at a server that knows none",
			cred: credentials.Credential{Username: "ann", Password: "secret", IdentityToken: "r1"},
			answer: func(w http.ResponseWriter, r *http.Request) {
				if r.Method == http.MethodPost {
					w.WriteHeader(http.StatusNotFound)
					return
				}
				_, _ = io.WriteString(w, `{"access_token":"x"}`)
			},
			want: []string{"POST : r1 repository:app:pull hub", "GET ann:secret  repository:app:pull hub"},
			err:  "it refused the credentials given", // for x is not what the registry wants
		},
		{
			name:   "a wrong password",
			cred:   credentials.Credential{Username: "ann", Password: "wrong", Source: "/root/auth.json"},
			answer: func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) },
			err:    "it refused the credentials from /root/auth.json: answered 401 Unauthorized",
			hint:   "correct them",
		},
		{
			name: "an expired refresh token",
			cred: credentials.Credential{IdentityToken: "old", Source: "/root/auth.json"},
			answer: func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(http.StatusBadRequest)
				_, _ = io.WriteString(w, `{"error":"invalid_grant"}`)
			},
			err: "it refused the credentials from /root/auth.json: answered 400 Bad Request",
		},
		{
			name:   "a server that fails",
			answer: func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) },
			err:    "get a token at registry ",
		},
		{
			name:   "a server that is not there",
			answer: func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotFound) },
			err:    "it answered 404 Not Found",
		},
		{name: "garbage", answer: func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "<html>") }, err: "sent no JSON"},
		{name: "nothing", answer: func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "{}") }, err: "sent no usable token"},
		{
			name:   "a token with more headers in it",
			answer: func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, `{"token":"x\r\nX-Evil: 1"}`) },
			err:    "sent no usable token",
		},
		{
			name: "a huge token",
			answer: func(w http.ResponseWriter, _ *http.Request) {
				_, _ = io.WriteString(w, `{"token":"`+strings.Repeat("x", 1<<20)+`"}`)
			},
			err: "sent more than 64 KiB",
		},
		{
			name: "a refresh token is not sent elsewhere",
			cred: credentials.Credential{IdentityToken: "r1"},
			answer: func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Location", "http://127.0.0.1:1/")
				w.WriteHeader(http.StatusTemporaryRedirect)
			},
			err: "refused a redirect of a secret",
		},
		{
			name:   "a token that is refused",
			answer: func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, `{"token":"bad"}`) },
			err:    "it answered 401 Unauthorized, UNAUTHORIZED: authentication required",
			hint:   "log in with \"skopeo login 127.0.0.1",
		},
		{
			name: "a token that is refused, of a user's",
			cred: credentials.Credential{Username: "ann", Password: "secret", Source: "a helper"},
			answer: func(w http.ResponseWriter, r *http.Request) {
				_, _ = io.WriteString(w, `{"token":"`+r.RemoteAddr+time.Now().String()[:4]+`"}`)
			},
			err: "it refused the credentials from a helper: answered 401 Unauthorized",
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			h := newHub(t, false)
			h.answer = tc.answer
			raw, err := h.open(t, tc.cred).Manifest(t.Context(), "")
			if tc.err != "" {
				checkError(t, err, tc.err)
				var hinted interface{ Hint() string }
				if tc.hint != "" && (!errors.As(err, &hinted) || !strings.Contains(hinted.Hint(), tc.hint)) {
					t.Errorf("no hint that says %q", tc.hint)
				}
			} else if err != nil || string(raw) != "manifest" {
				t.Errorf("got %q, %v", raw, err)
			}
			if tc.want != nil {
				if diff := cmp.Diff(tc.want, h.asked[:min(len(h.asked), len(tc.want))]); diff != "" {
					t.Errorf("asked for (-want +got):\n%s", diff)
				}
			}
			if err != nil && strings.Contains(err.Error(), "secret ") {
				t.Errorf("error %q tells a secret", err)
			}
		})
	}
}

// TestATokenServerThatComesBack: what it refuses for the moment is tried again.
func TestATokenServerThatComesBack(t *testing.T) {
	h := newHub(t, false)
	h.answer = func(w http.ResponseWriter, _ *http.Request) {
		if len(h.asked) <= 3 {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		h.grant(w)
	}
	if _, err := h.open(t, credentials.Credential{}).Manifest(t.Context(), ""); err != nil {
		t.Error(err)
	}
}

// TestTokensEnd: one that has, or will have, ended is replaced.
func TestTokensEnd(t *testing.T) {
	h := newHub(t, false)
	s := h.open(t, credentials.Credential{})
	get := func() {
		t.Helper()
		if _, err := s.TagManifest(t.Context(), "1"); err != nil {
			t.Fatal(err)
		}
	}
	get()
	get()
	if h.count != 1 || len(h.requests()) != 3 {
		t.Errorf("%d tokens and %q for two manifests", h.count, h.requests())
	}
	h.clock.now = h.clock.now.Add(296 * time.Second)
	get()
	if h.count != 2 || len(h.requests()) != 4 {
		t.Errorf("%d tokens and %q: one that is about to end is replaced before it is refused", h.count, h.requests())
	}
	h.mu.Lock()
	h.good = "another"
	h.mu.Unlock()
	get()
	if h.count != 3 || len(h.requests()) != 6 {
		t.Errorf("%d tokens and %q: one that is refused is replaced", h.count, h.requests())
	}
}

// TestATokenEndsWithinABlob: its connection breaks, and the token is no longer
// good when it goes on; as several blobs do at once.
func TestATokenEndsWithinABlob(t *testing.T) {
	h := newHub(t, false)
	content := noise(1 << 20)
	d := h.put("", content)
	inner := h.fake.before
	var broken atomic.Int32
	h.fake.on(func(w http.ResponseWriter, r *http.Request, n int) bool {
		if inner(w, r, n) {
			return true
		}
		if n := broken.Add(1); isBlob(r) && n <= 4 {
			if n == 2 {
				h.mu.Lock()
				h.good = "another"
				h.mu.Unlock()
			}
			breakAfter(w, r, content, 300<<10)
		}
		return false
	})
	s := h.open(t, credentials.Credential{})
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			if raw, err := readAll(t, s, d); err != nil || len(raw) != len(content) {
				t.Errorf("%d bytes, %v", len(raw), err)
			}
		})
	}
	wg.Wait()
}

func TestPasswords(t *testing.T) {
	f := newFake(t, false)
	f.put("1", []byte("manifest"))
	f.on(func(w http.ResponseWriter, r *http.Request, _ int) bool {
		user, password, _ := r.BasicAuth()
		if user == "ann" && password == "secret" || r.Header.Get("Authorization") == "Bearer own" {
			return false
		}
		w.Header().Set("Www-Authenticate", `Negotiate, Basic realm="hub"`)
		w.WriteHeader(http.StatusUnauthorized)
		return true
	})
	for _, tc := range []struct {
		name string
		cred credentials.Credential
		want string
	}{
		{"the right one", credentials.Credential{Username: "ann", Password: "secret"}, ""},
		{"a token that somebody else got", credentials.Credential{RegistryToken: "own"}, ""},
		{"a wrong one", credentials.Credential{Username: "ann", Password: "x", Source: "/a/config.json"}, "it refused the credentials from /a/config.json: answered 401 Unauthorized"},
		{"a wrong token", credentials.Credential{RegistryToken: "x", Source: "/a/config.json"}, "it refused the credentials from /a/config.json"},
		{"a token that no header can carry", credentials.Credential{RegistryToken: "x\r\ny"}, "no header can carry"},
		{"none", credentials.Credential{Source: "/a/config.json"}, "it answered 401 Unauthorized"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := open(t, f.host, Options{Credentials: give(tc.cred)})
			for range 2 { // a refusal stays one
				_, err := s.Manifest(t.Context(), "")
				if tc.want != "" {
					checkError(t, err, tc.want)
				} else if err != nil {
					t.Error(err)
				}
			}
		})
	}
	t.Run("those that cannot be found", func(t *testing.T) {
		_, err := open(t, f.host, Options{Credentials: func(context.Context, string, string) (credentials.Credential, error) {
			return credentials.Credential{}, errors.New("helper is not there")
		}}).Manifest(t.Context(), "")
		checkError(t, err, "find credentials: helper is not there")
	})
}

// TestCredentialsStay: no redirect takes them to another host.
func TestCredentialsStay(t *testing.T) {
	cdn, h := newFake(t, false), newHub(t, false)
	content := noise(100 << 10)
	d := h.put("", content)
	cdn.on(func(w http.ResponseWriter, r *http.Request, asked int) bool {
		if r.URL.RawQuery != "signed=secret" {
			w.WriteHeader(http.StatusForbidden)
			return true
		}
		if asked == 1 {
			breakAfter(w, r, content, 70<<10)
		}
		serve(w, r, content)
		return true
	})
	inner := h.fake.before
	h.fake.on(func(w http.ResponseWriter, r *http.Request, n int) bool {
		if inner(w, r, n) {
			return true
		}
		if isBlob(r) {
			http.Redirect(w, r, cdn.URL+"/x?signed=secret", http.StatusTemporaryRedirect)
		}
		return isBlob(r)
	})
	raw, err := readAll(t, h.open(t, credentials.Credential{Username: "ann", Password: "secret"}), d)
	if err != nil || len(raw) != len(content) {
		t.Fatalf("%d bytes, %v", len(raw), err)
	}
	if diff := cmp.Diff([]string{"", ""}, cdn.headers("Authorization")); diff != "" {
		t.Errorf("shown to the other host (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"", ""}, cdn.headers("Referer")); diff != "" {
		t.Errorf("said to the other host (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"", "bytes=71680-"}, cdn.headers("Range")); diff != "" {
		t.Errorf("asked of the other host (-want +got):\n%s", diff)
	}
	t.Run("and what failed elsewhere is said without the signature", func(t *testing.T) {
		cdn.on(func(w http.ResponseWriter, r *http.Request, _ int) bool { panic(http.ErrAbortHandler) })
		_, err := readAll(t, h.open(t, credentials.Credential{}), d)
		checkError(t, err, "by way of "+cdn.host)
		if strings.Contains(err.Error(), "signed") {
			t.Error(err)
		}
	})
	t.Run("a 401 elsewhere is no reason to log in", func(t *testing.T) {
		cdn.on(func(w http.ResponseWriter, _ *http.Request, _ int) bool {
			w.Header().Set("Www-Authenticate", `Basic realm="evil"`)
			w.WriteHeader(http.StatusUnauthorized)
			return true
		})
		_, err := readAll(t, h.open(t, credentials.Credential{Username: "ann", Password: "secret"}), d)
		checkError(t, err, "(by way of "+cdn.host+"): it answered 401")
	})
}

// roundTrips answers every request itself, as any host.
type roundTrips struct {
	answer func(*http.Request) *http.Response
	asked  []string
}

func (rt *roundTrips) RoundTrip(r *http.Request) (*http.Response, error) {
	rt.asked = append(rt.asked, r.Method+" "+r.URL.Scheme+"://"+r.URL.Host+r.URL.Path+" "+r.Header.Get("Authorization"))
	resp := rt.answer(r)
	resp.Request = r
	return resp, nil
}

func respond(status int, header, value, body string) *http.Response {
	return &http.Response{StatusCode: status, Header: http.Header{header: {value}}, Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body))}
}

// TestSecretsAndPlainHTTP: what the user allows plain HTTP for is not shown
// credentials over it.
func TestSecretsAndPlainHTTP(t *testing.T) {
	for _, tc := range []struct {
		name      string
		host      string
		plain     bool // what the registry has answered to
		challenge string
		cred      credentials.Credential
		want      string // of the error; empty for none
		last      string // what was asked last
	}{
		{name: "a password over TLS", host: "hub.example", challenge: "Basic", cred: credentials.Credential{Username: "a", Password: "b"}, last: "GET https://hub.example/v2/app/manifests/1 Basic YTpi"},
		{name: "a password over plain HTTP", host: "hub.example", plain: true, challenge: "Basic", cred: credentials.Credential{Username: "a", Password: "b"}, want: `refused to send credentials to "hub.example" over plain HTTP`},
		{name: "a registry's token over plain HTTP", host: "hub.example", plain: true, challenge: "Basic", cred: credentials.Credential{RegistryToken: "x"}, want: `refused to send credentials to "hub.example"`},
		{name: "a password on loopback", host: "127.0.0.1:5000", plain: true, challenge: "Basic", cred: credentials.Credential{Username: "a", Password: "b"}, last: "GET http://127.0.0.1:5000/v2/app/manifests/1 Basic YTpi"},
		{name: "a plain token server", host: "hub.example", challenge: `Bearer realm="http://auth.example/t"`, cred: credentials.Credential{Username: "a", Password: "b"}, want: `refused to send credentials to "auth.example" over plain HTTP`},
		{name: "a plain token server on loopback, of a registry that is not", host: "hub.example", challenge: `Bearer realm="http://127.0.0.1/t"`, cred: credentials.Credential{Username: "a", Password: "b"}, want: `refused to send credentials to "127.0.0.1" over plain HTTP`},
		{name: "a token for a plain registry", host: "hub.example", plain: true, challenge: `Bearer realm="https://auth.example/t"`, cred: credentials.Credential{Username: "a", Password: "b"}, want: `refused to send credentials to "hub.example"`},
		{name: "nobody's token for a plain registry", host: "hub.example", plain: true, challenge: `Bearer realm="https://auth.example/t"`, last: "GET http://hub.example/v2/app/manifests/1 Bearer t"},
		{name: "a token server that is none", host: "hub.example", challenge: `Bearer realm="file:///etc/shadow"`, want: "names a token server that is no URL"},
		{name: "Docker's hub", host: "docker.io", challenge: `Bearer realm="https://auth.docker.io/token"`, last: "GET https://registry-1.docker.io/v2/app/manifests/1 Bearer t"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := open(t, "hub.example", Options{Endpoints: mirrors(tc.host), Credentials: give(tc.cred)})
			rt := &roundTrips{answer: func(r *http.Request) *http.Response {
				switch {
				case !strings.HasPrefix(r.URL.Path, "/v2/"):
					return respond(200, "X-Y", "z", `{"token":"t"}`)
				case r.Header.Get("Authorization") == "":
					return respond(401, "Www-Authenticate", tc.challenge, "")
				}
				return respond(200, "X-Y", "z", "manifest")
			}}
			s.endpoints[0].client.Transport = rt
			s.endpoints[0].plain.Store(tc.plain)
			_, err := s.Manifest(t.Context(), "")
			if tc.want != "" {
				checkError(t, err, tc.want)
				for _, asked := range rt.asked {
					if !strings.HasSuffix(asked, " ") {
						t.Errorf("asked %q", asked)
					}
				}
			} else if err != nil || rt.asked[len(rt.asked)-1] != tc.last {
				t.Errorf("asked %q, error %v", rt.asked, err)
			}
		})
	}
}

// TestOneTokenForAll: requests that are refused together get one new token.
func TestOneTokenForAll(t *testing.T) {
	h := newHub(t, false)
	const requests = 4
	var arrived sync.WaitGroup
	arrived.Add(requests)
	inner := h.fake.before
	h.fake.on(func(w http.ResponseWriter, r *http.Request, n int) bool {
		if r.Header.Get("Authorization") == "" {
			arrived.Done()
			arrived.Wait()
		}
		return inner(w, r, n)
	})
	s := h.open(t, credentials.Credential{})
	var wg sync.WaitGroup
	for range requests {
		wg.Go(func() {
			if _, err := s.TagManifest(t.Context(), "1"); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if h.count != 1 {
		t.Errorf("%d tokens", h.count)
	}
}

// TestLeavingTLSLater: what was shown over TLS is not shown when the same
// registry is no longer spoken to over it.
func TestLeavingTLSLater(t *testing.T) {
	s := open(t, "hub.example", Options{Credentials: give(credentials.Credential{Username: "a", Password: "b"})})
	rt := &roundTrips{answer: func(r *http.Request) *http.Response {
		if r.Header.Get("Authorization") == "" {
			return respond(401, "Www-Authenticate", "Basic", "")
		}
		return respond(200, "X-Y", "z", "manifest")
	}}
	e := s.endpoints[0]
	e.client.Transport = rt
	if _, err := s.Manifest(t.Context(), ""); err != nil {
		t.Fatal(err)
	}
	e.plain.Store(true)
	_, err := s.Manifest(t.Context(), "")
	checkError(t, err, "refused to send credentials")
	if len(rt.asked) != 2 {
		t.Errorf("asked %q", rt.asked)
	}
}
