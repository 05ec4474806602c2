package appc_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/appc/spec/discovery"
	"github.com/google/go-cmp/cmp"

	"github.com/raket/raket/pkg/image"
	"github.com/raket/raket/stage0/fetch/appc"
)

func (s *site) http() appc.HTTP {
	return appc.HTTP{Transport: s.transport, RetryWait: time.Microsecond, StallTimeout: 10 * time.Second}
}

func endpoint(aci string) discovery.ACIEndpoint {
	return discovery.ACIEndpoint{ACI: aci, ASC: aci + ".asc"}
}

func text(s string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, s) }
}

func TestEndpoints(t *testing.T) {
	tag := func(content string) string { return `<meta name="ac-discovery" content="` + content + `">` }
	for _, tc := range []struct {
		name  string
		asked string // example.com/dir/app:1 by default
		pages map[string]http.HandlerFunc
		want  []discovery.ACIEndpoint
		times int // pages asked for; 1 by default
	}{
		{
			name: "the name's own page", want: []discovery.ACIEndpoint{endpoint("https://files.example/linux/amd64/example.com/dir/app-1.aci")},
			pages: map[string]http.HandlerFunc{"example.com/dir/app": text(tag("example.com https://files.example/{os}/{arch}/{name}-{version}.{ext}"))},
		},
		{
			name: "a page above, since the others are not there or have no tags", times: 3,
			want: []discovery.ACIEndpoint{endpoint("https://files.example/x.aci")},
			pages: map[string]http.HandlerFunc{
				"example.com/dir": text("<p>nothing</p>" + tag("example.org https://evil.example/{ext}")),
				"example.com/":    text(tag("example.com/dir https://files.example/x.{ext}")),
			},
		},
		{
			name: "several, in order, each once", want: []discovery.ACIEndpoint{endpoint("https://a.example/1.aci"), endpoint("http://b.example/1.aci")},
			pages: map[string]http.HandlerFunc{"example.com/dir/app": text(
				tag("example.com https://a.example/{version}.{ext}") + tag("example.com hdfs://b.example/{version}.{ext}") +
					tag("example.com http://b.example/{version}.{ext}") + tag("example.com https://a.example/1.{ext}"))},
		},
		{
			name: "templates that ask for what is not known, or are none", times: 3,
			want: []discovery.ACIEndpoint{endpoint("https://example.com/dir/app-1-linux-amd64.aci")},
			pages: map[string]http.HandlerFunc{"example.com/dir/app": text(
				tag("example.com https://a.example/{flavour}.{ext}") + tag("example.com https://a.example/{version}") + tag("example.com https://a.example/{ext") +
					tag("example.com https://u:p@a.example/{ext}") + tag("example.com https://a b/{ext}") + tag("example.com") + tag("") +
					tag("example.com javascript:{ext}") + tag("example.com file:///etc/{ext}") + `<meta name="ac-discovery">` + `<meta content="x y">`)},
		},
		{
			name: "simple discovery where no page has anything", times: 3,
			want: []discovery.ACIEndpoint{endpoint("https://example.com/dir/app-1-linux-amd64.aci")},
		},
		{
			name: "labels that would lead elsewhere", asked: "example.com/app:..,path=../../x?y=z#f,dots=..,tpl={ext}",
			want:  []discovery.ACIEndpoint{endpoint("https://a.example/%2E%2E/..%2F..%2Fx%3Fy%3Dz%23f/%2E%2E/%7Bext%7D/x.aci")},
			pages: map[string]http.HandlerFunc{"example.com/app": text(tag("example.com https://a.example/{version}/{path}/{dots}/{tpl}/x.{ext}"))},
		},
		{
			name: "a page that is moved", times: 2, want: []discovery.ACIEndpoint{endpoint("https://a.example/x.aci")},
			pages: map[string]http.HandlerFunc{
				"example.com/dir/app": func(w http.ResponseWriter, r *http.Request) {
					http.Redirect(w, r, "https://www.example.org/?"+r.URL.RawQuery, http.StatusMovedPermanently)
				},
				"www.example.org/": func(w http.ResponseWriter, r *http.Request) {
					if r.URL.RawQuery == "ac-discovery=1" {
						io.WriteString(w, tag("example.com https://a.example/x.{ext}"))
					}
				},
			},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := newSite(t)
			for at, page := range tc.pages {
				s.on(at, page)
			}
			if tc.asked == "" {
				tc.asked, tc.times = "example.com/dir/app:1", max(tc.times, 1)
			}
			n, err := appc.ParseName(tc.asked)
			if err != nil {
				t.Fatal(err)
			}
			n.Arch = "amd64"
			got, err := appc.Endpoints(t.Context(), n, s.http())
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(discovery.ACIEndpoints(tc.want), got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if asked := s.requests(""); asked != max(tc.times, 1) {
				t.Errorf("asked for %d pages, want %d: %q", asked, max(tc.times, 1), s.asked)
			}
		})
	}
}

