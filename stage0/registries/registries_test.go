package registries

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/raket/raket/pkg/image"
)

const hex64 = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

// example is that of containers-registries.conf(5), with a mirror for each pull.
const example = `
unqualified-search-registries = ["example.com", "docker.io"]
short-name-mode = "enforcing"

[[registry]]
prefix = "example.com/foo"
insecure = false
blocked = false
location = "internal-registry-for-example.com/bar"

[[registry.mirror]]
location = "example-mirror-0.local/mirror-for-foo"

[[registry.mirror]]
location = "example-mirror-1.local/mirrors/foo"
insecure = true

[[registry]]
location = "registry.com"

[[registry.mirror]]
location = "mirror.registry.com"
pull-from-mirror = "digest-only"

[[registry.mirror]]
location = "tags.registry.com:5000/"
pull-from-mirror = "tag-only"

[[registry]]
prefix = "*.corp.example"
insecure = true

[[registry]]
prefix = "web.corp.example"
blocked = true
location = "web.corp.example"

[[registry]]
prefix = "*.deep.corp.example"
location = "proxy.example/deep"
mirror-by-digest-only = true
mirror = [ {location = "[::1]:5000"}, # in line
]

[[registry]]
prefix = "docker.io/library/busybox:1.36"
location = "docker.io/library/busybox"
blocked = true

[[registry]]
prefix = "index.docker.io"
location = "hub.example:8080"

[[registry]]
prefix = "ported.example:5000"
location = "one.example"

[[registry]]
prefix = "ported.example"
location = "all.example/x"

[[registry]]
prefix = "whole.example/x"
location = "mirror.example"

[[registry]]
prefix = "*.tie.example"
location = "wild.example"

[[registry]]
prefix = "x.tie.example"
location = "exact.example"

[aliases]
"nginx" = "registry.com/library/nginx"
"team/web" = "example.com:5000/team/web"
`

func load(t *testing.T, files map[string]string, order ...string) (*Config, error) {
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
	o := Options{Getenv: func(string) string { return "" }, Files: []string{}}
	for _, dir := range order {
		o.Files = append(o.Files, filepath.Join(root, dir, "registries.conf"))
	}
	return Load(o)
}

