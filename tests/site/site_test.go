package site_test

import (
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/raket/raket/tests/site"
)

func local(t *testing.T, o site.Options) *site.Site {
	t.Helper()
	s, err := site.Local(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// get asks for a URL; header has names and values in turn. Of a body that ends early it
// returns what came.
func get(t *testing.T, s *site.Site, url string, header ...string) (*http.Response, string, error) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := s.Transport().RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return resp, string(body), err
}

func TestPublishedImagesAreFound(t *testing.T) {
	s := local(t, site.Options{Names: []string{"example.com"}})
	dir := t.TempDir()
	for _, name := range []string{"app.aci", "app.aci.asc"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(name), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	i := site.Image{
		Name: "example.com/team/app", Version: "1.0.0", Arch: "amd64", Keys: []byte("key"),
		ACI: filepath.Join(dir, "app.aci"), Signature: filepath.Join(dir, "app.aci.asc"),
	}
	p, err := s.Publish(i)
	if err != nil {
		t.Fatal(err)
	}
	_, page, _ := get(t, s, "https://example.com/team/app?ac-discovery=1")
	for _, want := range []string{
		`<meta name="ac-discovery" content="example.com/team/app https://example.com/images/team/app-{version}-{os}-{arch}.{ext}">`,
		`<meta name="ac-discovery-pubkeys" content="example.com/team/app https://example.com/keys/team/app.asc">`,
	} {
		if !strings.Contains(page, want) {
			t.Errorf("no %s in %s", want, page)
		}
	}
	for path, want := range map[string]string{
		"/images/team/app-1.0.0-linux-amd64.aci": "app.aci", "/images/team/app-1.0.0-linux-amd64.aci.asc": "app.aci.asc", "/keys/team/app.asc": "key",
	} {
		if resp, got, _ := get(t, s, "https://example.com"+path); got != want || resp.StatusCode != http.StatusOK {
			t.Errorf("%s is %d %q", path, resp.StatusCode, got)
		}
	}
	if s.Count(p.Page) != 1 || s.Count("/nothing") != 0 {
		t.Errorf("%s was asked for %d times: %v", p.Page, s.Count(p.Page), s.Requests())
	}
	i.Simple, i.Arch = true, ""
	p, err = s.Publish(i)
	arch := strings.NewReplacer("arm64", "aarch64").Replace(runtime.GOARCH)
	if want := "/team/app-1.0.0-linux-" + arch + ".aci"; err != nil || p.ACI != want || p.Signature != want+".asc" {
		t.Errorf("for simple discovery it is at %+v, %v", p, err)
	}
	if resp, _, _ := get(t, s, "https://example.com/nothing"); resp.StatusCode != http.StatusNotFound {
		t.Errorf("what is not there is answered %d", resp.StatusCode)
	}
	if _, err := http.Get(s.URL("/team/app")); err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("a client that does not know the authority got %v", err)
	}
}

func TestKnobs(t *testing.T) {
	const content = "0123456789"
	s := local(t, site.Options{PlainHTTP: true})
	type answer struct {
		Status int
		Body   string
		Broken bool
	}
	for name, tt := range map[string]struct {
		file   site.File
		header []string
		want   []answer
	}{
		"nothing":                        {site.File{}, nil, []answer{{200, content, false}}},
		"a range":                        {site.File{}, []string{"Range", "bytes=7-"}, []answer{{206, "789", false}}},
		"a range of what has changed":    {site.File{ETag: `"2"`}, []string{"Range", "bytes=7-", "If-Range", `"1"`}, []answer{{200, content, false}}},
		"no ranges":                      {site.File{NoRange: true}, []string{"Range", "bytes=7-"}, []answer{{200, content, false}}},
		"an entity tag that is known":    {site.File{ETag: `"1"`}, []string{"If-None-Match", `"1"`}, []answer{{304, "", false}}},
		"one that is not":                {site.File{ETag: `"2"`}, []string{"If-None-Match", `"1"`}, []answer{{200, content, false}}},
		"a signature that comes later":   {site.File{NotYet: 2}, nil, []answer{{202, "Accepted\n", false}, {202, "Accepted\n", false}, {200, content, false}}},
		"answers that break off":         {site.File{CutAt: 4}, nil, []answer{{200, "0123", true}, {200, "0123", true}}},
		"one answer that breaks off":     {site.File{CutAt: 4, Cuts: 1}, nil, []answer{{200, "0123", true}, {200, content, false}}},
		"a range that breaks off":        {site.File{CutAt: 2, Cuts: 1}, []string{"Range", "bytes=5-"}, []answer{{206, "56", true}, {206, "56789", false}}},
		"an error":                       {site.File{Status: 500}, nil, []answer{{500, "Internal Server Error\n", false}, {500, "Internal Server Error\n", false}}},
		"a server that is busy at first": {site.File{Statuses: []int{503, 429}}, nil, []answer{{503, "Service Unavailable\n", false}, {429, "Too Many Requests\n", false}, {200, content, false}}},
		"a password":                     {site.File{Authorization: "Basic YTpi", NotYet: 1}, nil, []answer{{401, "Unauthorized\n", false}, {401, "Unauthorized\n", false}}},
		"a token":                        {site.File{Authorization: "Bearer x", NotYet: 1}, []string{"Authorization", "Bearer x"}, []answer{{202, "Accepted\n", false}, {200, content, false}}},
	} {
		t.Run(name, func(t *testing.T) {
			tt.file.Body = []byte(content)
			s.Put("/x", tt.file)
			var got []answer
			for range tt.want {
				resp, body, err := get(t, s, s.URL("/x"), tt.header...)
				if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
					t.Error(err)
				}
				got = append(got, answer{resp.StatusCode, body, err != nil})
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("answers (-want +got):\n%s", diff)
			}
		})
	}
}

