package appc_test

import (
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/raket/raket/pkg/image"
	"github.com/raket/raket/pkg/imagestore"
	"github.com/raket/raket/pkg/tree"
	"github.com/raket/raket/stage0/fetch/appc"
)

// content reads /app of an image.
func (f *fetcher) content(t testing.TB, img image.Image) string {
	t.Helper()
	lowers, err := f.store.Render(t.Context(), img)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := tree.View{Lowers: lowers}.ReadFile("app", 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

func TestFetchByName(t *testing.T) {
	f := newFetcher(t)
	f.publish("example.com/app", "v1", app(t, "example.com/app", "v1", "one"))
	img := f.fetch(t, "example.com/app:v1")
	if got := f.content(t, img); got != "one" {
		t.Errorf("content %q", got)
	}
	if img.SignatureState() != "openpgp 0123" || img.Evidence[0].Digest != img.Layers[0].Digest || img.Evidence[0].Identity != "example.com/app" {
		t.Errorf("evidence %+v", img.Evidence)
	}
	// It is in the store now.
	f.reset()
	for _, name := range []string{"example.com/app:v1", "example.com/app", "example.com/app:v1,os=linux,arch=amd64"} {
		if again := f.fetch(t, name); again.ID != img.ID {
			t.Errorf("%s is %s", name, again.ID)
		}
	}
	if n := f.requests(""); n > 0 {
		t.Errorf("%d requests for an image in the store", n)
	}
	f.refused(t, "example.com/app:v2", "404")
	f.refused(t, "example.com/app:v1,flavour=x", `it has no label "flavour"`)
}

func TestFetchByNameRefuses(t *testing.T) {
	f := newFetcher(t)
	publish := func(name string, d aciDoc) { f.publish(name, "latest", d.build(t)) }
	publish("example.com/other", aciDoc{name: "example.com/evil"})
	publish("example.com/unlabelled", aciDoc{name: "example.com/unlabelled"})
	publish("example.com/arm", aciDoc{name: "example.com/arm", arch: "aarch64"})
	publish("untrusted.example/app", aciDoc{name: "untrusted.example/app"})
	publish("example.com/noarch", aciDoc{name: "example.com/noarch", arch: "-"})
	f.refused(t, "example.com/other", `it is named "example.com/evil"`)
	f.refused(t, "example.com/unlabelled:latest", `it has no label "version"`)
	f.refused(t, "example.com/arm", `it is for arch "aarch64", not "amd64"`)
	f.refused(t, "untrusted.example/app", "may not sign this name")
	f.refused(t, "app", "does not begin with a host's")
	f.refused(t, "nowhere.example/app", "no such host")
	f.refused(t, "example.com/missing", "no such image")
	f.fetch(t, "example.com/noarch")
}

func TestFetchByURL(t *testing.T) {
	f := newFetcher(t)
	one := app(t, "example.com/app", "v1", "one")
	f.serve("files.example/a.aci", one)
	f.serve("files.example/a.aci.asc", sign(one))
	const url = "https://files.example/a.aci"
	img := f.fetch(t, url)
	if f.content(t, img) != "one" || img.Origin != url {
		t.Errorf("%+v", img)
	}
	f.reset()
	f.fetch(t, url)
	if f.requests("") > 0 {
		t.Error("asked for what the store has")
	}
	f.serve("files.example/b.aci", app(t, "example.com/app", "v1", "two"))
	f.serve("files.example/b.aci.asc", sign(one))
	if err := f.refused(t, "https://files.example/b.aci", "bad signature"); !errors.Is(err, errBadSignature) {
		t.Error(err)
	}
	f.serve("files.example/c.aci", app(t, "example.com/app", "v1", "three"))
	err := f.refused(t, "https://files.example/c.aci", "the image has no signature")
	var hint interface{ Hint() string }
	if !errors.As(err, &hint) || !strings.Contains(hint.Hint(), "--signature") {
		t.Errorf("no hint in %v", err)
	}
	img = f.fetch(t, "https://files.example/c.aci", unverified)
	if img.SignatureState() != "override" {
		t.Errorf("state %q", img.SignatureState())
	}
	// What came unverified is no good to who verifies.
	f.refused(t, "https://files.example/c.aci", "the image has no signature")
	f.serve("elsewhere.example/sig", sign(app(t, "example.com/app", "v1", "three")))
	img = f.fetch(t, "https://files.example/c.aci", func(r *appc.Request) { r.Signature = "https://elsewhere.example/sig" })
	if img.SignatureState() != "openpgp 0123" {
		t.Errorf("state %q", img.SignatureState())
	}
	f.refused(t, "http://files.example/a.aci", "refused plain HTTP")
	f.reset()
	f.fetch(t, "http://files.example/a.aci", func(r *appc.Request) { r.HTTP.AllowHTTP = true })
	if f.requests("http://files.example/a.aci") != 1 {
		t.Error("not fetched by plain HTTP")
	}
}

func TestFetchFile(t *testing.T) {
	f := newFetcher(t)
	path := filepath.Join(t.TempDir(), "x.aci")
	raw := app(t, "example.com/app", "v1", "one")
	write(t, path, raw)
	f.refused(t, path, "the image has no signature")
	write(t, path+".asc", sign(raw))
	f.fetch(t, path)
	write(t, path+".asc", []byte("nonsense"))
	f.refused(t, path, "bad signature")
	write(t, path+".sig", sign(raw))
	f.fetch(t, path, func(r *appc.Request) { r.Signature = path + ".sig" })
	write(t, path, []byte("not an ACI"))
	write(t, path+".asc", sign([]byte("not an ACI")))
	f.refused(t, path, "not a tar")
	f.refused(t, path+".missing", "no such file")
	// What was verified is what is read.
	evil := app(t, "example.com/app", "v1", "evil")
	write(t, path, raw)
	write(t, path+".asc", sign(raw))
	f.refused(t, path, "changed while it was read", func(r *appc.Request) {
		r.Verify = func(content io.Reader, signature []byte) (func(string) (image.Evidence, error), error) {
			confirm, err := verify(content, signature)
			write(t, path, evil)
			return confirm, err
		}
	})
	f.refused(t, filepath.Dir(path), "is not a file", unverified)
}

func write(t testing.TB, path string, raw []byte) {
	t.Helper()
	if err := os.WriteFile(path, raw, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestDeferredSignature(t *testing.T) {
	f := newFetcher(t)
	raw := app(t, "example.com/app", "v1", "one")
	f.serve("files.example/a.aci", raw)
	const url = "https://files.example/a.aci"
	f.on("files.example/a.aci.asc", func(w http.ResponseWriter, _ *http.Request) {
		if f.requests("/a.aci") == 0 {
			w.WriteHeader(http.StatusAccepted)
			return
		}
		w.Write(sign(raw))
	})
	f.fetch(t, url)
	if n := f.requests(".asc"); n != 2 {
		t.Errorf("signature asked for %d times, want 2", n)
	}
	f.serve("files.example/b.aci", raw)
	f.on("files.example/b.aci.asc", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusAccepted) })
	f.refused(t, "https://files.example/b.aci", "does not have the signature")
	f.on("files.example/c.aci", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusAccepted) })
	f.refused(t, "https://files.example/c.aci", "202 Accepted", unverified)
}

