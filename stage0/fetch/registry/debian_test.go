package registry

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/go-digest"

	"github.com/raket/raket/pkg/image"
	"github.com/raket/raket/stage0/credentials"
	"github.com/raket/raket/tests/authority"
	"github.com/raket/raket/tests/images"
	debian "github.com/raket/raket/tests/registry"
	"github.com/raket/raket/tests/testhost"
)

// real is Debian's docker-registry, with an image of two layers that skopeo has
// pushed as app:1.
type real struct {
	*debian.Process
	certs []string
	login debian.Login
	dir   string
}

func newReal(t *testing.T, o debian.Options, login debian.Login) *real {
	t.Helper()
	for _, why := range []string{debian.Missing(), debian.MissingSkopeo()} {
		if why != "" {
			testhost.SkipOrFail(t, why)
		}
	}
	dir := t.TempDir()
	p, err := debian.Debian(t.Context(), dir, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Stop(); err != nil {
			t.Error(err)
		}
	})
	img, err := images.New().Layer(images.File("a", string(noise(3<<20)), 0o644)).Layer(images.File("b", "b", 0o644)).Image()
	if err != nil {
		t.Fatal(err)
	}
	layout := filepath.Join(t.TempDir(), "layout")
	if err := img.Layout(layout, "1"); err != nil {
		t.Fatal(err)
	}
	if err := p.Push(t.Context(), "oci:"+layout+":1", "app:1", login); err != nil {
		t.Fatal(err)
	}
	r := &real{Process: p, login: login, dir: dir, certs: []string{t.TempDir()}}
	if p.Authority != nil {
		write(t, filepath.Join(r.certs[0], p.Addr, "ca.crt"), p.Authority.PEM())
	}
	return r
}

// inspected is what skopeo finds there.
func (r *real) inspected(t *testing.T) (d digest.Digest, layers []string) {
	t.Helper()
	args := []string{"inspect", "--no-tags"}
	if r.Authority != nil {
		args = append(args, "--cert-dir", filepath.Join(r.certs[0], r.Addr))
	} else {
		args = append(args, "--tls-verify=false")
	}
	if r.login.User != "" {
		args = append(args, "--creds", r.login.User+":"+r.login.Password)
	}
	cmd := exec.CommandContext(t.Context(), "skopeo", append(args, "docker://"+r.Addr+"/app:1")...)
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("skopeo inspect: %v: %s", err, said.Bytes())
	}
	var answer struct {
		Digest digest.Digest
		Layers []string
	}
	if err := json.Unmarshal(out, &answer); err != nil {
		t.Fatal(err)
	}
	return answer.Digest, answer.Layers
}

