package functional

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/raket/raket/tests/authority"
	"github.com/raket/raket/tests/images"
	"github.com/raket/raket/tests/registry"
	"github.com/raket/raket/tests/site"
	"github.com/raket/raket/tests/testhost"
)

// newAuthority makes a certificate authority that programs on the host trust until t ends.
func (p *pods) newAuthority(t *testing.T) *authority.Authority {
	t.Helper()
	a, err := authority.New()
	if err != nil {
		t.Fatal(err)
	}
	// Go reads every file of this directory; curl takes it by --cacert.
	p.WriteFile(t, p.certificate(t), string(a.PEM()), 0o644)
	t.Cleanup(func() { p.MustRun(t, "rm -f "+p.certificate(t)) })
	return a
}

// certificate is the file of t's authority on the host.
func (p *pods) certificate(t *testing.T) string { return p.certificateOf(t.Name()) }

func (p *pods) certificateOf(test string) string { return "/etc/ssl/certs/" + plain(test) + ".pem" }

// newRegistry runs Debian's registry on the host's loopback until t ends.
func (p *pods) newRegistry(t *testing.T, o registry.Options) *registry.Process {
	t.Helper()
	for _, why := range []string{registry.Missing(), registry.MissingSkopeo()} {
		if why != "" {
			testhost.SkipOrFail(t, why)
		}
	}
	o.NetworkOf = p.Leader()
	r, err := registry.Debian(t.Context(), t.TempDir(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Stop(); err != nil {
			t.Error(err)
		}
	})
	return r
}

// newTokens runs a token server on the host's loopback until t ends.
func (p *pods) newTokens(t *testing.T, o registry.TokenOptions) *registry.TokenServer {
	t.Helper()
	l, err := p.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s, err := registry.ServeTokens(l, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// push has skopeo push an image made here into the registry, and returns its name for raket.
func push(t *testing.T, r *registry.Process, ref string, b images.Builder, login registry.Login) string {
	t.Helper()
	img, err := b.Image()
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "layout")
	if err := img.Layout(dir, images.Tag); err != nil {
		t.Fatal(err)
	}
	if err := r.Push(t.Context(), "oci:"+dir+":"+images.Tag, ref, login); err != nil {
		t.Fatal(err)
	}
	return "docker://" + r.Addr + "/" + ref
}

// newSite serves a discovery site on the host's port 443, under these names, until t ends.
func (p *pods) newSite(t *testing.T, a *authority.Authority, names ...string) *site.Site {
	t.Helper()
	l, err := p.Listen("127.0.0.1:443")
	if err != nil {
		t.Fatal(err)
	}
	s, err := site.Serve(l, site.Options{Authority: a, Names: names})
	if err != nil {
		t.Fatal(err)
	}
	p.MustRun(t, "touch /etc/hosts; cp /etc/hosts /run/hosts; echo 127.0.0.1 localhost "+strings.Join(names, " ")+" >>/etc/hosts")
	t.Cleanup(func() {
		s.Close()
		p.MustRun(t, "mv /run/hosts /etc/hosts")
	})
	return s
}

// newSigner makes a key to sign images with. Its public key is on the host, at the path.
func (p *pods) newSigner(t *testing.T) (s *images.Signer, pubkey string) {
	t.Helper()
	if why := images.MissingGPG(); why != "" {
		testhost.SkipOrFail(t, why)
	}
	s, err := images.NewSigner(t.Context(), "raket tests <"+plain(t.Name())+"@raket.invalid>")
	if err != nil {
		t.Fatal(err)
	}
	pubkey = "/srv/functional/" + plain(t.Name()) + ".asc"
	p.WriteFile(t, pubkey, string(s.PublicKey()), 0o644)
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		p.MustRun(t, "rm -f "+pubkey)
	})
	return s, pubkey
}

// sign signs a file of the host, beside it.
func (p *pods) sign(t *testing.T, s *images.Signer, file string) {
	t.Helper()
	if err := s.Sign(t.Context(), p.Path(file)); err != nil {
		t.Fatal(err)
	}
}

// trust has raket on the host trust a key for all images until t ends.
func (p *pods) trust(t *testing.T, pubkey string) {
	t.Helper()
	const root = "/etc/raket/trustedkeys/root.d"
	before := p.MustRun(t, "ls "+root+" 2>/dev/null || true")
	p.must(t, "trust", "--root", "--skip-fingerprint-review", pubkey)
	t.Cleanup(func() {
		p.MustRun(t, "cd "+root+" || exit 0; for f in *; do case '"+strings.ReplaceAll(before, "\n", " ")+"' in *$f*) ;; *) rm -f $f ;; esac; done; rmdir -p --ignore-fail-on-non-empty "+root)
	})
}

// newACI makes an ACI of busybox that runs a script, on this machine, and its signature if
// there is a signer. For the host's own files there is sign.
func newACI(t *testing.T, name, script string, s *images.Signer) (file string) {
	t.Helper()
	file = filepath.Join(t.TempDir(), "image.aci")
	if err := images.ShellACI(name, "1.0.0", script).Write(file); err != nil {
		t.Fatal(err)
	}
	if s != nil {
		if err := s.Sign(t.Context(), file); err != nil {
			t.Fatal(err)
		}
	}
	return file
}

// caller is raket with variables in its environment.
type caller struct {
	*pods
	env string // as a shell has them: "A=b C=d"
}

// with sets variables for a command.
func (p *pods) with(env string) caller { return caller{p, env} }