func mustLoad(t *testing.T, files map[string]string, order ...string) *Config {
	t.Helper()
	c, err := load(t, files, order...)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func parseRef(t *testing.T, s string) image.Ref {
	t.Helper()
	ref, err := image.Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return ref
}

func TestEndpoints(t *testing.T) {
	c := mustLoad(t, map[string]string{"etc/registries.conf": example}, "etc")
	own := func(host, repo string) Endpoint { return Endpoint{Registry: host, Repository: repo, For: All} }
	mirror := func(host, repo string, pulls PullFrom) Endpoint {
		return Endpoint{Registry: host, Repository: repo, For: pulls, Mirror: true}
	}
	for name, tt := range map[string]struct {
		ref  string
		want []Endpoint
	}{
		"an image of a registry that nothing is said of": {"docker://quay.io/a/b:1", []Endpoint{own("quay.io", "a/b")}},
		"mirrors come first, and what is below the prefix stays": {
			"docker://example.com/foo/image:latest", []Endpoint{
				mirror("example-mirror-0.local", "mirror-for-foo/image", All),
				{Registry: "example-mirror-1.local", Repository: "mirrors/foo/image", For: All, Mirror: true, Insecure: true},
				own("internal-registry-for-example.com", "bar/image"),
			},
		},
		"a prefix may be the whole name": {"docker://example.com/foo", []Endpoint{
			mirror("example-mirror-0.local", "mirror-for-foo", All),
			{Registry: "example-mirror-1.local", Repository: "mirrors/foo", For: All, Mirror: true, Insecure: true},
			own("internal-registry-for-example.com", "bar"),
		}},
		"a prefix ends where a component does": {"docker://example.com/foobar/image", []Endpoint{own("example.com", "foobar/image")}},
		"and not above it":                     {"docker://example.com/bar/foo", []Endpoint{own("example.com", "bar/foo")}},
		"a pull by tag has mirrors of its own": {"docker://registry.com/image", []Endpoint{mirror("tags.registry.com:5000", "image", TagOnly), own("registry.com", "image")}},
		"a pull by digest too": {"docker://registry.com/a/image@sha256:" + hex64, []Endpoint{
			mirror("mirror.registry.com", "a/image", DigestOnly), own("registry.com", "a/image"),
		}},
		"a host is compared without regard to case": {"docker://Registry.COM/image", []Endpoint{mirror("tags.registry.com:5000", "image", TagOnly), own("registry.com", "image")}},
		"a wildcard without a location leaves the name": {"docker://a.b.corp.example:5000/x", []Endpoint{
			{Registry: "a.b.corp.example:5000", Repository: "x", For: All, Insecure: true},
		}},
		"a wildcard does not stand for the domain itself":  {"docker://corp.example/x", []Endpoint{own("corp.example", "x")}},
		"nor for one that only ends alike":                 {"docker://evilcorp.example/x", []Endpoint{own("evilcorp.example", "x")}},
		"nor for one whose path has it":                    {"docker://evil.example/a.corp.example/x", []Endpoint{own("evil.example", "a.corp.example/x")}},
		"the longer wildcard wins, its location is rooted": {"docker://x.deep.corp.example/a", []Endpoint{own("proxy.example", "deep/a")}},
		"mirrors by digest only": {"docker://x.deep.corp.example/a@sha256:" + hex64, []Endpoint{
			mirror("[::1]:5000", "a", DigestOnly), own("proxy.example", "deep/a"),
		}},
		"Docker's registry has one name":             {"docker://nginx", []Endpoint{own("hub.example:8080", "library/nginx")}},
		"of two prefixes the one with the port":      {"docker://ported.example:5000/x", []Endpoint{own("one.example", "x")}},
		"of two as long the one without a wildcard":  {"docker://x.tie.example/a", []Endpoint{own("exact.example", "a")}},
		"a host without one stands for its own port": {"docker://ported.example/x", []Endpoint{own("all.example", "x/x")}},
		"another tag than the blocked one":           {"docker://busybox:1.37", []Endpoint{own("hub.example:8080", "library/busybox")}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := c.Endpoints(parseRef(t, tt.ref))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("endpoints (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAConfigurationThatSaysNothing(t *testing.T) {
	for name, c := range map[string]*Config{"nil": nil, "zero": {}, "no files": mustLoad(t, nil, "none")} {
		t.Run(name, func(t *testing.T) {
			got, err := c.Endpoints(parseRef(t, "docker://nginx"))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff([]Endpoint{{Registry: "docker.io", Repository: "library/nginx", For: All}}, got); diff != "" {
				t.Errorf("endpoints (-want +got):\n%s", diff)
			}
			if _, ok, err := c.Alias("nginx"); ok || err != nil {
				t.Errorf("alias %v, %v", ok, err)
			}
			if len(c.CredentialHelpers()) > 0 || len(c.Paths()) > 0 {
				t.Error("helpers or files")
			}
		})
	}
}

func TestEndpointsRefuses(t *testing.T) {
	c := mustLoad(t, map[string]string{"etc/registries.conf": example}, "etc")
	file := c.Paths()[0]
	for name, tt := range map[string]struct{ ref, want, hint string }{
		"a blocked registry, above a wildcard": {
			"docker://web.corp.example/x:1",
			"image docker://web.corp.example/x:1 is blocked: " + file + `:33 blocks "web.corp.example"`,
			"images below web.corp.example come back with blocked = false in " + file,
		},
		"a blocked tag": {
			"docker://busybox:1.36",
			"image docker://docker.io/library/busybox:1.36 is blocked: " + file + `:45 blocks "docker.io/library/busybox:1.36"`, "",
		},
		"a blocked registry in other letters": {"docker://WEB.corp.example/x:1", "is blocked", ""},
		"a port behind a path": {
			"docker://ported.example:6000/x",
			file + ":58: it puts \"all.example/x:6000/x\" in the place of docker://ported.example:6000/x:latest: bad repository name \"x:6000/x\"", "",
		},
		"a name that becomes a host alone": {
			"docker://whole.example/x",
			file + ":62: it puts \"mirror.example\" in the place of docker://whole.example/x:latest: no repository is left", "",
		},
		"an archive": {"oci:/x", "oci:/x is not in a registry", ""},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := c.Endpoints(parseRef(t, tt.ref))
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("got %v, want %s", err, tt.want)
			}
			if b := (*BlockedError)(nil); tt.hint != "" && (!errors.As(err, &b) || b.Hint() != tt.hint) {
				t.Errorf("hint %q, want %q", b.Hint(), tt.hint)
			}
		})
	}
}

func TestFilesAndDropIns(t *testing.T) {
	table := func(prefix, location string) string {
		return "[[registry]]\nprefix = \"" + prefix + "\"\nlocation = \"" + location + "\"\n"
	}
	for name, tt := range map[string]struct {
		files map[string]string
		want  string
	}{
		"the first file wins, whole":           {map[string]string{"etc/registries.conf": table("a.example", "etc.example"), "usr/registries.conf": table("a.example/x", "usr.example")}, "etc.example/x/y"},
		"the next where there is none":         {map[string]string{"usr/registries.conf": table("a.example/x", "usr.example")}, "usr.example/y"},
		"a drop-in replaces a prefix":          {map[string]string{"etc/registries.conf": table("a.example", "main.example"), "etc/registries.conf.d/b.conf": table("a.example", "b.example")}, "b.example/x/y"},
		"the later name wins":                  {map[string]string{"etc/registries.conf.d/b.conf": table("a.example", "b.example"), "etc/registries.conf.d/c.conf": table("a.example", "c.example")}, "c.example/x/y"},
		"drop-ins above the file count":        {map[string]string{"usr/registries.conf": table("a.example", "usr.example"), "etc/registries.conf.d/b.conf": table("a.example", "b.example")}, "b.example/x/y"},
		"those below it do not":                {map[string]string{"etc/registries.conf": table("b.example", "etc.example"), "usr/registries.conf.d/b.conf": table("a.example", "b.example")}, "a.example/x/y"},
		"without a file all drop-ins count":    {map[string]string{"usr/registries.conf.d/z.conf": table("a.example", "usr.example"), "etc/registries.conf.d/a.conf": table("a.example", "etc.example")}, "etc.example/x/y"},
		"other files and directories are left": {map[string]string{"etc/registries.conf.d/README": "?", "etc/registries.conf.d/d.conf/x.conf": "?"}, "a.example/x/y"},
	} {
		t.Run(name, func(t *testing.T) {
			c := mustLoad(t, tt.files, "etc", "usr")
			got, err := c.Endpoints(parseRef(t, "docker://a.example/x/y"))
			if err != nil {
				t.Fatal(err)
			}
			if last := got[len(got)-1]; last.Registry+"/"+last.Repository != tt.want {
				t.Errorf("got %v, want %s", got, tt.want)
			}
		})
	}
}

func TestDropInsReplaceListsAndAliases(t *testing.T) {
	c := mustLoad(t, map[string]string{
		"etc/registries.conf":          "unqualified-search-registries = [\"a.example\"]\ncredential-helpers = [\"x\"]\n[aliases]\na = \"x.example/a\"\nb = \"x.example/b\"\nc = \"x.example/c\"\n",
		"etc/registries.conf.d/1.conf": "unqualified-search-registries = []\n[aliases]\na = \"\"\nb = \"y.example/b\"\n",
		"etc/registries.conf.d/2.conf": "credential-helpers = [\"containers-auth.json\", \"secretservice\"]\n",
	}, "etc")
	if diff := cmp.Diff([]string{"containers-auth.json", "secretservice"}, c.CredentialHelpers()); diff != "" {
		t.Errorf("helpers (-want +got):\n%s", diff)
	}
	got := make(map[string]string)
	for _, short := range []string{"a", "b:1", "c@sha256:" + hex64} {
		ref, ok, err := c.Alias(short)
		if err != nil {
			t.Fatal(err)
		}
		if ok {
			got[short] = ref.String()
		}
	}
	want := map[string]string{"b:1": "docker://y.example/b:1", "c@sha256:" + hex64: "docker://x.example/c@sha256:" + hex64}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("aliases (-want +got):\n%s", diff)
	}
	if err := c.ShortName("a"); err == nil || err.Error() != `"a" is a short name, which could be anybody's` {
		t.Errorf("with an empty search list: %v", err)
	}
}