func TestHeaders(t *testing.T) {
	s := local(t, site.Options{PlainHTTP: true})
	s.Put("/x", site.File{ETag: `"1"`, CacheControl: "max-age=60", NoRange: true, Header: map[string]string{"X-A": "b"}})
	s.Put("/r", site.File{Redirect: s.URL("/x")})
	s.Put("/p", site.File{Authorization: "Bearer x"})
	header := func(p, name string) string {
		resp, _, _ := get(t, s, s.URL(p))
		return resp.Header.Get(name)
	}
	for what, want := range map[[2]string]string{
		{"/x", "ETag"}: `"1"`, {"/x", "Cache-Control"}: "max-age=60", {"/x", "Accept-Ranges"}: "", {"/x", "X-A"}: "b",
		{"/r", "Location"}: s.URL("/x"), {"/p", "WWW-Authenticate"}: `Bearer realm="raket tests"`,
	} {
		if got := header(what[0], what[1]); got != want {
			t.Errorf("%s of %s is %q, want %q", what[1], what[0], got, want)
		}
	}
	s.Reset()
	if s.Change("/none", func(*site.File) {}) || !s.Change("/x", func(f *site.File) { f.Body = []byte("abc") }) {
		t.Error("changed what is not there, or not what is")
	}
	get(t, s, s.URL("/x?a=b"), "Range", "bytes=0-1")
	want := []site.Request{{Method: "GET", URL: s.Addr + "/x?a=b", Range: "bytes=0-1", Status: 200, Bytes: 3}}
	if diff := cmp.Diff(want, s.Requests()); diff != "" {
		t.Errorf("log (-want +got):\n%s", diff)
	}
}

func TestAnswersThatStall(t *testing.T) {
	s := local(t, site.Options{PlainHTTP: true})
	s.Put("/x", site.File{Body: []byte("0123456789"), StallAt: 3})
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL("/x"), nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := s.Transport().RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	three := make([]byte, 3)
	if _, err := io.ReadFull(resp.Body, three); err != nil || string(three) != "012" {
		t.Errorf("got %q, %v", three, err)
	}
	// The server waits for the client to leave.
	if err := resp.Body.Close(); err != nil {
		t.Error(err)
	}
}
