package functional

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"github.com/raket/raket/tests/images"
	"github.com/raket/raket/tests/registry"
)

// hello is an image that says hello, and is like no other for what it says besides.
func hello(more string) images.Builder {
	return images.Busybox().Layer(images.File("more", more, 0o644)).Entrypoint("/bin/echo", "hello").Cmd(more)
}

// oneApp is a command line that runs what the image says.
func oneApp(image string) []string {
	return []string{"run", "--quiet", "--net=none", image, "--name=app"}
}

// login is an entry of auth.json or config.json.
func login(registry, password string) string {
	return fmt.Sprintf(`{"auths": {%q: {"auth": %q}}}`, registry, base64.StdEncoding.EncodeToString([]byte("ann:"+password)))
}

func TestAPrivateRegistry(t *testing.T) {
	p := newPods(t)
	ann := registry.Login{User: "ann", Password: "secret"}
	r := p.newRegistry(t, registry.Options{TLS: true, Users: map[string]string{"ann": "secret"}})
	name := push(t, r, "team/hello:1", hello("private"), ann)
	again := []string{"fetch", "--quiet", "--pull-policy=update", name}

	certs := "/etc/containers/certs.d/" + r.Addr
	p.refused(t, r.Addr+"…certificate signed by unknown authority", "put the certificate of its authority into "+certs+"/ca.crt", again...)
	loose := append(again, "--insecure-options=tls")
	p.refused(t, "401 Unauthorized", `skopeo login `+r.Addr, loose...)
	t.Run("any certificate is taken where the configuration says so", func(t *testing.T) {
		p.configure(t, map[string]string{"/etc/raket/registries.conf": "[[registry]]\nlocation = \"" + r.Addr + "\"\ninsecure = true\n"})
		p.refused(t, "401 Unauthorized", "skopeo login "+r.Addr, again...)
	})
	p.configure(t, map[string]string{certs + "/ca.crt": string(r.Authority.PEM())})
	p.refused(t, "fetch "+`"`+name+`"`+"…401 Unauthorized…UNAUTHORIZED", `log in with "skopeo login `+r.Addr+`"`, again...)

	const dir = "/srv/functional/private"
	helper := func(password string) string {
		return fmt.Sprintf("#!/bin/sh\n[ \"$1\" = get ] && [ \"$(cat)\" = %s ] || { echo credentials not found in native keychain; exit 1; }\necho '{\"ServerURL\":\"x\",\"Username\":\"ann\",\"Secret\":\"%s\"}'\n", r.Addr, password)
	}
	loginHere := func(password string) string { return login(r.Addr, password) }
	for name, tt := range map[string]struct {
		env, file string
		content   func(password string) string
		source    string // what an error names; default: the file
	}{
		"a file by variable":          {env: "REGISTRY_AUTH_FILE=" + dir + "/auth.json", file: dir + "/auth.json", content: loginHere},
		"the file that podman writes": {file: "/run/containers/0/auth.json", content: loginHere},
		"the user's file":             {file: "/root/.config/containers/auth.json", content: loginHere},
		"Docker's file":               {file: "/root/.docker/config.json", content: loginHere},
		"Docker's file by variable":   {env: "DOCKER_CONFIG=" + dir, file: dir + "/config.json", content: loginHere},
		"a file for a repository": {file: "/run/containers/0/auth.json", content: func(password string) string {
			return strings.Replace(login(r.Addr+"/team", password), `{"auths": {`, `{"auths": {"`+r.Addr+`": {"auth": "Ym9iOndyb25n"}, `, 1)
		}},
		"the host's configuration": {file: "/etc/raket/auth.d/team.json", content: func(password string) string {
			return fmt.Sprintf(`{"rktKind": "dockerAuth", "rktVersion": "v1", "registries": [%q], "credentials": {"user": "ann", "password": %q}}`, r.Addr, password)
		}},
		"a credential helper": {env: "PATH=" + dir + ":$PATH DOCKER_CONFIG=" + dir, file: dir + "/docker-credential-tests", content: helper, source: "docker-credential-tests"},
	} {
		t.Run(name, func(t *testing.T) {
			p.configure(t, map[string]string{tt.file: tt.content("wrong")})
			if tt.source == "" {
				tt.source = tt.file
			} else {
				p.configure(t, map[string]string{dir + "/config.json": `{"credHelpers": {"` + r.Addr + `": "tests"}}`})
				p.MustRun(t, "chmod 755 "+tt.file)
			}
			p.with(tt.env).refused(t, "refused the credentials from "+tt.source+"…401", "correct them", again...)
			p.WriteFile(t, tt.file, tt.content("secret"), 0o755)
			id := p.with(tt.env).accepted(t, again...)
			if !strings.HasPrefix(id, "sha256:") || strings.Contains(id, "\n") {
				t.Errorf("fetch printed %q", id)
			}
		})
	}
	t.Run("a broken file is named, without what is in it", func(t *testing.T) {
		p.configure(t, map[string]string{"/run/containers/0/auth.json": `{"auths": {"` + r.Addr + `": {"auth": "c2VjcmV0"}}}`})
		p.refused(t, `/run/containers/0/auth.json…no colon between user and password`, "skopeo login…REGISTRY_AUTH_FILE", again...)
	})
	t.Run("a pod runs from it", func(t *testing.T) {
		p.MustRun(t, p.cmd()+" image gc --grace-period=0s")
		p.configure(t, map[string]string{"/run/containers/0/auth.json": loginHere("secret")})
		if got := p.must(t, oneApp(name)...); got != "hello private" {
			t.Errorf("the app says %q", got)
		}
	})
	t.Run("and is there without credentials afterwards", func(t *testing.T) {
		if got := p.must(t, oneApp(name)...); got != "hello private" {
			t.Errorf("the app says %q", got)
		}
		p.refused(t, "401", "skopeo login", again...)
	})
}

