package functional

import (
	"strings"
	"testing"

	"github.com/raket/raket/tests/images"
	"github.com/raket/raket/tests/site"
)

// anotherSigner makes a key that nobody on the host knows.
func anotherSigner(t *testing.T) *images.Signer {
	t.Helper()
	s, err := images.NewSigner(t.Context(), "stranger <stranger@raket.invalid>")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// forgetKeys ends all trust when t does.
func (p *pods) forgetKeys(t *testing.T) {
	t.Helper()
	t.Cleanup(func() {
		p.MustRun(t, "rm -rf /etc/raket/trustedkeys; rmdir --ignore-fail-on-non-empty /etc/raket || true")
	})
}

func TestImagesOfASiteRunOnceItsKeyIsTrusted(t *testing.T) {
	p := newPods(t)
	p.forgetKeys(t)
	ca := p.newAuthority(t)
	s := p.newSite(t, ca, "images.example")
	signer, _ := p.newSigner(t)
	key, image := signer.Fingerprint(), oneApp("images.example/team/hello:1.0.0")
	at := publish(t, s, "images.example/team/hello", "echo hello", signer)
	const trust = "--prefix=images.example/team"
	// Keys are named by the page of the prefix, too.
	s.Page("/team", site.Meta{Name: site.MetaPubkeys, Content: "images.example/team https://images.example" + at.Keys})
	runs := func(t *testing.T, flags ...string) {
		t.Helper()
		if got := p.with("").accepted(t, append(flags, image...)...); got != "hello" {
			t.Errorf("the app says %q", got)
		}
	}

	p.refused(t, "signed by key "+key+", which is not trusted", "raket trust --prefix=", image...)
	t.Run("nobody is there to review the fingerprint", func(t *testing.T) {
		r := p.raket(t, "trust", trust)
		if r.Code != 254 || !inOrder(r.Stderr, "\nraket: key…nobody can be asked…no terminal\nhint: compare the fingerprint, then: raket trust --skip-fingerprint-review\n") {
			t.Errorf("%+v", r)
		}
		p.refused(t, "which is not trusted", "raket trust --prefix=", image...)
	})
	t.Run("by discovery, without a review", func(t *testing.T) {
		r := p.raket(t, "trust", trust, "--skip-fingerprint-review")
		if r.Code != 0 || !inOrder(r.Stderr, `prefix: "images.example/team"…fingerprint is: `+key[:4]+" "+key[4:8]+`…Added key for prefix "images.example/team" at "/etc/raket/trustedkeys/prefix.d/images.example/team/`+strings.ToLower(key)) {
			t.Errorf("%+v", r)
		}
		runs(t)
	})
	t.Run("what is trusted is listed", func(t *testing.T) {
		if got := p.must(t, "trust", "--list"); !inOrder(got, "PREFIX…STATE\n…images.example/team…"+key+"…local…trusted") {
			t.Errorf("listed is %q", got)
		}
		if got := p.must(t, "image", "list", "--no-legend", "--fields=name,signature"); !inOrder(got, "images.example/team/hello…"+key[len(key)-16:]) {
			t.Errorf("listed is %q", got)
		}
	})
	t.Run("not for images beside the prefix", func(t *testing.T) {
		publish(t, s, "images.example/teams", "echo no", signer)
		p.refused(t, "key "+key+` is not trusted for "images.example/teams", but for images.example/team`, "raket trust --prefix=images.example/teams", oneApp("images.example/teams:1.0.0")...)
	})
	t.Run("an image in the store, when the key is removed", func(t *testing.T) {
		if r := p.raket(t, "trust", "--remove", trust, key); r.Code != 0 || !strings.Contains(r.Stderr, "Removed key "+key) {
			t.Errorf("%+v", r)
		}
		p.refused(t, key+"…not trusted", "raket trust --prefix=", image...)
		p.refused(t, key+"…not trusted", "raket trust --prefix=", append(image, "--pull-policy=never")...)
		p.refused(t, key+"…not trusted", "raket trust --prefix=", oneApp("sha512-"+p.appcID(t, "images.example/team/hello"))...)
		if got := p.must(t, "trust", "--list"); strings.Contains(got, key) {
			t.Errorf("listed is %q", got)
		}
	})
	t.Run("a fingerprint that is not trusted can't be removed", func(t *testing.T) {
		p.refused(t, key, "raket trust --list", "trust", "--remove", trust, key)
	})
	t.Run("by a file", func(t *testing.T) {
		p.must(t, "trust", trust, "--skip-fingerprint-review", "/srv/functional/"+plain("TestImagesOfASiteRunOnceItsKeyIsTrusted")+".asc")
		runs(t)
		p.must(t, "trust", "--remove", trust, key)
	})
	t.Run("on the site's word", func(t *testing.T) {
		p.collect(t)
		p.must(t, "image", "rm", "--all-names", "images.example/team/hello")
		p.refused(t, "which is not trusted", "raket trust --prefix=", image...)
		runs(t, "--trust-keys-from-https")
		runs(t)
	})
}

// appcID is the image ID of a name, without sha512-.
func (p *pods) appcID(t *testing.T, name string) string {
	t.Helper()
	for line := range strings.Lines(p.must(t, "image", "list", "--no-legend", "--full", "--fields=id,name")) {
		if id, named, _ := strings.Cut(strings.TrimSpace(line), "\t"); strings.Contains(named, name) {
			return strings.TrimPrefix(id, "sha512-")
		}
	}
	t.Fatalf("no image %s is listed", name)
	return ""
}

func TestSignaturesOfASite(t *testing.T) {
	p := newPods(t)
	ca := p.newAuthority(t)
	s := p.newSite(t, ca, "images.example")
	signer, pubkey := p.newSigner(t)
	p.trust(t, pubkey)

	t.Run("one that is ready when the image has been sent", func(t *testing.T) {
		at := publish(t, s, "images.example/deferred", "echo deferred", signer)
		change(t, s, at.Signature, func(f *site.File) { f.NotYet = 1 })
		if got := p.must(t, oneApp("images.example/deferred:1.0.0")...); got != "deferred" {
			t.Errorf("the app says %q", got)
		}
	})
	t.Run("one that is not ready even then", func(t *testing.T) {
		at := publish(t, s, "images.example/late", "echo late", signer)
		change(t, s, at.Signature, func(f *site.File) { f.NotYet = 2 })
		change(t, s, at.ACI, func(f *site.File) { f.ETag = `"1"` })
		r := p.raket(t, oneApp("images.example/late:1.0.0")...)
		expectRefusal(t, r.Code, r.Stderr, "does not have the signature")
		s.Reset()
		// The image is not sent again for it.
		if got := p.must(t, oneApp("images.example/late:1.0.0")...); got != "late" {
			t.Errorf("the app says %q", got)
		}
		for _, asked := range s.Requests() {
			if strings.HasSuffix(asked.URL, ".aci") && asked.Bytes > 1<<10 {
				t.Errorf("the image was sent again: %+v", asked)
			}
		}
	})
	t.Run("one of a key that is not trusted", func(t *testing.T) {
		stranger := anotherSigner(t)
		publish(t, s, "images.example/stranger", "echo stranger", stranger)
		p.refused(t, "signed by key "+stranger.Fingerprint()+", which is not trusted", "raket trust", oneApp("images.example/stranger:1.0.0")...)
	})
	t.Run("one of another image", func(t *testing.T) {
		at, other := publish(t, s, "images.example/swapped", "echo swapped", signer), publish(t, s, "images.example/other", "echo other", signer)
		change(t, s, at.Signature, func(f *site.File) { f.Redirect = "https://images.example" + other.Signature })
		p.refused(t, "signature by key "+signer.Fingerprint(), "", oneApp("images.example/swapped:1.0.0")...)
	})
	t.Run("none", func(t *testing.T) {
		publish(t, s, "images.example/unsigned", "echo unsigned", nil)
		p.refused(t, `no signature at "https://images.example/images/unsigned`, "--insecure-options=image", oneApp("images.example/unsigned:1.0.0")...)
		if got := p.must(t, append(oneApp("images.example/unsigned:1.0.0"), "--insecure-options=image")...); got != "unsigned" {
			t.Errorf("the app says %q", got)
		}
	})
}

func TestSignaturesOfFiles(t *testing.T) {
	p := newPods(t)
	signer, pubkey := p.newSigner(t)
	p.trust(t, pubkey)
	const dir = "/srv/functional/acis"
	t.Cleanup(func() { p.MustRun(t, "rm -rf "+dir) })
	put := func(name string) (file string) {
		t.Helper()
		p.MustRun(t, "mkdir -p "+dir)
		file = dir + "/" + name + ".aci"
		if err := images.ShellACI("images.example/"+name, "1.0.0", "echo "+name).Write(p.Path(file)); err != nil {
			t.Fatal(err)
		}
		return file
	}
	runs := func(t *testing.T, want string, args ...string) {
		t.Helper()
		if got := p.with("").accepted(t, args...); got != want {
			t.Errorf("the app says %q", got)
		}
	}
	t.Run("beside it", func(t *testing.T) {
		file := put("beside")
		p.sign(t, signer, file)
		runs(t, "beside", oneApp(file)...)
	})
	t.Run("elsewhere", func(t *testing.T) {
		file := put("elsewhere")
		p.sign(t, signer, file)
		p.MustRun(t, "mv "+file+".asc "+dir+"/signature")
		p.refused(t, `no signature at "`+file+`.asc"`, "--signature", "fetch", "--quiet", file)
		id := p.must(t, "fetch", "--quiet", "--signature="+dir+"/signature", file)
		runs(t, "elsewhere", oneApp(id)...)
		runs(t, "elsewhere", append(oneApp(file), "--signature="+dir+"/signature")...)
	})
	t.Run("none", func(t *testing.T) {
		file := put("none")
		p.refused(t, `the image has no signature at "`+file+`.asc"`, "gpg --armor --detach-sign…--signature…--insecure-options=image", "fetch", "--quiet", file)
		id := p.must(t, "fetch", "--quiet", "--insecure-options=image", file)
		runs(t, "none", oneApp(id)...)
		runs(t, "none", oneApp("images.example/none")...)
		if got := p.must(t, "image", "list", "--no-legend", "--fields=name,signature"); !inOrder(got, "images.example/none…override") {
			t.Errorf("listed is %q", got)
		}
		p.refused(t, "no signature", "--insecure-options=image", oneApp(file)...)
	})
	t.Run("of a file that has changed since", func(t *testing.T) {
		file := put("changed")
		p.sign(t, signer, file)
		p.MustRun(t, "printf x >>"+file)
		p.refused(t, "signature by key "+signer.Fingerprint(), "", "fetch", "--quiet", file)
	})
	t.Run("of a key that is not trusted", func(t *testing.T) {
		stranger, file := anotherSigner(t), put("stranger")
		p.sign(t, stranger, file)
		p.refused(t, "signed by key "+stranger.Fingerprint(), "raket trust", "fetch", "--quiet", file)
	})
}
