package credentials

import (
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/raket/raket/stage0/config"
)

const secret = "hunter2"

// auth is an entry's value for a user.
func auth(user string) string {
	return `{"auth": "` + base64.StdEncoding.EncodeToString([]byte(user+":"+secret)) + `"}`
}

// host makes files below a directory, which is also HOME and the place of the
// environment's directories.
func host(t *testing.T, files map[string]string, env ...string) (string, Options) {
	t.Helper()
	root := t.TempDir()
	for name, content := range files {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	vars := map[string]string{"HOME": root}
	for _, pair := range env {
		name, value, _ := strings.Cut(pair, "=")
		vars[name] = strings.ReplaceAll(value, "ROOT", root)
	}
	return root, Options{Getenv: func(name string) string { return vars[name] }}
}

func TestForRegistry(t *testing.T) {
	user := func(name, source string) Credential {
		return Credential{Username: name, Password: secret, Source: source}
	}
	kind := config.Auth{
		Registries: map[string]config.RegistryAuth{"quay.io": {User: "kind", Password: secret, File: "/etc/raket/auth.d/quay.json"}},
		Hosts:      map[string]config.HostAuth{"host.example": {Type: config.BasicAuth, User: "kind", Password: secret}},
	}
	auths := func(pairs ...string) string {
		var list []string
		for i := 0; i < len(pairs); i += 2 {
			list = append(list, fmt.Sprintf("%q: %s", pairs[i], pairs[i+1]))
		}
		return `{"auths": {` + strings.Join(list, ", ") + `}}`
	}
	const manual, docker = ".config/containers/auth.json", ".docker/config.json"
	for name, tt := range map[string]struct {
		files    map[string]string
		env      []string
		authFile string
		asked    string
		want     Credential
	}{
		"nothing anywhere": {asked: "quay.example/a", want: Credential{}},
		"the registry":     {files: map[string]string{manual: auths("a.example", auth("u"))}, asked: "a.example/x/y", want: user("u", manual)},
		"the longest key, of the manual's example": {files: map[string]string{manual: auths("my-registry.local/foo/bar/image", auth("image"), "my-registry.local/foo", auth("foo"), "my-registry.local", auth("all"))}, asked: "my-registry.local/foo/bar/image", want: user("image", manual)},
		"the next longest":                         {files: map[string]string{manual: auths("my-registry.local/foo/bar/image", auth("image"), "my-registry.local/foo", auth("foo"), "my-registry.local", auth("all"))}, asked: "my-registry.local/foo/bar", want: user("foo", manual)},
		"a key ends where a component does":        {files: map[string]string{manual: auths("my-registry.local/foo", auth("foo"), "my-registry.local", auth("all"))}, asked: "my-registry.local/foobar", want: user("all", manual)},
		"a port makes another registry":            {files: map[string]string{manual: auths("a.example", auth("u"))}, asked: "a.example:5000/x", want: Credential{}},
		"Docker's own key":                         {files: map[string]string{docker: auths("https://index.docker.io/v1/", auth("u"))}, asked: "docker.io/library/nginx", want: user("u", docker)},
		"podman's key before Docker's":             {files: map[string]string{docker: auths("https://index.docker.io/v1/", auth("v1"), "docker.io", auth("u"))}, asked: "docker.io/library/nginx", want: user("u", docker)},
		"a path of Docker's registry":              {files: map[string]string{manual: auths("docker.io/team", auth("team"), "docker.io", auth("u"))}, asked: "index.docker.io/team/x", want: user("team", manual)},
		"a URL":                                    {files: map[string]string{docker: auths("https://A.example/v2/", auth("u"))}, asked: "a.example/x", want: user("u", docker)},
		"containers' file before Docker's":         {files: map[string]string{manual: auths("a.example", auth("u")), docker: auths("a.example/x", auth("d"))}, asked: "a.example/x", want: user("u", manual)},
		"the runtime directory first":              {files: map[string]string{"run/containers/auth.json": auths("a.example", auth("run")), manual: auths("a.example", auth("u"))}, env: []string{"XDG_RUNTIME_DIR=ROOT/run"}, asked: "a.example/x", want: user("run", "run/containers/auth.json")},
		"directories of the environment":           {files: map[string]string{"c/containers/auth.json": auths("b.example", auth("c")), "d/config.json": auths("a.example", auth("d"))}, env: []string{"XDG_CONFIG_HOME=ROOT/c", "DOCKER_CONFIG=ROOT/d"}, asked: "a.example/x", want: user("d", "d/config.json")},
		"Docker's oldest file":                     {files: map[string]string{".dockercfg": `{"https://a.example/v1/": ` + auth("old") + `}`}, asked: "a.example/x", want: user("old", ".dockercfg")},
		"kind dockerAuth before files":             {files: map[string]string{manual: auths("quay.io", auth("u"))}, asked: "quay.io/x", want: user("kind", "/etc/raket/auth.d/quay.json")},
		"an explicit file before all":              {files: map[string]string{"mine": auths("quay.io", auth("mine"))}, authFile: "mine", asked: "quay.io/x", want: user("mine", "mine")},
		"of the environment too":                   {files: map[string]string{"mine": auths("quay.io", auth("mine"))}, env: []string{"REGISTRY_AUTH_FILE=ROOT/mine"}, asked: "quay.io/x", want: user("mine", "mine")},
		"and then no other file":                   {files: map[string]string{"mine": auths("b.example", auth("mine")), manual: auths("a.example", auth("u"))}, authFile: "mine", asked: "a.example/x", want: Credential{}},
		"but kind dockerAuth":                      {files: map[string]string{"mine": ""}, authFile: "mine", asked: "quay.io/x", want: user("kind", "/etc/raket/auth.d/quay.json")},
		"kind auth is not for registries":          {asked: "host.example/x", want: Credential{}},
		"an entry that says nothing":               {files: map[string]string{manual: auths("a.example/x", "{}", "a.example", auth("u")), docker: auths("a.example", auth("d"))}, asked: "a.example/x", want: user("d", docker)},
		"user and password as they are":            {files: map[string]string{docker: auths("a.example", `{"username": "u", "password": "hunter2"}`)}, asked: "a.example/x", want: user("u", docker)},
		"a password with a colon":                  {files: map[string]string{docker: auths("a.example", `{"auth": "dTphOmI="}`)}, asked: "a.example/x", want: Credential{Username: "u", Password: "a:b", Source: docker}},
		"an identity token":                        {files: map[string]string{docker: auths("a.example", `{"auth": "dTo=", "identitytoken": "hunter2"}`)}, asked: "a.example/x", want: Credential{Username: "u", IdentityToken: secret, Source: docker}},
		"a registry token":                         {files: map[string]string{docker: auths("a.example", `{"registrytoken": "hunter2"}`)}, asked: "a.example/x", want: Credential{RegistryToken: secret, Source: docker}},
		"what else Docker keeps there":             {files: map[string]string{docker: `{"HttpHeaders": {"User-Agent": "x"}, "psFormat": "", "auths": {"a.example": ` + auth("u") + `}, "currentContext": "y"}`}, asked: "a.example", want: user("u", docker)},
		"no credentials in a file":                 {files: map[string]string{docker: `{}`}, asked: "a.example", want: Credential{}},
		"a home that is no directory":              {env: []string{"HOME=/dev/null"}, asked: "a.example", want: Credential{}},
		"a relative directory is not searched":     {files: map[string]string{"x/config.json": "?"}, env: []string{"DOCKER_CONFIG=x"}, asked: "a.example", want: Credential{}},
	} {
		t.Run(name, func(t *testing.T) {
			root, o := host(t, tt.files, tt.env...)
			o.Config = kind
			if tt.authFile != "" {
				o.AuthFile = filepath.Join(root, tt.authFile)
			}
			registry, repository, _ := strings.Cut(tt.asked, "/")
			f := New(o)
			for range 2 { // the second answer is a kept one
				got, err := f.ForRegistry(t.Context(), registry, repository)
				if err != nil {
					t.Fatal(err)
				}
				got.Source = strings.TrimPrefix(got.Source, root+"/")
				if diff := cmp.Diff(tt.want, got); diff != "" {
					t.Errorf("credential (-want +got):\n%s", diff)
				}
			}
		})
	}
}

func TestForRegistryRefuses(t *testing.T) {
	for name, tt := range map[string]struct{ content, want string }{
		"what is not JSON":            {`{"auths": {"a.example": {"auth": "hunter2"`, "not JSON: broken at byte 42"},
		"a list":                      {`["hunter2"]`, `key "": want no array there`},
		"a number":                    {`{"auths": {"a.example": {"auth": 12345}}}`, `key "auths.auth": want no number there`},
		"what is not base64":          {`{"auths": {"a.example": {"auth": "hunter2?"}}}`, `credentials for "a.example": key "auth": not base64`},
		"no user":                     {`{"auths": {"a.example": {"auth": "aHVudGVyMg=="}}}`, `credentials for "a.example": key "auth": no colon between user and password`},
		"a header smuggled in":        {`{"auths": {"a.example": {"registrytoken": "hunter2\r\nX: y"}}}`, `credentials for "a.example": they have a control character`},
		"a user with a colon":         {`{"auths": {"a.example": {"username": "a:b", "password": "hunter2"}}}`, `credentials for "a.example": the user has a colon`},
		"a helper that is a path":     {`{"credHelpers": {"a.example": "../../tmp/x"}}`, `"../../tmp/x" is not a credential helper's name`},
		"a helper that is an option":  {`{"credsStore": "-x"}`, `"-x" is not a credential helper's name`},
		"a helper that is not there":  {`{"credsStore": "nobody-has-it"}`, `ask docker-credential-nobody-has-it for "a.example": executable file not found in $PATH`},
		"a file that is far too long": {strings.Repeat(" ", maxFileBytes+1), "is larger than 4 MiB"},
	} {
		t.Run(name, func(t *testing.T) {
			root, o := host(t, map[string]string{".docker/config.json": tt.content})
			_, err := New(o).ForRegistry(t.Context(), "a.example", "x")
			want := `credentials for "a.example": ` + root + "/.docker/config.json: " + tt.want
			if err == nil || err.Error() != want {
				t.Fatalf("got %v, want %s", err, want)
			}
			if strings.Contains(err.Error(), secret) {
				t.Errorf("%q tells the secret", err)
			}
			var hinted interface{ Hint() string }
			if errors.As(err, &hinted) && hinted.Hint() == "" {
				t.Error("an empty hint")
			}
		})
	}
	_, o := host(t, nil)
	o.AuthFile = "/nonexistent/auth.json"
	if _, err := New(o).ForRegistry(t.Context(), "a.example", ""); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("an explicit file that is not there: %v", err)
	}
}