func TestTheEnvironmentNamesTheFile(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "mine.conf")
	env := func(string) string { return file }
	want := "read registries: CONTAINERS_REGISTRIES_CONF: " + file + " does not exist"
	if _, err := Load(Options{Getenv: env}); err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	if err := os.WriteFile(file, []byte("[[registry]]\nlocation = \"a.example\"\nblocked = true\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	c, err := Load(Options{Getenv: env, Files: []string{filepath.Join(dir, "other.conf")}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Endpoints(parseRef(t, "docker://a.example/x")); err == nil {
		t.Error("the file was not read")
	}
}

func TestFiles(t *testing.T) {
	want := []string{"/u/registries.conf", "/etc/raket/registries.conf", "/usr/lib/raket/registries.conf", "/etc/containers/registries.conf"}
	if diff := cmp.Diff(want, Files("/usr/lib/raket", "/etc/raket", "/u")); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
}

func TestShortNames(t *testing.T) {
	c := mustLoad(t, map[string]string{"etc/registries.conf": example}, "etc")
	for name, tt := range map[string]struct{ short, alias, refused string }{
		"an alias":                    {"nginx", "docker://registry.com/library/nginx:latest", ""},
		"with a tag":                  {"nginx:1.28", "docker://registry.com/library/nginx:1.28", ""},
		"with a digest":               {"team/web@sha256:" + hex64, "docker://example.com:5000/team/web@sha256:" + hex64, ""},
		"no alias":                    {"httpd:2", "", `"httpd:2" is a short name, which could be anybody's: is it docker://example.com/httpd:2 or docker://docker.io/library/httpd:2?`},
		"no alias, with a path":       {"team/db", "", `"team/db" is a short name, which could be anybody's: is it docker://example.com/team/db:latest or docker://docker.io/team/db:latest?`},
		"a full name":                 {"quay.io/a/b", "", ""},
		"a port":                      {"localhost:5000/b", "", ""},
		"this host":                   {"localhost/b", "", ""},
		"what is no name":             {"a b", "", ""},
		"what has a control":          {"a\x1b[31m", "", ""},
		"what looks like a transport": {"docker://nginx", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			ref, ok, err := c.Alias(tt.short)
			if err != nil || ok != (tt.alias != "") || ref.String() != tt.alias {
				t.Errorf("alias %v, %v, %v, want %q", ref, ok, err, tt.alias)
			}
			if tt.alias != "" {
				return
			}
			switch err := c.ShortName(tt.short); {
			case err == nil && tt.refused != "", err != nil && err.Error() != tt.refused:
				t.Errorf("got %v, want %q", err, tt.refused)
			}
		})
	}
	var e *ShortNameError
	if !errors.As(c.ShortName("httpd"), &e) {
		t.Fatal("another error")
	}
	want := "write the registry too, as docker://example.com/httpd:latest, or give it an alias in the table [aliases] of registries.conf"
	if e.Hint() != want {
		t.Errorf("hint %q, want %q", e.Hint(), want)
	}
}
