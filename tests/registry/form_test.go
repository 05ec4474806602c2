package registry_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"testing"

	"github.com/raket/raket/tests/registry"
)

// postForm asks for a token as OAuth2 has it; fields are names and values in turn.
func postForm(t *testing.T, s *registry.TokenServer, fields ...string) (access, refresh string, status int) {
	t.Helper()
	form := url.Values{"service": {s.Service}, "client_id": {"tests"}}
	for i := 0; i < len(fields); i += 2 {
		form.Set(fields[i], fields[i+1])
	}
	resp, err := http.PostForm(s.Realm(), form)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var body struct {
		Access  string `json:"access_token"`
		Refresh string `json:"refresh_token"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&body); err != nil {
		t.Fatal(err)
	}
	return body.Access, body.Refresh, resp.StatusCode
}
