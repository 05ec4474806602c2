package registry

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/raket/raket/pkg/image"
)

func TestIsLoopback(t *testing.T) {
	for host, want := range map[string]bool{
		"localhost": true, "localhost:5000": true, "127.0.0.1:5000": true, "127.1.2.3": true, "[::1]:5000": true, "[::1]": true,
		"10.0.0.1": false, "192.168.1.1:5000": false, "registry.example": false, "localhost.example": false, "x.localhost": false, "": false,
	} {
		if got := isLoopback(host); got != want {
			t.Errorf("isLoopback(%q) is %v, want %v", host, got, want)
		}
	}
}

// answers notes what it was asked for.
type answers struct{ asked []string }

func (a *answers) RoundTrip(req *http.Request) (*http.Response, error) {
	a.asked = append(a.asked, req.URL.String())
	return &http.Response{StatusCode: http.StatusOK, Body: http.NoBody}, nil
}

func TestPlainHTTPIsRefused(t *testing.T) {
	for _, tc := range []struct {
		name, url string
		allowAll  bool
		want      bool
	}{
		{"TLS anywhere", "https://10.0.0.1/v2/", false, true},
		{"plain to this machine", "http://127.0.0.1:5000/v2/", false, true},
		{"plain to a private network", "http://10.0.0.1/v2/", false, false},
		{"plain to a token server", "http://auth.example/token", false, false},
		{"plain where the user said so", "http://10.0.0.1/v2/", true, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			inner := &answers{}
			req := httptest.NewRequest(http.MethodGet, tc.url, nil)
			resp, err := (&plainGuard{inner: inner, allowAll: tc.allowAll}).RoundTrip(req)
			if resp != nil {
				resp.Body.Close()
			}
			if got := len(inner.asked) == 1; got != tc.want || (err == nil) != tc.want {
				t.Errorf("let through: %v, error %v", got, err)
			}
		})
	}
}

// TestRedirectToPlainHTTP: a registry can't lead a client out of TLS, here from
// loopback to an address that would need it.
func TestRedirectToPlainHTTP(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.Path, "/blobs/") {
			http.Redirect(w, r, "http://cdn.invalid/blob", http.StatusTemporaryRedirect)
		}
	}))
	defer srv.Close()
	s := open(t, srv)
	_, err := s.Blob(t.Context(), image.Sum(nil))
	if err == nil || !strings.Contains(err.Error(), "refused plain HTTP") {
		t.Fatalf("error %v", err)
	}
}

func open(t *testing.T, srv *httptest.Server) *Source {
	t.Helper()
	ref, err := image.Parse("docker://" + strings.TrimPrefix(srv.URL, "http://") + "/app:1")
	if err != nil {
		t.Fatal(err)
	}
	s, err := Open(t.Context(), ref, Options{StallTimeout: 50 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func TestStall(t *testing.T) {
	done := make(chan struct{})
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.Contains(r.URL.Path, "/blobs/") {
			return
		}
		w.Header().Set("Content-Length", "100")
		_, _ = io.WriteString(w, "some")
		_ = http.NewResponseController(w).Flush()
		<-done
	}))
	defer srv.Close()
	defer close(done)
	r, err := open(t, srv).Blob(t.Context(), image.Sum(nil))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if _, err = io.ReadAll(r); err == nil || !strings.Contains(err.Error(), "sent nothing for 50ms") {
		t.Fatalf("error %v", err)
	}
}

func TestRegistrysWords(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/v2/" {
			return
		}
		w.WriteHeader(http.StatusTooManyRequests)
		_, _ = io.WriteString(w, `{"errors":[{"code":"TOOMANYREQUESTS","message":"slow\ndown\u001b[2J"}]}`)
	}))
	defer srv.Close()
	_, err := open(t, srv).Manifest(t.Context(), "")
	var answer *Error
	if !errors.As(err, &answer) || answer.Status != http.StatusTooManyRequests {
		t.Fatalf("error %v", err)
	}
	want := "get manifest at registry " + strings.TrimPrefix(srv.URL, "http://") + ": it answered 429 Too Many Requests, TOOMANYREQUESTS: slow down [2J"
	if diff := cmp.Diff(want, err.Error()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