func TestARegistryThatWantsTokens(t *testing.T) {
	p := newPods(t)
	ca := p.newAuthority(t)
	tokens := p.newTokens(t, registry.TokenOptions{
		Users: map[string]string{"ann": "secret"}, Authority: ca,
		Allow: func(user, repository, action string) bool {
			return user == "ann" || action == "pull" && strings.HasPrefix(repository, "public/")
		},
	})
	r := p.newRegistry(t, registry.Options{TLS: true, Authority: ca, Token: tokens})
	ann := registry.Login{User: "ann", Password: "secret"}
	public, private := push(t, r, "public/hello:1", hello("public"), ann), push(t, r, "private/hello:1", hello("private"), ann)
	if got := p.must(t, oneApp(public)...); got != "hello public" {
		t.Errorf("the app says %q", got)
	}
	p.refused(t, "401", "skopeo login "+r.Addr, oneApp(private)...)
	p.configure(t, map[string]string{"/run/containers/0/auth.json": login(r.Addr, "wrong")})
	p.refused(t, "refused the credentials from /run/containers/0/auth.json…401", "correct them", oneApp(private)...)
	p.WriteFile(t, "/run/containers/0/auth.json", login(r.Addr, "secret"), 0o600)
	tokens.Reset()
	if got := p.must(t, oneApp(private)...); got != "hello private" {
		t.Errorf("the app says %q", got)
	}
	for _, asked := range tokens.Requests() {
		if len(asked.Scopes) != 1 || asked.Scopes[0] != "repository:private/hello:pull" {
			t.Errorf("more was asked for than a pull: %+v", asked)
		}
	}
	if n := len(tokens.Requests()); n != 1 {
		t.Errorf("%d tokens were asked for, want 1", n)
	}
}

// serve runs a registry of this process on the host's loopback until t ends.
func (p *pods) serve(t *testing.T) *registry.Server {
	t.Helper()
	l, err := p.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := registry.Serve(l)
	t.Cleanup(func() { s.Close() })
	return s
}

// put pushes an image into a registry of this process, and returns its digest.
func (p *pods) put(t *testing.T, s *registry.Server, ref string, b images.Builder) (digest string) {
	t.Helper()
	img, err := b.Image()
	if err != nil {
		t.Fatal(err)
	}
	if err := img.Push(t.Context(), s.Addr+"/"+ref, images.PushOptions{Transport: registry.Client(p.Dial)}); err != nil {
		t.Fatal(err)
	}
	if digest, err = img.Digest(); err != nil {
		t.Fatal(err)
	}
	s.Reset()
	return digest
}

