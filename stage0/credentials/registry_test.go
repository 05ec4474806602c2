package credentials

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// registry wants a password and notes who showed the right one. It has no images.
type registry struct {
	addr string
	// user is the last; requests come one after the other.
	user string
}

func newRegistry(t *testing.T) *registry {
	t.Helper()
	r := &registry{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		user, password, ok := req.BasicAuth()
		switch {
		case !ok || password != secret:
			w.Header().Set("WWW-Authenticate", `Basic realm="test"`)
			w.WriteHeader(http.StatusUnauthorized)
			return
		case req.URL.Path != "/v2/":
			w.WriteHeader(http.StatusNotFound)
		}
		r.user = user
	}))
	t.Cleanup(server.Close)
	r.addr = strings.TrimPrefix(server.URL, "http://")
	return r
}