func TestASkopeoLoginIsRead(t *testing.T) {
	skopeo, err := exec.LookPath("skopeo")
	if err != nil {
		t.Skip("missing skopeo (make deps installs it)")
	}
	server := newRegistry(t)
	file := filepath.Join(t.TempDir(), "auth.json")
	for _, login := range []struct{ key, user string }{{"", "all"}, {"/team", "team"}, {"/team/web/front", "front"}} {
		cmd := exec.CommandContext(t.Context(), skopeo, "login", "--tls-verify=false", "--authfile", file, "-u", login.user, "-p", secret, server.addr+login.key)
		if said, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("skopeo login: %v: %s", err, said)
		}
	}
	f := New(Options{AuthFile: file, Getenv: func(string) string { return "" }})
	for _, repository := range []string{"team/web/front", "team/web", "team/web/front/x", "team", "teams", "x/team", "x"} {
		t.Run(repository, func(t *testing.T) {
			got, err := f.ForRegistry(t.Context(), server.addr, repository)
			if err != nil {
				t.Fatal(err)
			}
			server.user = ""
			cmd := exec.CommandContext(t.Context(), skopeo, "inspect", "--raw", "--tls-verify=false", "--authfile", file, "docker://"+server.addr+"/"+repository+":1")
			said, _ := cmd.CombinedOutput() // the image is nowhere
			if got.Username == "" || got.Username != server.user || got.Password != secret {
				t.Errorf("we show %q, skopeo %q: %s", got.Username, server.user, said)
			}
		})
	}
}