func TestEndpointsRefuses(t *testing.T) {
	for name, tc := range map[string]struct {
		page http.HandlerFunc
		want string
	}{
		"an endless page": {func(w http.ResponseWriter, r *http.Request) {
			for r.Context().Err() == nil {
				if _, err := io.WriteString(w, strings.Repeat("<p>", 10000)); err != nil {
					return
				}
			}
		}, "more than 1048576 bytes"},
		"a site that is down": {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) }, "500 Internal Server Error (tried 5 times)"},
		"a redirect without TLS": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://example.com/", http.StatusFound)
		}, "without TLS"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t)
			s.on("example.com/app", tc.page)
			n, err := appc.ParseName("example.com/app")
			if err != nil {
				t.Fatal(err)
			}
			_, err = appc.Endpoints(t.Context(), n, s.http())
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("error %v, want one that says %q", err, tc.want)
			}
		})
	}
}

// TestCertificateOfNobody: the only site with an answer is one nobody vouches for.
func TestCertificateOfNobody(t *testing.T) {
	s := newSite(t)
	s.transport.TLSClientConfig.RootCAs = nil
	s.on("example.com/app", text(`<meta name="ac-discovery" content="example.com https://a.example/x.{ext}">`))
	n, err := appc.ParseName("example.com/app")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := appc.Endpoints(t.Context(), n, s.http()); err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("error %v", err)
	}
	if s.requests("") > 0 {
		t.Error("the site got a request")
	}
	s.transport.TLSClientConfig.InsecureSkipVerify = true
	if got, err := appc.Endpoints(t.Context(), n, s.http()); err != nil || len(got) != 1 {
		t.Errorf("%v, %v", got, err)
	}
}

// FuzzMeta: no page leads anywhere but to URLs that can be fetched, and its
// size bounds theirs.
func FuzzMeta(f *testing.F) {
	for _, page := range []string{
		`<meta name="ac-discovery" content="example.com https://a.example/{os}/{name}-{version}.{ext}">`,
		`<META NAME=ac-discovery CONTENT='example.com https://a.example/{ext}?{version}'/>`, `<meta name="ac-discovery" content="example.com https://{version}.example/{ext}`,
		`<script><meta name="ac-discovery" content="e https://a/{ext}">`, `<!-- <meta> --><meta content="&#x41; {{ext}}">`,
	} {
		f.Add(page, "1")
	}
	f.Fuzz(func(t *testing.T, page, version string) {
		for _, ep := range appc.EndpointsOfPage([]byte(page), "example.com/app", map[string]string{"version": version, "os": "linux"}) {
			for _, u := range []string{ep.ACI, ep.ASC} {
				ref, err := image.Parse(u)
				if err != nil || ref.Transport != image.ACIURL || ref.URL != u {
					t.Errorf("%q: %+v, %v", u, ref, err)
				}
			}
			if ep.ACI == ep.ASC {
				t.Errorf("image and signature are %q", ep.ACI)
			}
		}
	})
}
