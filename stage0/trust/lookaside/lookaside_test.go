package lookaside

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/opencontainers/go-digest"
)

// write makes files from paths and contents in a directory of the test.
func write(t *testing.T, files map[string]string) string {
	t.Helper()
	root := t.TempDir()
	for name, content := range files {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

const sections = `
default-docker:
  lookaside-staging: file:///mnt/staging
  lookaside: https://all.example/sigs/
docker:
  r.example:
    sigstore: https://old.example
  r.example/team:
    use-sigstore-attachments: true
  r.example/team/app:one:
    lookaside: file:///one
    sigstore: https://no.example
    use-sigstore-attachments: false
  "*.example.org":
    lookaside: http://user:secret@org.example:81
`

func TestLocation(t *testing.T) {
	root := write(t, map[string]string{
		"a/x.yaml": sections, "a/README": "- nothing", "a/empty.yaml": "", "a/null.yaml": "docker:\ndefault-docker:\n",
		"b/y.yaml": "docker: {r.example/other: {lookaside: 'file:///b'}, 'r.example': {lookaside: 'https://new.example/p'}}",
	})
	a, b := filepath.Join(root, "a"), filepath.Join(root, "b")
	for name, tt := range map[string]struct {
		dirs        []string
		ref         string
		location    string
		attachments bool
		said        string
	}{
		"where nothing is configured":              {nil, "docker://r.example/x", "file:///var/lib/containers/sigstore/x", false, ""},
		"a directory that does not exist":          {[]string{root + "/no"}, "docker://x", "file:///var/lib/containers/sigstore/library/x", false, ""},
		"by default":                               {[]string{a}, "docker://other.example/t/x", "https://all.example/sigs/t/x", false, ""},
		"of a host, under the old name":            {[]string{a}, "docker://r.example/x", "https://old.example/x", false, ""},
		"the host in another case is the host":     {[]string{a}, "docker://R.Example/x", "https://old.example/x", false, ""},
		"what a namespace lacks, the next has":     {[]string{a}, "docker://r.example/team/x", "https://old.example/team/x", true, "a/x.yaml:8"},
		"of an image, the new name before the old": {[]string{a}, "docker://r.example/team/app:one", "file:///one/team/app", false, "a/x.yaml:10"},
		"another tag is another image":             {[]string{a}, "docker://r.example/team/app:two", "https://old.example/team/app", true, "a/x.yaml:8"},
		"of a domain, without the password":        {[]string{a}, "docker://q.example.org/x", "http://user:xxxxx@org.example:81/x", false, ""},
		"a later directory replaces a namespace":   {[]string{a, b}, "docker://r.example/x", "https://new.example/p/x", false, ""},
		"and leaves others":                        {[]string{a, b}, "docker://other.example/x", "https://all.example/sigs/x", false, ""},
	} {
		t.Run(name, func(t *testing.T) {
			c, err := Load(tt.dirs)
			if err != nil {
				t.Fatal(err)
			}
			l, ok := c.Location(parseRef(t, tt.ref))
			if !ok || l.String() != tt.location {
				t.Errorf("%s, %t, want %s", l, ok, tt.location)
			}
			use, where := c.UseAttachments(parseRef(t, tt.ref))
			if use != tt.attachments || (where == "") != (tt.said == "") || !strings.HasSuffix(where, tt.said) {
				t.Errorf("attachments %t by %q, want %t by %q", use, where, tt.attachments, tt.said)
			}
		})
	}
	t.Run("an image that is in no registry", func(t *testing.T) {
		if l, ok := (&Config{}).Location(parseRef(t, "oci:/x")); ok {
			t.Errorf("has %s", l)
		}
	})
}

func TestLoadRefuses(t *testing.T) {
	for name, tt := range map[string]struct{ content, want string }{
		"a list":                       {"- docker", "x.yaml:1: must be a mapping"},
		"no YAML":                      {"docker: [", "x.yaml: yaml: line 1:"},
		"an unknown key":               {"docker: {}\npodman: {}", `x.yaml:2: key "podman": unknown`},
		"an unknown key of a section":  {"docker:\n  r.example:\n    look-aside: x", `x.yaml:3: key "look-aside": unknown`},
		"a key that stands twice":      {"docker: {}\ndocker: {}", "x.yaml"},
		"a namespace in two cases":     {"docker:\n  r.example: {}\n  R.example: {}", `x.yaml:3: key "R.example": `},
		"a namespace that fits none":   {"docker:\n  exa*.com: {}", `x.yaml:2: "exa*.com" fits no image`},
		"a second default":             {"default-docker: {}", "z.yaml:1: key default-docker: "},
		"a section of nothing":         {"docker:\n  r.example: file:///x", "x.yaml:2: must be a mapping"},
		"a reference to elsewhere":     {"docker:\n  r.example: &x {}\n  s.example: *x", "x.yaml:3: must be a mapping"},
		"a lookaside that is no text":  {"default-docker: {lookaside: [a]}", "x.yaml:1: key lookaside: must be a URL"},
		"a relative path":              {"default-docker: {lookaside: sigs}", `"sigs" is neither file://`},
		"a path on a host":             {"default-docker: {lookaside: 'file://a/b'}", "is no absolute path"},
		"a host that is none":          {"default-docker: {lookaside: 'https:///x'}", "has no host"},
		"a query":                      {"default-docker: {lookaside: 'https://x/?a=b'}", "has more than a path"},
		"a staging that is none":       {"default-docker: {lookaside-staging: 'ftp://x'}", "key lookaside-staging: "},
		"an attachment of text":        {"default-docker: {use-sigstore-attachments: 'true'}", "must be true or false"},
		"a file that is far too large": {strings.Repeat(" ", maxFileBytes+1), "is larger than 1024 KiB"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := write(t, map[string]string{"x.yaml": tt.content, "z.yaml": "default-docker: {lookaside: 'file:///z'}"})
			if name != "a second default" && strings.Contains(tt.content, "default-docker") {
				if err := os.Remove(filepath.Join(dir, "z.yaml")); err != nil {
					t.Fatal(err)
				}
			}
			_, err := Load([]string{dir})
			if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}

// located is the lookaside at a URL for the repository team/app.
func located(t *testing.T, url string) Location {
	t.Helper()
	c := &Config{}
	if err := c.add("x.yaml", []byte("default-docker: {lookaside: '"+url+"'}")); err != nil {
		t.Fatal(err)
	}
	l, _ := c.Location(parseRef(t, "docker://r.example/team/app:1"))
	return l
}

func TestFetch(t *testing.T) {
	d := digest.Digest(sum)
	at := "team/app@sha256=" + d.Encoded() + "/signature-"
	both := func(t *testing.T, files map[string]string, want, problem string) {
		t.Helper()
		dir := write(t, files)
		server := httptest.NewServer(http.FileServer(http.Dir(dir)))
		t.Cleanup(server.Close)
		for _, url := range []string{"file://" + dir, server.URL} {
			found, err := located(t, url).Fetch(t.Context(), nil, d)
			var got []string
			for _, s := range found {
				got = append(got, string(s.Raw))
			}
			if strings.Join(got, " ") != want {
				t.Errorf("%s: found %.100q, want %.100q", url, got, want)
			}
			if (err == nil) != (problem == "") || err != nil && !strings.Contains(err.Error(), problem) {
				t.Errorf("%s: got %v, want %q", url, err, problem)
			}
		}
	}
	t.Run("none", func(t *testing.T) { both(t, nil, "", "") })
	t.Run("as far as they are numbered", func(t *testing.T) {
		both(t, map[string]string{at + "1": "a", at + "2": "b", at + "4": "d"}, "a b", "")
	})
	t.Run("one that is too large does not hide those before it", func(t *testing.T) {
		both(t, map[string]string{at + "1": "a", at + "2": strings.Repeat("x", MaxSignatureBytes+1), at + "3": "c"}, "a", "signature-2: larger than 128 KiB")
	})
	t.Run("no more than some", func(t *testing.T) {
		many := map[string]string{}
		for _, n := range strings.Fields("1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31 32 33 34") {
			many[at+n] = "x"
		}
		both(t, many, strings.TrimSpace(strings.Repeat("x ", maxSignatures)), "")
	})
	t.Run("a FIFO is not waited for", func(t *testing.T) {
		dir := write(t, map[string]string{at + "2": ""})
		if err := syscall.Mkfifo(filepath.Join(dir, at+"1"), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := located(t, "file://"+dir).Fetch(t.Context(), nil, d); err == nil || !strings.Contains(err.Error(), "not a regular file") {
			t.Errorf("got %v", err)
		}
	})
}

func TestFetchFromAServerThatMisbehaves(t *testing.T) {
	tls := httptest.NewTLSServer(http.NotFoundHandler())
	t.Cleanup(tls.Close)
	for name, tt := range map[string]struct {
		answer http.HandlerFunc
		want   string
	}{
		"an error":                          {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(503) }, "signature-1: answered 503"},
		"no permission":                     {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(403) }, "answered 403"},
		"a page that says there is nothing": {func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("<html>no")) }, ""},
		"redirects in a circle":             {func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, r.URL.Path, http.StatusFound) }, "more than 5 redirects"},
		"a redirect to a file": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "file:///etc/passwd", http.StatusFound)
		}, "unsupported protocol scheme"},
		"an answer that breaks off": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "9")
			w.Write([]byte("x"))
		}, "unexpected EOF"},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(tt.answer)
			t.Cleanup(server.Close)
			found, err := located(t, server.URL).Fetch(t.Context(), nil, sum)
			if len(found) != 0 || (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
				t.Errorf("found %d, %v, want %q", len(found), err, tt.want)
			}
		})
	}
	t.Run("a certificate that nobody vouches for", func(t *testing.T) {
		if _, err := located(t, tls.URL).Fetch(t.Context(), nil, sum); err == nil || !strings.Contains(err.Error(), "certificate") {
			t.Errorf("got %v", err)
		}
	})
	t.Run("a redirect away from TLS", func(t *testing.T) {
		plain := httptest.NewServer(http.NotFoundHandler())
		t.Cleanup(plain.Close)
		secure := httptest.NewTLSServer(http.RedirectHandler(plain.URL, http.StatusFound))
		t.Cleanup(secure.Close)
		client := newClient()
		client.Transport = secure.Client().Transport
		if _, err := located(t, secure.URL).Fetch(t.Context(), client, sum); err == nil || !strings.Contains(err.Error(), "redirected from https to http") {
			t.Errorf("got %v", err)
		}
	})
}

// FuzzConfig: a file of registries.d that is taken leaves every image with a
// location below the one that was written.
func FuzzConfig(f *testing.F) {
	f.Add([]byte(sections))
	f.Add([]byte("docker: &a {*a : *a}"))
	f.Add([]byte("default-docker: {<<: {lookaside: 'file:///'}}"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		c := &Config{docker: make(map[string]section)}
		if err := c.add("x.yaml", raw); err != nil {
			if strings.ContainsAny(err.Error(), "\n\x1b") {
				t.Errorf("control characters in %q", err)
			}
			return
		}
		for _, s := range []string{"docker://r.example/team/app:one", "docker://q.example.org/x"} {
			ref := parseRef(t, s)
			l, ok := c.Location(ref)
			if !ok || !strings.HasSuffix(l.url.Path, "/"+ref.Repository) {
				t.Errorf("%s is at %v", s, l)
			}
		}
	})
}