// fetch reads all of the image and holds it against what skopeo says.
func (r *real) fetch(t *testing.T, opts Options) {
	t.Helper()
	opts.CertDirs = r.certs
	s := open(t, r.Addr, opts)
	raw, err := s.Manifest(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	want, wantLayers := r.inspected(t)
	if got := image.Sum(raw); got != want {
		t.Errorf("the tag is %s, and %s to skopeo", got, want)
	}
	if again, err := s.Manifest(t.Context(), want); err != nil || !bytes.Equal(again, raw) {
		t.Errorf("by digest it is %d bytes, %v", len(again), err)
	}
	var m struct {
		Config struct{ Digest digest.Digest }
		Layers []struct{ Digest digest.Digest }
	}
	if err := json.Unmarshal(raw, &m); err != nil {
		t.Fatal(err)
	}
	if _, err := s.ReadBlob(t.Context(), m.Config.Digest, image.MaxConfigBytes); err != nil {
		t.Error(err)
	}
	var layers []string
	for _, l := range m.Layers {
		layers = append(layers, l.Digest.String())
		blob, err := s.ReadBlob(t.Context(), l.Digest, 10<<20)
		if err != nil {
			t.Fatal(err)
		}
		part, err := s.BlobFrom(t.Context(), l.Digest, int64(len(blob)/2))
		if err != nil {
			t.Fatal(err)
		}
		half, err := io.ReadAll(part)
		if err != nil || !bytes.Equal(half, blob[len(blob)/2:]) {
			t.Errorf("the second half has %d bytes of %d, %v", len(half), len(blob), err)
		}
		part.Close()
	}
	if diff := cmp.Diff(wantLayers, layers); diff != "" {
		t.Errorf("layers (-skopeo +got):\n%s", diff)
	}
	if raw, err := s.Referrers(t.Context(), want, ""); err != nil || string(raw) != emptyIndex {
		t.Errorf("referrers %s, %v", raw, err)
	}
}

func TestDebianRegistry(t *testing.T) {
	ann := debian.Login{User: "ann", Password: "secret"}
	cred := credentials.Credential{Username: "ann", Password: "secret", Source: "auth.json"}
	users := map[string]string{"ann": "secret"}
	wrong := credentials.Credential{Username: "ann", Password: "other", Source: "auth.json"}

	t.Run("for everyone", func(t *testing.T) {
		newReal(t, debian.Options{}, debian.Login{}).fetch(t, Options{})
	})
	t.Run("with TLS and passwords", func(t *testing.T) {
		r := newReal(t, debian.Options{TLS: true, Users: users}, ann)
		r.fetch(t, Options{Credentials: give(cred)})
		_, err := open(t, r.Addr, Options{CertDirs: r.certs, Credentials: give(wrong)}).Manifest(t.Context(), "")
		checkError(t, err, "it refused the credentials from auth.json: answered 401 Unauthorized, UNAUTHORIZED: authentication required")
		_, err = open(t, r.Addr, Options{Credentials: give(cred)}).Manifest(t.Context(), "")
		checkError(t, err, "unknown authority")
	})
	t.Run("with TLS and tokens", func(t *testing.T) {
		ca, err := authority.New()
		if err != nil {
			t.Fatal(err)
		}
		tokens, err := debian.LocalTokens(debian.TokenOptions{Users: users, Authority: ca})
		if err != nil {
			t.Fatal(err)
		}
		defer tokens.Close()
		r := newReal(t, debian.Options{TLS: true, Authority: ca, Token: tokens}, ann)
		write(t, filepath.Join(r.certs[0], tokens.Addr, "ca.crt"), ca.PEM())
		tokens.Reset()
		r.fetch(t, Options{Credentials: give(cred)})
		var ours int
		for _, asked := range tokens.Requests() {
			if strings.Join(asked.Scopes, " ") == "repository:app:pull" && asked.User == "ann" {
				ours++
			}
		}
		// One of them is skopeo's.
		if ours > 2 {
			t.Errorf("asked for %d tokens: %+v", ours, tokens.Requests())
		}
		r.fetch(t, Options{Credentials: give(credentials.Credential{IdentityToken: tokens.RefreshToken("ann")})})
		_, err = open(t, r.Addr, Options{CertDirs: r.certs, Credentials: give(wrong)}).Manifest(t.Context(), "")
		checkError(t, err, "from its token server "+tokens.Addr+": it refused the credentials from auth.json: answered 401 Unauthorized")
		_, err = open(t, r.Addr, Options{CertDirs: r.certs}).Manifest(t.Context(), "")
		checkError(t, err, "it answered 401 Unauthorized")
	})
	t.Run("behind one that breaks connections", func(t *testing.T) {
		r := newReal(t, debian.Options{}, debian.Login{})
		front, behind := newFake(t, false), r.URL()
		front.on(func(w http.ResponseWriter, req *http.Request, asked int) bool {
			out, err := http.NewRequestWithContext(req.Context(), http.MethodGet, behind+req.URL.Path, nil)
			if err != nil {
				t.Error(err)
				return true
			}
			out.Header = req.Header.Clone()
			resp, err := http.DefaultTransport.RoundTrip(out)
			if err != nil {
				t.Error(err)
				return true
			}
			defer resp.Body.Close()
			for name, values := range resp.Header {
				w.Header()[name] = values
			}
			w.WriteHeader(resp.StatusCode)
			if isBlob(req) && asked < 4 {
				w = &cutWriter{ResponseWriter: w, left: 500 << 10}
			}
			_, _ = io.Copy(w, resp.Body)
			return true
		})
		r.Process = &debian.Process{Addr: front.host}
		r.fetch(t, Options{})
		var resumed int
		for _, asked := range front.headers("If-Range") {
			if asked != "" {
				resumed++
			}
		}
		if resumed == 0 {
			t.Errorf("no blob went on with its ETag: ranges %q", front.headers("Range"))
		}
	})
}
