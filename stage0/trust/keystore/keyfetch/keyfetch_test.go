package keyfetch

import (
	"bytes"
	"context"
	"crypto/x509"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// site is a web server with TLS, and a client that believes its certificate.
func site(t *testing.T, handler http.HandlerFunc) (*httptest.Server, *Client) {
	t.Helper()
	s := httptest.NewTLSServer(handler)
	t.Cleanup(s.Close)
	// Failed handshakes are what some tests are about.
	s.Config.ErrorLog = nil
	pool := x509.NewCertPool()
	pool.AddCert(s.Certificate())
	u, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	port, err := strconv.ParseUint(u.Port(), 10, 16)
	if err != nil {
		t.Fatal(err)
	}
	return s, &Client{Authorities: pool, Port: uint(port)}
}

func page(tags ...string) string {
	return "<!DOCTYPE html><html><head>" + strings.Join(tags, "") + "</head><body>hello</body></html>"
}

func tag(prefix, url string) string {
	return fmt.Sprintf(`<meta name="ac-discovery-pubkeys" content="%s %s">`, prefix, url)
}

func TestDiscover(t *testing.T) {
	const key, other = "https://127.0.0.1/key.gpg", "https://127.0.0.1/other.gpg"
	for name, tt := range map[string]struct {
		pages map[string]string
		want  []string
		err   string
	}{
		"on the page of the name": {map[string]string{"/team/app": page(tag("127.0.0.1/team", key), tag("127.0.0.1", other))}, []string{key, other}, ""},
		"on a page above it":      {map[string]string{"/team/app": page(), "/team": page(tag("127.0.0.1/team", key))}, []string{key}, ""},
		"on the first page":       {map[string]string{"": page(tag("127.0.0.1", key))}, []string{key}, ""},
		"of another name":         {map[string]string{"/team/app": page(tag("127.0.0.1/other", key))}, nil, "no page has any"},
		"nowhere":                 {nil, nil, "of 127.0.0.1/team/app: expected a 200 OK got 404"},
		"over plain HTTP":         {map[string]string{"/team": page(tag("127.0.0.1", "http://127.0.0.1/key.gpg"))}, nil, `"http://127.0.0.1/key.gpg" is not fetched over plain HTTP`},
		"in a file":               {map[string]string{"/team": page(tag("127.0.0.1", "file:///etc/shadow"))}, nil, "is not the URL of a key"},
		"behind far too much":     {map[string]string{"/team/app": strings.Repeat(" ", maxPageBytes) + tag("127.0.0.1", key)}, nil, "no page has any"},
		"far too many":            {map[string]string{"/team": page(strings.Repeat(tag("127.0.0.1", key), maxKeys+1))}, nil, "the page names 17, more than 16"},
	} {
		t.Run(name, func(t *testing.T) {
			_, c := site(t, func(w http.ResponseWriter, r *http.Request) {
				p, ok := tt.pages[strings.TrimSuffix(r.URL.Path, "/")]
				if !ok || r.URL.RawQuery != "ac-discovery=1" {
					http.NotFound(w, r)
					return
				}
				fmt.Fprint(w, p)
			})
			got, err := c.Discover(t.Context(), "127.0.0.1/team/app")
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("URLs (-want +got):\n%s", diff)
			}
			if (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) {
				t.Errorf("got %v, want %q", err, tt.err)
			}
		})
	}
}

func TestNobodyIsBelievedWithoutACertificate(t *testing.T) {
	s, c := site(t, func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, page(tag("127.0.0.1", "https://127.0.0.1/key")))
	})
	c.Authorities = x509.NewCertPool()
	for _, c.AllowHTTP = range []bool{false, true} {
		if got, err := c.Discover(t.Context(), "127.0.0.1/app"); err == nil {
			t.Errorf("discovered %q", got)
		}
		if got, err := c.FetchKey(t.Context(), s.URL+"/key"); err == nil || !strings.Contains(err.Error(), "certificate") {
			t.Errorf("fetched %q, %v", got, err)
		}
	}
}

func TestFetchKey(t *testing.T) {
	plain := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "by anybody") }))
	t.Cleanup(plain.Close)
	s, c := site(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/key":
			fmt.Fprint(w, "a key")
		case "/moved":
			http.Redirect(w, r, "/key", http.StatusFound)
		case "/down":
			http.Redirect(w, r, plain.URL, http.StatusFound)
		case "/round":
			http.Redirect(w, r, "/round", http.StatusFound)
		case "/most":
			w.Write(make([]byte, maxKeyBytes))
		case "/long":
			w.Write(make([]byte, maxKeyBytes+1))
		case "/cut":
			w.Header().Set("Content-Length", "100")
			fmt.Fprint(w, "a key")
		default:
			http.NotFound(w, r)
		}
	})
	for name, tt := range map[string]struct {
		url, want, err string
		allowHTTP      bool
	}{
		"by HTTPS":                            {url: s.URL + "/key", want: "a key"},
		"where it has moved":                  {url: s.URL + "/moved", want: "a key"},
		"by plain HTTP":                       {url: plain.URL, err: "is not fetched over plain HTTP"},
		"by plain HTTP that is allowed":       {url: plain.URL, allowHTTP: true, want: "by anybody"},
		"led to plain HTTP":                   {url: s.URL + "/down", err: "is not fetched over plain HTTP"},
		"led to plain HTTP, which is allowed": {url: s.URL + "/down", allowHTTP: true, want: "by anybody"},
		"led round and round":                 {url: s.URL + "/round", err: "more than 5 redirections"},
		"not there":                           {url: s.URL + "/no", err: `the server answers "404 Not Found"`},
		"as long as may be":                   {url: s.URL + "/most", want: string(make([]byte, maxKeyBytes))},
		"too long":                            {url: s.URL + "/long", err: "the answer is too long"},
		"cut off":                             {url: s.URL + "/cut", err: "unexpected EOF"},
		"another scheme":                      {url: "ftp://example.com/key", err: `"ftp://example.com/key" is not an https URL`},
		"no host":                             {url: "https:/key", err: "is not the URL of a key"},
		"a URL with a password":               {url: "ftp://me:secret@example.com/key", err: "me:xxxxx@"},
	} {
		t.Run(name, func(t *testing.T) {
			c := *c
			c.AllowHTTP = tt.allowHTTP
			got, err := c.FetchKey(t.Context(), tt.url)
			if !bytes.Equal(got, []byte(tt.want)) {
				t.Errorf("got %d bytes, %.20q", len(got), got)
			}
			if (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) {
				t.Errorf("got %v, want %q", err, tt.err)
			}
		})
	}
}

func TestAnInterruptEndsTheWait(t *testing.T) {
	asked := make(chan struct{}, 2)
	end := make(chan struct{})
	s, c := site(t, func(w http.ResponseWriter, r *http.Request) {
		asked <- struct{}{}
		<-end
	})
	defer close(end)
	for name, ask := range map[string]func(context.Context) error{
		"discovery": func(ctx context.Context) error { _, err := c.Discover(ctx, "127.0.0.1/app"); return err },
		"download":  func(ctx context.Context) error { _, err := c.FetchKey(ctx, s.URL); return err },
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			go func() {
				<-asked
				cancel()
			}()
			if err := ask(ctx); err == nil || !strings.Contains(err.Error(), context.Canceled.Error()) {
				t.Errorf("got %v", err)
			}
		})
	}
}