func TestCacheControl(t *testing.T) {
	f := newFetcher(t)
	one, two := app(t, "example.com/app", "", "one"), app(t, "example.com/app", "", "two")
	aci := "example.com/files/example.com/app-latest-linux-amd64.aci"
	f.publish("example.com/app", "latest", one, "ETag", `"1"`)
	first := f.fetch(t, "example.com/app")

	f.reset()
	if img := f.fetch(t, "example.com/app", update); img.ID != first.ID {
		t.Error("another image")
	}
	if f.requests("amd64.aci") != 1 || f.requests(".asc") != 0 {
		t.Errorf("asked %q", f.asked)
	}

	f.publish("example.com/app", "latest", two, "ETag", `"2"`, "Cache-Control", "public, max-age=3600")
	if img := f.fetch(t, "example.com/app"); img.ID != first.ID {
		t.Error("asked without being told to update")
	}
	second := f.fetch(t, "example.com/app", update)
	if f.content(t, second) != "two" {
		t.Error("not updated")
	}
	f.reset()
	if img := f.fetch(t, "example.com/app", update); img.ID != second.ID || f.requests("") != 0 {
		t.Errorf("%s, asked %q within max-age", img.ID, f.asked)
	}
	f.fetch(t, "example.com/app", update, func(r *appc.Request) { r.IgnoreMaxAge = true })
	if f.requests(aci) != 1 {
		t.Errorf("asked %q", f.asked)
	}
	// A date does where there is no tag; an unverified image does not where
	// signatures count.
	f.serve("files.example/d.aci", one, "Last-Modified", "Mon, 02 Jan 2006 15:04:05 GMT")
	f.serve("files.example/d.aci.asc", sign(one))
	f.fetch(t, "https://files.example/d.aci", unverified)
	conditions := 0
	f.on("files.example/d.aci", func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("If-Modified-Since") == "Mon, 02 Jan 2006 15:04:05 GMT" {
			conditions++
			w.WriteHeader(http.StatusNotModified)
		}
	})
	if img := f.fetch(t, "https://files.example/d.aci", update); img.SignatureState() == "override" || conditions != 1 {
		t.Errorf("%q after %d conditional requests", img.SignatureState(), conditions)
	}
	f.on("files.example/e.aci", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotModified) })
	f.refused(t, "https://files.example/e.aci", "304", unverified)
}

