package functional

import (
	"bytes"
	"crypto/sha512"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ulikunitz/xz"

	"github.com/raket/raket/tests/images"
	"github.com/raket/raket/tests/site"
)

// publish puts an ACI that runs a script on a site; it is signed where there is a signer.
func publish(t *testing.T, s *site.Site, name, script string, signer *images.Signer) site.Published {
	t.Helper()
	i := site.Image{Name: name, Version: "1.0.0", ACI: newACI(t, name, script, signer)}
	if signer != nil {
		i.Signature, i.Keys = i.ACI+".asc", signer.PublicKey()
	}
	at, err := s.Publish(i)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

// change turns knobs of a file on a site.
func change(t *testing.T, s *site.Site, path string, f func(*site.File)) {
	t.Helper()
	if !s.Change(path, f) {
		t.Fatalf("nothing is at %s", path)
	}
}

func TestImagesAreDiscovered(t *testing.T) {
	p := newPods(t)
	ca := p.newAuthority(t)
	s := p.newSite(t, ca, "images.example", "private.example", "pages.example")
	signer, pubkey := p.newSigner(t)
	p.trust(t, pubkey)

	publish(t, s, "images.example/labels", "echo hi", signer)
	t.Run("a name without an image", func(t *testing.T) {
		p.refused(t, `fetch "images.example/nothing"…no such image`, "", "fetch", "--quiet", "images.example/nothing")
	})
	t.Run("a name without meta tags, and a compressed image", func(t *testing.T) {
		plain := images.ShellACI("images.example/simple", "1.0.0", "echo simple")
		plain.Uncompressed = true
		file := filepath.Join(t.TempDir(), "simple.aci")
		if err := errors.Join(plain.Write(file+".tar"), compressXZ(file+".tar", file), signer.Sign(t.Context(), file)); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Publish(site.Image{Name: "images.example/simple", Version: "1.0.0", ACI: file, Signature: file + ".asc", Simple: true}); err != nil {
			t.Fatal(err)
		}
		if got := p.must(t, oneApp("images.example/simple:1.0.0,os=linux")...); got != "simple" {
			t.Errorf("the app says %q", got)
		}
		// An image ID is of what is compressed.
		raw, err := os.ReadFile(file + ".tar")
		if err != nil {
			t.Fatal(err)
		}
		id := fmt.Sprintf("sha512-%x", sha512.Sum512(raw))
		if got := p.must(t, "fetch", "--quiet", "--full", id[:20]); got != id {
			t.Errorf("fetched is %s, want %s", got, id)
		}
		if got := p.must(t, oneApp(id[:16])...); got != "simple" {
			t.Errorf("the app says %q", got)
		}
	})
	t.Run("an image by its URL", func(t *testing.T) {
		at := publish(t, s, "images.example/url", "echo url", signer)
		if got := p.must(t, oneApp("https://images.example"+at.ACI)...); got != "url" {
			t.Errorf("the app says %q", got)
		}
	})
	t.Run("a name with the wrong label", func(t *testing.T) {
		p.refused(t, "images.example/labels:2.0.0…no such image", "", "fetch", "--quiet", "images.example/labels:2.0.0")
	})
	t.Run("a page that leads to another's image", func(t *testing.T) {
		at := publish(t, s, "images.example/mine", "echo hi", signer)
		yours := publish(t, s, "pages.example/yours", "echo hi", signer)
		s.Put(yours.ACI, site.File{Redirect: "https://images.example" + at.ACI})
		s.Put(yours.Signature, site.File{Redirect: "https://images.example" + at.Signature})
		p.refused(t, `not the one asked for…"images.example/mine"`, "", "fetch", "--quiet", "pages.example/yours:1.0.0")
	})
	t.Run("what a site says of caches", func(t *testing.T) {
		const name = "images.example/cached:1.0.0"
		at := publish(t, s, "images.example/cached", "echo cached", signer)
		change(t, s, at.ACI, func(f *site.File) { f.ETag = `"1"` })
		p.must(t, "fetch", "--quiet", name)
		s.Reset()
		p.must(t, "fetch", "--quiet", name)
		if asked := s.Requests(); len(asked) > 0 {
			t.Errorf("an image in the store was asked for: %+v", asked)
		}
		p.must(t, "fetch", "--quiet", "--pull-policy=update", name)
		for _, asked := range s.Requests() {
			if strings.HasSuffix(asked.URL, ".aci") && (asked.Status != 304 || asked.IfNoneMatch != `"1"`) {
				t.Errorf("what is unchanged was sent again: %+v", asked)
			}
		}
		if s.Count(at.ACI) != 1 {
			t.Errorf("an update asked %d times", s.Count(at.ACI))
		}
		change(t, s, at.ACI, func(f *site.File) { f.ETag, f.CacheControl = `"1"`, "max-age=3600" })
		p.must(t, "fetch", "--quiet", "--pull-policy=update", name)
		s.Reset()
		p.must(t, "fetch", "--quiet", "--pull-policy=update", name)
		if asked := s.Requests(); len(asked) > 0 {
			t.Errorf("what is good for an hour was asked for: %+v", asked)
		}
	})
	t.Run("a download that was killed goes on", func(t *testing.T) {
		const stall = 700 << 10
		at := publish(t, s, "images.example/large", "echo large", signer)
		change(t, s, at.ACI, func(f *site.File) { f.ETag, f.StallAt = `"1"`, stall })
		p.killFetch(t, "images/downloads/*/*", stall/2, "images.example/large:1.0.0")
		change(t, s, at.ACI, func(f *site.File) { f.StallAt = 0 })
		s.Reset()
		if got := p.must(t, oneApp("images.example/large:1.0.0")...); got != "large" {
			t.Errorf("the app says %q", got)
		}
		var parts []string
		for _, asked := range s.Requests() {
			if strings.HasSuffix(asked.URL, ".aci") {
				parts = append(parts, fmt.Sprint(asked.Range, " ", asked.Status))
			}
		}
		if len(parts) != 1 || !strings.HasPrefix(parts[0], "bytes=") || !strings.HasSuffix(parts[0], "- 206") || parts[0] == "bytes=0- 206" {
			t.Errorf("the site was asked for %q, want the rest", parts)
		}
	})
	t.Run("a site that wants a password", func(t *testing.T) {
		at := publish(t, s, "private.example/hello", "echo private", signer)
		for _, path := range []string{at.ACI, at.Signature} {
			change(t, s, path, func(f *site.File) { f.Authorization = "Basic YW5uOnNlY3JldA==" }) // ann:secret
		}
		const name, file = "private.example/hello:1.0.0", "/etc/raket/auth.d/private.json"
		p.refused(t, "https://private.example"+at.Signature+"…401 Unauthorized", "auth.d", oneApp(name)...)
		auth := func(password string) string {
			return `{"rktKind": "auth", "rktVersion": "v1", "domains": ["private.example"], "type": "basic", "credentials": {"user": "ann", "password": "` + password + `"}}`
		}
		p.configure(t, map[string]string{file: auth("wrong")})
		p.refused(t, "401 Unauthorized", "auth.d", oneApp(name)...)
		p.WriteFile(t, file, auth("secret"), 0o600)
		if got := p.must(t, oneApp(name)...); got != "private" {
			t.Errorf("the app says %q", got)
		}
		s.Reset()
		p.must(t, "fetch", "--quiet", "images.example/labels:1.0.0")
		for _, asked := range s.Requests() {
			if asked.Authorization != "" {
				t.Errorf("the password went to %s", asked.URL)
			}
		}
	})
	t.Run("a certificate that nobody vouches for", func(t *testing.T) {
		p.MustRun(t, "mv "+p.certificateOf("TestImagesAreDiscovered")+" /run/authority")
		t.Cleanup(func() { p.MustRun(t, "mv /run/authority "+p.certificateOf("TestImagesAreDiscovered")) })
		publish(t, s, "images.example/stranger", "echo stranger", signer)
		p.refused(t, "https://images.example/stranger…certificate signed by unknown authority", "--insecure-options=tls", oneApp("images.example/stranger:1.0.0")...)
		if got := p.must(t, append(oneApp("images.example/stranger:1.0.0"), "--insecure-options=tls")...); got != "stranger" {
			t.Errorf("the app says %q", got)
		}
	})
}

// compressXZ compresses a file.
func compressXZ(from, to string) error {
	raw, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	var out bytes.Buffer
	w, err := xz.NewWriter(&out)
	if err != nil {
		return err
	}
	_, err = w.Write(raw)
	return errors.Join(err, w.Close(), os.WriteFile(to, out.Bytes(), 0o644))
}

// killFetch kills a fetch with SIGKILL when a file of the data directory has grown beyond a
// size.
func (p *pods) killFetch(t *testing.T, file string, bytes int, image string) {
	t.Helper()
	p.MustRun(t, fmt.Sprintf(`mkdir -p %[1]s && cd %[1]s; exec 2>/run/killed; %[2]s fetch %[3]s >/dev/null & pid=$!
end=$((SECONDS+30))
until find %[4]s -size +%[5]dk 2>/dev/null | grep -q .; do
  [ $SECONDS -lt $end ] && kill -0 $pid || { find . -size +1k >&2; cat /run/killed; exit 1; }
  sleep 0.02
done
kill -9 $pid; wait $pid; [ $? = 137 ]`, p.dir, p.cmd(), quote(image), file, bytes>>10))
}

func TestACIsStandOnOthers(t *testing.T) {
	p := newPods(t)
	ca := p.newAuthority(t)
	s := p.newSite(t, ca, "images.example")
	signer, pubkey := p.newSigner(t)
	p.trust(t, pubkey)
	put := func(name, manifest string, files ...images.Entry) site.Published {
		t.Helper()
		entries := []images.Entry{images.File("manifest", fmt.Sprintf(manifest, "images.example/"+name), 0o644), images.Dir("rootfs", 0o755)}
		for _, e := range files {
			e.Name = "rootfs/" + e.Name
			entries = append(entries, e)
		}
		raw, err := images.Tar(entries...)
		if err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(t.TempDir(), name+".aci")
		if err := os.WriteFile(file, raw, 0o644); err != nil {
			t.Fatal(err)
		}
		if err := signer.Sign(t.Context(), file); err != nil {
			t.Fatal(err)
		}
		at, err := s.Publish(site.Image{Name: "images.example/" + name, ACI: file, Signature: file + ".asc"})
		if err != nil {
			t.Fatal(err)
		}
		return at
	}
	const head = `{"acKind": "ImageManifest", "acVersion": "0.8.11", "name": "%s"`
	put("base", head+`}`, append(images.BusyboxFiles(), images.Dir("data", 0o755), images.File("data/a", "base a", 0o644), images.File("data/b", "base b", 0o644))...)
	put("middle", head+`, "dependencies": [{"imageName": "images.example/base"}]}`, images.Dir("data", 0o755), images.File("data/a", "middle a", 0o644), images.File("data/c", "middle c", 0o644))
	put("top", head+`, "dependencies": [{"imageName": "images.example/middle"}], "pathWhitelist": ["/bin/busybox", "/bin/sh", "/bin/cat", "/bin/ls", "/data/a", "/data/c", "/data/own"],
		"app": {"exec": ["/bin/sh", "-c", "ls /data; cat /data/a /data/own"], "user": "0", "group": "0"}}`,
		images.Dir("data", 0o755), images.File("data/own", " own", 0o644), images.File("data/hidden", "hidden", 0o644))
	if got := p.must(t, oneApp("images.example/top")...); got != "a\nc\nown\nmiddle a own" {
		t.Errorf("the app says %q", got)
	}
	p.collect(t)
	p.refused(t, "in use: image sha512-…(images.example/middle:latest) depends on it", "", "image", "rm", "--all-names", "images.example/base")

	// Each image of the stack needs a signature of its own.
	s.Remove(put("bottom", head+`}`, images.BusyboxFiles()...).Signature)
	put("above", head+`, "dependencies": [{"imageName": "images.example/bottom"}], "app": {"exec": ["/bin/true"], "user": "0", "group": "0"}}`)
	r := p.raket(t, oneApp("images.example/above")...)
	expectRefusal(t, r.Code, r.Stderr, `"images.example/above" depends on "images.example/bottom"`)
	if !strings.Contains(r.Stderr, "no signature") || !strings.Contains(r.Stderr, "--insecure-options=image") {
		t.Errorf("%+v", r)
	}
	if got := p.must(t, "image", "list", "--no-legend", "--fields=name"); strings.Contains(got, "above") {
		t.Errorf("listed is %q", got)
	}
}