func TestRegistriesAreAskedAsConfigured(t *testing.T) {
	p := newPods(t)
	origin, mirror := p.serve(t), p.serve(t)
	const conf = "/etc/raket/registries.conf"
	text := fmt.Sprintf(`# mirrors
[[registry]]
prefix = "registry.example"
location = "%[1]s"
[[registry.mirror]]
location = "%[2]s/copies"

[[registry]]
location = "registry.example/bad"
blocked = true

[[registry]]
prefix = "vendor.example/a"
location = "%[1]s/team"

[aliases]
"hello" = "registry.example/team/alias"
`, origin.Addr, mirror.Addr)
	p.configure(t, map[string]string{conf: text})
	for _, tag := range []string{"both", "origin", "late"} {
		p.put(t, origin, "team/hello:"+tag, hello(tag))
	}
	p.put(t, origin, "team/alias:1", hello("alias"))
	p.put(t, mirror, "copies/team/hello:both", hello("both"))
	const image = "docker://registry.example/team/hello:"

	t.Run("a mirror comes first, and the origin is not asked", func(t *testing.T) {
		if got := p.must(t, oneApp(image+"both")...); got != "hello both" {
			t.Errorf("the app says %q", got)
		}
		if asked := origin.Requests(); len(asked) > 0 || len(mirror.Requests()) == 0 {
			t.Errorf("the origin was asked %q, the mirror %q", asked, mirror.Requests())
		}
	})
	t.Run("what a mirror lacks comes from the origin", func(t *testing.T) {
		p.must(t, "fetch", "--quiet", image+"origin")
		if len(origin.Requests()) == 0 {
			t.Error("the origin was not asked")
		}
	})
	t.Run("a prefix is rewritten, and the image keeps its name", func(t *testing.T) {
		origin.Reset()
		mirror.Reset()
		p.must(t, "fetch", "--quiet", "docker://vendor.example/a/hello:both")
		for _, asked := range origin.Requests() {
			if !strings.Contains(asked, "/v2/team/hello/") {
				t.Errorf("the origin was asked %q", asked)
			}
		}
		if len(origin.Requests()) == 0 || len(mirror.Requests()) > 0 {
			t.Errorf("the origin was asked %q, the mirror %q", origin.Requests(), mirror.Requests())
		}
		p.must(t, "fetch", "--quiet", "--store-only", "docker://vendor.example/a/hello:both")
	})
	t.Run("a mirror that is down is told of, and passed over", func(t *testing.T) {
		if err := mirror.Close(); err != nil {
			t.Fatal(err)
		}
		r := p.raket(t, "fetch", image+"late")
		if r.Code != 0 || !inOrder(r.Stderr, "warning: …mirror "+mirror.Addr+" failed…connection refused…asking "+origin.Addr) || strings.Count(r.Stderr, "warning:") != 1 {
			t.Errorf("%+v", r)
		}
	})
	t.Run("what is blocked is refused, with the place that says so", func(t *testing.T) {
		origin.Reset()
		p.refused(t, "docker://registry.example/bad/hello:1 is blocked: "+conf+`:8 blocks "registry.example/bad"`, "blocked = false in "+conf,
			"fetch", "docker://registry.example/bad/hello:1")
		if asked := origin.Requests(); len(asked) > 0 {
			t.Errorf("the origin was asked %q", asked)
		}
	})
	t.Run("an alias stands for a whole name", func(t *testing.T) {
		if got := p.must(t, oneApp("hello:1")...); got != "hello alias" {
			t.Errorf("the app says %q", got)
		}
	})
	t.Run("a short name without one is refused", func(t *testing.T) {
		p.refused(t, `"nginx" is a short name…docker://docker.io/library/nginx`, "alias in the table [aliases]", "fetch", "nginx")
	})
	t.Run("what is not known in the file is refused, with its line", func(t *testing.T) {
		p.WriteFile(t, conf, text+"\n[[registry]]\nprefix = \"x.example\"\nblockd = true\n", 0o644)
		p.refused(t, conf+":21: …blockd", "", "fetch", image+"other")
		p.WriteFile(t, conf, text, 0o644)
	})
}
