package registry

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/raket/raket/pkg/image"
)

func indexOf(entries string) string {
	return `{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[` + entries + `]}`
}

func TestReferrers(t *testing.T) {
	subject := image.Sum([]byte("subject"))
	api, tag := "/v2/app/referrers/"+subject.String(), "sha256-"+subject.Encoded()
	say := func(status int, header, value, body string) func(w http.ResponseWriter, r *http.Request) {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set(header, value)
			w.WriteHeader(status)
			_, _ = io.WriteString(w, body)
		}
	}
	for _, tc := range []struct {
		name string
		api  func(w http.ResponseWriter, r *http.Request)
		tag  string // what the tag has; empty for no such tag
		want string
		err  string
	}{
		{name: "of the API", api: say(200, "Content-Type", indexType, indexOf(`{"a":1}`)), tag: indexOf(`{"b":1}`), want: indexOf(`{"a":1}`)},
		{name: "none of the API", api: say(200, "X", "y", indexOf("")), tag: indexOf(`{"b":1}`), want: emptyIndex},
		{name: "of the tag", api: say(404, "X", "y", ""), tag: indexOf(`{"b":1}`), want: indexOf(`{"b":1}`)},
		{name: "of the tag, where the API is a bad request", api: say(400, "X", "y", ""), tag: indexOf(`{"b":1}`), want: indexOf(`{"b":1}`)},
		{name: "of the tag, where the API is a page for people", api: say(200, "X", "y", "<html>"), tag: indexOf(`{"b":1}`), want: indexOf(`{"b":1}`)},
		{name: "none of the tag", api: say(404, "X", "y", ""), want: emptyIndex},
		{name: "of a tag that is an image", api: say(404, "X", "y", ""), tag: `{"schemaVersion":2,"layers":[]}`, want: emptyIndex},
		{name: "of a registry that refuses", api: say(403, "X", "y", ""), tag: indexOf(`{"b":1}`), err: "403 Forbidden"},
		{name: "of a registry that fails", api: say(500, "X", "y", ""), tag: indexOf(`{"b":1}`), err: "500 Internal"},
		{name: "of several pages", api: func(w http.ResponseWriter, r *http.Request) {
			n := r.URL.Query().Get("page")
			if next := map[string]string{"": "2", "2": "3"}[n]; next != "" {
				w.Header().Set("Link", "<"+api+"?page="+next+`>; rel="next"`)
			}
			_, _ = io.WriteString(w, indexOf(fmt.Sprintf(`{"page":%q}`, n)))
		}, want: ""},
		{name: "of pages without end", api: func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Link", "<"+api+`>; rel=next`)
			_, _ = io.WriteString(w, indexOf(`{"a":1}`))
		}, err: "refused to follow its link"},
		{name: "of pages elsewhere", api: say(200, "Link", `<http://127.0.0.1:1/v2/x>; rel="next"`, indexOf("")), err: "refused to follow its link"},
		{name: "of a page without end", api: func(w http.ResponseWriter, r *http.Request) {
			for r.Context().Err() == nil {
				if _, err := w.Write(noise(1 << 20)); err != nil {
					return
				}
			}
		}, err: "larger than 4 MiB"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f := newFake(t, false)
			if tc.tag != "" {
				f.put(tag, []byte(tc.tag))
			}
			f.on(func(w http.ResponseWriter, r *http.Request, _ int) bool {
				if r.URL.Path != api {
					return false
				}
				tc.api(w, r)
				return true
			})
			raw, err := open(t, f.host, Options{}).Referrers(t.Context(), subject, "")
			if tc.err != "" {
				checkError(t, err, tc.err)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			want := tc.want
			if want == "" {
				want = indexOf(`{"page":""},{"page":"2"},{"page":"3"}`)
			}
			if diff := cmp.Diff(want, string(raw)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
	t.Run("of a type", func(t *testing.T) {
		f := newFake(t, false)
		f.on(func(w http.ResponseWriter, r *http.Request, _ int) bool {
			_, _ = io.WriteString(w, indexOf(fmt.Sprintf("%q", r.URL.RawQuery)))
			return true
		})
		raw, err := open(t, f.host, Options{}).Referrers(t.Context(), subject, "application/x+json")
		if want := indexOf(`"artifactType=application%2Fx%2Bjson"`); err != nil || string(raw) != want {
			t.Errorf("got %s, %v", raw, err)
		}
	})
	t.Run("of the registry, where its mirror has none", func(t *testing.T) {
		p := newPair(t)
		p.mirror.put("sha256-"+subject.Encoded(), []byte(indexOf("")))
		p.origin.put("sha256-"+subject.Encoded(), []byte(indexOf(`{"a":1}`)))
		if raw, err := p.source.Referrers(t.Context(), subject, ""); err != nil || string(raw) != indexOf(`{"a":1}`) {
			t.Errorf("got %s, %v", raw, err)
		}
	})
}

func TestSignatureExtension(t *testing.T) {
	d := image.Sum([]byte("image"))
	path := "/extensions/v2/app/signatures/" + d.String()
	for _, tc := range []struct {
		name string
		ping func(w http.ResponseWriter)
		want string
		err  string
	}{
		{name: "of a registry that has it", ping: func(w http.ResponseWriter) { w.Header().Set("X-Registry-Supports-Signatures", "1") }, want: `{"signatures":[]}`},
		{name: "of one that has it and asks for credentials", ping: func(w http.ResponseWriter) {
			w.Header().Set("X-Registry-Supports-Signatures", "1")
			w.WriteHeader(http.StatusUnauthorized)
		}, want: `{"signatures":[]}`},
		{name: "of one that has not", ping: func(http.ResponseWriter) {}},
		{name: "of one that fails", ping: func(w http.ResponseWriter) { w.WriteHeader(http.StatusBadGateway) }, err: "it answered 502"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f := newFake(t, false)
			f.on(func(w http.ResponseWriter, r *http.Request, _ int) bool {
				switch r.URL.Path {
				case "/v2/":
					tc.ping(w)
				case path:
					_, _ = io.WriteString(w, `{"signatures":[]}`)
				}
				return true
			})
			s := open(t, f.host, Options{})
			for range 2 {
				raw, err := s.SignatureExtension(t.Context(), d)
				switch {
				case tc.err != "":
					checkError(t, err, tc.err)
					return
				case tc.want == "" && !errors.Is(err, fs.ErrNotExist):
					t.Errorf("error %v, want fs.ErrNotExist", err)
				case tc.want != "" && (err != nil || string(raw) != tc.want):
					t.Errorf("got %s, %v", raw, err)
				}
			}
			if n := strings.Count(strings.Join(f.requests(), "\n"), "GET /v2/"); n != 1 {
				t.Errorf("asked %d times what it supports", n)
			}
		})
	}
}