// raket runs a raket command.
func (c caller) raket(t *testing.T, args ...string) testhost.Result {
	t.Helper()
	return c.Run(t, c.env+" "+c.cmd()+" "+quote(args...)+"; exit $?")
}

// accepted runs a raket command that has to succeed, and returns what it printed.
func (c caller) accepted(t *testing.T, args ...string) string {
	t.Helper()
	r := c.raket(t, args...)
	if r.Code != 0 {
		t.Errorf("%s raket %v ended with %d: %s", c.env, args, r.Code, r.Stderr)
	}
	return strings.TrimSuffix(r.Stdout, "\n")
}

// refused runs a raket command that has to fail with 254, in one line that has these words,
// and a hint that has those; parts of either that "…" stands between come in that order.
// Nothing in the data directory may have changed.
func (c caller) refused(t *testing.T, says, hint string, args ...string) {
	t.Helper()
	r := c.Run(t, fmt.Sprintf("contents() { %s }\nbefore=$(contents); %s %s %s; code=$?; after=$(contents); [ \"$before\" = \"$after\" ] || diff -U0 <(echo \"$before\") <(echo \"$after\") | sed 1,3d; exit $code",
		c.contents(), c.env, c.cmd(), quote(args...)))
	told, hinted, _ := strings.Cut(strings.TrimSuffix(r.Stderr, "\n"), "\nhint: ")
	if r.Code != 254 || r.Stdout != "" || !strings.HasPrefix(told, "raket: ") || strings.Contains(told+hinted, "\n") || !inOrder(told, says) {
		t.Errorf("%s raket %v: status %d, stdout, and what changed in the data directory: %q; want 254, nothing, and a line with %q, got\n%s", c.env, args, r.Code, r.Stdout, says, r.Stderr)
	}
	if !inOrder(hinted, hint) || hint == "" && hinted != "" {
		t.Errorf("%s raket %v: want the hint %q, got\n%s", c.env, args, hint, r.Stderr)
	}
}

// refused is that without variables.
func (p *pods) refused(t *testing.T, says, hint string, args ...string) {
	t.Helper()
	p.with("").refused(t, says, hint, args...)
}

// inOrder reports that text has the parts of pattern, which "…" stands between.
func inOrder(text, pattern string) bool {
	for part := range strings.SplitSeq(pattern, "…") {
		_, after, ok := strings.Cut(text, part)
		if !ok {
			return false
		}
		text = after
	}
	return true
}

// contents are commands that list the images, trees, pods and what is half-made of them.
func (p *pods) contents() string {
	return `(cd ` + p.dir + ` && find images/*/ trees pods/*/ -mindepth 1 ! -path '*/.list*' ! -name .ingest ! -name sha256 -printf '%y %s %p\n' | sort -k3; sha256sum images/index.json) 2>/dev/null;`
}

// configure writes files of configuration on the host, which t's end removes.
func (p *pods) configure(t *testing.T, files map[string]string) {
	t.Helper()
	for path, content := range files {
		p.WriteFile(t, path, content, 0o644)
	}
	t.Cleanup(func() {
		for path := range files {
			p.MustRun(t, "rm -f "+quote(path)+"; rmdir -p --ignore-fail-on-non-empty "+quote(filepath.Dir(path)))
		}
	})
}

func TestTheHostHasRegistriesAndASite(t *testing.T) {
	p := newPods(t)
	ca := p.newAuthority(t)
	curl := "curl -sS --cacert " + p.certificate(t) + " -o /dev/null -w '%{http_code}' "
	users := map[string]string{"ann": "secret"}
	withTokens := registry.Options{TLS: true, Authority: ca, Token: p.newTokens(t, registry.TokenOptions{Users: users, Authority: ca})}
	for name, o := range map[string]registry.Options{
		"passwords": {TLS: true, Authority: ca, Users: users}, "tokens": withTokens,
	} {
		t.Run(name, func(t *testing.T) {
			r := p.newRegistry(t, o)
			push(t, r, "team/hello:1", images.New().Layer(images.File("hello", "x", 0o644)), registry.Login{User: "ann", Password: "secret"})
			if got := p.MustRun(t, curl+r.URL()+"/v2/"); got != "401" {
				t.Errorf("the host gets %s", got)
			}
		})
	}
	signer, pubkey := p.newSigner(t)
	s := p.newSite(t, ca, "images.example")
	aci := newACI(t, "images.example/hello", "echo hi", signer)
	at, err := s.Publish(site.Image{Name: "images.example/hello", Version: "1.0.0", ACI: aci, Signature: aci + ".asc", Keys: signer.PublicKey()})
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{at.Page + "?ac-discovery=1", at.ACI, at.Signature, at.Keys} {
		if got := p.MustRun(t, curl+"'https://images.example"+path+"'"); got != "200" {
			t.Errorf("the host gets %s for %s", got, path)
		}
	}
	if got := s.Requests(); len(got) != 4 || got[0].Status != http.StatusOK || got[0].URL != "images.example/hello?ac-discovery=1" {
		t.Errorf("the site was asked %+v", got)
	}
	p.MustRun(t, "cp "+pubkey+" /srv/functional/signed")
	p.sign(t, signer, "/srv/functional/signed")
	if _, err := os.Stat(p.Path("/srv/functional/signed.asc")); err != nil {
		t.Error(err)
	}
	p.MustRun(t, "rm /srv/functional/signed*")
	p.trust(t, pubkey)
	if !p.exists(t, "/etc/raket/trustedkeys/root.d/"+strings.ToLower(signer.Fingerprint())) {
		t.Error("the key is not trusted")
	}
}
