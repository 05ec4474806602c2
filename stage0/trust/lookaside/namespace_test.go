package lookaside

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/go-digest"

	"github.com/raket/raket/pkg/image"
)

const sum = "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

func parseRef(t testing.TB, s string) image.Ref {
	t.Helper()
	ref, err := image.Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return ref
}

func TestNamespaces(t *testing.T) {
	for in, want := range map[string]string{
		"docker://busybox":              "docker.io/library/busybox:latest docker.io/library/busybox docker.io/library docker.io *.io",
		"docker://a.B.example:5/t/x:V1": "a.b.example:5/t/x:V1 a.b.example:5/t/x a.b.example:5/t a.b.example:5 *.b.example *.example",
		"docker://localhost/x@" + sum:   "localhost/x@" + sum + " localhost/x localhost",
		"docker://[::1]:5000/x:1":       "[::1]:5000/x:1 [::1]:5000/x [::1]:5000",
		"oci:/a:b":                      "",
		"nginx":                         "",
	} {
		if diff := cmp.Diff(want, strings.Join(Namespaces(parseRef(t, in)), " ")); diff != "" {
			t.Errorf("%s (-want +got):\n%s", in, diff)
		}
	}
}

func TestParseNamespace(t *testing.T) {
	for in, want := range map[string]string{
		"docker.io":                    "docker.io",
		"docker.io/openshift":          "docker.io/openshift",
		"docker.io/library/busybox:1":  "docker.io/library/busybox:1",
		"Registry.Example:5000/team/x": "registry.example:5000/team/x",
		"localhost":                    "localhost",
		"localhost/a@" + sum:           "localhost/a@" + sum,
		"*.Example.com":                "*.example.com",
		"[::1]:5000/x":                 "[::1]:5000/x",
	} {
		if got, err := ParseNamespace(in); got != want || err != nil {
			t.Errorf("%s: got %q, %v, want %q", in, got, err, want)
		}
	}
	for in, want := range map[string]string{
		"":                          "fits no image",
		"docker://docker.io":        "fits no image",
		"busybox:latest":            "bad registry host",
		"r.example/":                "bad repository name",
		"r.example//x":              "bad repository name",
		"r.example/Team":            "bad repository name",
		"r.example/*":               "bad repository name",
		"exam*.example.com":         "bad registry host",
		"*.*.example.com":           "a wildcard stands for the hosts of a domain",
		"*.example.com/team":        "a wildcard stands for the hosts of a domain",
		"*.example.com:5000":        "a wildcard stands for the hosts of a domain",
		"*.":                        "a wildcard stands for the hosts of a domain",
		"docker.io/busybox:1":       "write library/busybox for busybox",
		"index.docker.io/library/x": "write docker.io for index.docker.io",
		"r.example/a:1@" + sum:      "a tag and a digest",
		"r.example/a@sha256:12":     "not a sha256 digest",
		"r.example/\x1b":            `"r.example/\x1b" fits no image`,
	} {
		if got, err := ParseNamespace(in); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %q, %v, want %q", in, got, err, want)
		}
	}
}

// FuzzParseNamespace: each scope that is taken is among those of some image, and
// stays as it is when it is read again.
func FuzzParseNamespace(f *testing.F) {
	for _, s := range []string{"docker.io", "r.example/a:1", "*.example", "localhost/a/b", "[::1]:1/x", "a:1/x@" + sum} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		scope, err := ParseNamespace(s)
		if err != nil {
			return
		}
		if again, err := ParseNamespace(scope); again != scope || err != nil {
			t.Fatalf("%q becomes %q, then %q, %v", s, scope, again, err)
		}
		host, path, _ := strings.Cut(scope, "/")
		if domain, ok := strings.CutPrefix(host, "*."); ok {
			host = "x." + domain
		}
		var refs []image.Ref
		name, tag, _ := strings.Cut(path, ":")
		if repository, d, ok := strings.Cut(path, "@"); ok {
			refs = append(refs, image.Ref{Transport: image.Docker, Registry: host, Repository: repository, Digest: digest.Digest(d)})
		}
		refs = append(refs, image.Ref{Transport: image.Docker, Registry: host, Repository: name, Tag: tag},
			image.Ref{Transport: image.Docker, Registry: host, Repository: path + "/x", Tag: "x"})
		if !slices.ContainsFunc(refs, func(r image.Ref) bool { return slices.Contains(Namespaces(r), scope) }) {
			t.Errorf("no image is in %q", scope)
		}
	})
}