func TestConcurrentFetchesDownloadOnce(t *testing.T) {
	f := newFetcher(t)
	raw := app(t, "example.com/app", "v1", "one")
	f.serve("files.example/a.aci", raw)
	f.serve("files.example/a.aci.asc", sign(raw))
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			store, err := imagestore.Open(f.dir)
			if err == nil {
				req := f.request("https://files.example/a.aci")
				req.Store = store
				_, err = appc.Fetch(t.Context(), req)
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := f.requests("/a.aci"); n != 1 {
		t.Errorf("downloaded %d times", n)
	}
	for _, dir := range []string{"downloads", "ingest"} {
		if left, err := os.ReadDir(filepath.Join(f.dir, "images", dir)); err != nil || len(left) > 0 {
			t.Errorf("left in %s: %v, %v", dir, left, err)
		}
	}
}

func TestAuthorisation(t *testing.T) {
	f := newFetcher(t)
	raw := app(t, "example.com/app", "v1", "one")
	see := func(w http.ResponseWriter, r *http.Request) {
		if want := "Bearer " + r.Host; r.TLS != nil && r.Header.Get("Authorization") != want || r.TLS == nil && r.Header.Get("Authorization") != "" {
			t.Errorf("%s was shown %q", r.Host, r.Header.Get("Authorization"))
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		if r.Host == "a.example" {
			http.Redirect(w, r, "https://b.example"+r.URL.Path, http.StatusFound)
			return
		}
		if strings.HasSuffix(r.URL.Path, ".asc") {
			w.Write(sign(raw))
			return
		}
		w.Write(raw)
	}
	for _, host := range []string{"a.example", "b.example"} {
		f.on(host+"/x.aci", see)
		f.on(host+"/x.aci.asc", see)
	}
	auth := func(r *appc.Request) {
		r.HTTP.Authorize = func(req *http.Request) error {
			req.Header.Set("Authorization", "Bearer "+req.URL.Host)
			return nil
		}
		r.HTTP.AllowHTTP = true
	}
	f.fetch(t, "https://a.example/x.aci", auth)
	f.fetch(t, "http://b.example/x.aci", auth)
	f.on("c.example/x.aci", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) })
	err := f.refused(t, "https://c.example/x.aci", "401 Unauthorized", unverified)
	var hint interface{ Hint() string }
	if !errors.As(err, &hint) || !strings.Contains(hint.Hint(), "auth.d") {
		t.Errorf("no hint in %v", err)
	}
}

func TestRedirects(t *testing.T) {
	f := newFetcher(t)
	to := func(from, url string) {
		f.on(from, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", url)
			w.WriteHeader(http.StatusFound)
		})
	}
	f.serve("ok.example/x.aci", app(t, "example.com/app", "v1", "one"))
	to("rel.example/x.aci", "//ok.example/x.aci")
	f.fetch(t, "https://rel.example/x.aci", unverified)
	to("a.example/plain.aci", "http://ok.example/x.aci")
	to("a.example/loop.aci", "/loop.aci")
	to("a.example/none.aci", "")
	to("a.example/user.aci", "https://u:p@ok.example/x.aci")
	to("a.example/file.aci", "file:///etc/passwd")
	allow := func(r *appc.Request) { r.Verify, r.HTTP.AllowHTTP = nil, true }
	f.refused(t, "https://a.example/plain.aci", "without TLS", allow)
	f.refused(t, "https://a.example/loop.aci", "redirects", allow)
	f.refused(t, "https://a.example/none.aci", "to nowhere", allow)
	f.refused(t, "https://a.example/user.aci", "credentials", allow)
	f.refused(t, "https://a.example/file.aci", "without TLS", allow)
	f.refused(t, "http://a.example/file.aci", "file", allow)
}

func TestCollection(t *testing.T) {
	f := newFetcher(t)
	raw := app(t, "example.com/app", "v1", "one")
	f.serve("files.example/a.aci", raw, "ETag", `"1"`)
	f.fetch(t, "https://files.example/a.aci", unverified)
	f.on("files.example/b.aci", truncated(raw, 1))
	f.refused(t, "https://files.example/b.aci", "tried", unverified)
	downloads := filepath.Join(f.dir, "images", "downloads")
	if left, err := os.ReadDir(downloads); err != nil || len(left) != 1 {
		t.Errorf("begun downloads: %v, %v", left, err)
	}
	if _, err := f.store.GC(imagestore.GCOptions{Grace: time.Hour}); err != nil {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(downloads); err != nil || len(left) != 1 {
		t.Errorf("begun downloads after a collection: %v, %v", left, err)
	}
	if _, err := f.store.GC(imagestore.GCOptions{}); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{downloads, filepath.Join(f.dir, "images", "remotes")} {
		if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
			t.Errorf("left in %s: %v, %v", dir, left, err)
		}
	}
}
