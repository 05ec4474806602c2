package image_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/raket/raket/pkg/image"
)

func TestParse(t *testing.T) {
	hex := strings.Repeat("0123456789abcdef", 4)
	for _, tc := range []struct {
		in   string
		want image.Ref
		str  string // of String, where it is not in
	}{
		{"docker://busybox", image.Ref{Transport: image.Docker, Registry: "docker.io", Repository: "library/busybox", Tag: "latest"}, "docker://docker.io/library/busybox:latest"},
		{"docker://team/app:1.0", image.Ref{Transport: image.Docker, Registry: "docker.io", Repository: "team/app", Tag: "1.0"}, "docker://docker.io/team/app:1.0"},
		{"docker://index.docker.io/busybox", image.Ref{Transport: image.Docker, Registry: "docker.io", Repository: "library/busybox", Tag: "latest"}, "docker://docker.io/library/busybox:latest"},
		{"docker://localhost/app:1", image.Ref{Transport: image.Docker, Registry: "localhost", Repository: "app", Tag: "1"}, ""},
		{"docker://[::1]:5000/a/b:1", image.Ref{Transport: image.Docker, Registry: "[::1]:5000", Repository: "a/b", Tag: "1"}, ""},
		{"docker://registry.example:5000/a_b/c--d:V_1.0-x", image.Ref{Transport: image.Docker, Registry: "registry.example:5000", Repository: "a_b/c--d", Tag: "V_1.0-x"}, ""},
		{"docker://r.example/app:1@sha256:" + hex, image.Ref{Transport: image.Docker, Registry: "r.example", Repository: "app", Digest: "sha256:" + "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"}, "docker://r.example/app@sha256:" + hex},
		{"oci:/a/b", image.Ref{Transport: image.OCILayout, Path: "/a/b"}, ""},
		{"oci:dir/:tag", image.Ref{Transport: image.OCILayout, Path: "dir", Tag: "tag"}, "oci:dir:tag"},
		{"oci-archive:x y.tar", image.Ref{Transport: image.OCIArchive, Path: "x y.tar"}, ""},
		{"docker-archive:/x.tar:team/app:1", image.Ref{Transport: image.DockerArchive, Path: "/x.tar", Tag: "team/app:1"}, ""},
		{"a.aci", image.Ref{Transport: image.ACIFile, Path: "a.aci"}, "file://a.aci"},
		{"./image", image.Ref{Transport: image.ACIFile, Path: "image"}, "file://image"},
		{"file:///x/../image", image.Ref{Transport: image.ACIFile, Path: "/image"}, "file:///image"},
		{"https://example.com/x.aci", image.Ref{Transport: image.ACIURL, URL: "https://example.com/x.aci"}, ""},
		{"http://[::1]:80/a?b=c%20d", image.Ref{Transport: image.ACIURL, URL: "http://[::1]/a?b=c%20d"}, "http://[::1]/a?b=c%20d"},
		{"https://Example.COM:443/x y.aci", image.Ref{Transport: image.ACIURL, URL: "https://example.com/x%20y.aci"}, "https://example.com/x%20y.aci"},
		{"https://example.com:8443/a%2fb", image.Ref{Transport: image.ACIURL, URL: "https://example.com:8443/a%2fb"}, ""},
		{"sha256:0123", image.Ref{Transport: image.ByID, ID: "sha256:0123"}, ""},
		{"sha512-ab", image.Ref{Transport: image.ByID, ID: "sha512-ab"}, ""},
		{"nginx:1.28", image.Ref{Transport: image.ByName, Name: "nginx:1.28"}, ""},
		{"example.com/reloader", image.Ref{Transport: image.ByName, Name: "example.com/reloader"}, ""},
	} {
		t.Run(tc.in, func(t *testing.T) {
			got, err := image.Parse(tc.in)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			want := tc.str
			if want == "" {
				want = tc.in
			}
			if got.String() != want {
				t.Errorf("String is %q, want %q", got, want)
			}
		})
	}
}

func TestParseRefuses(t *testing.T) {
	for in, want := range map[string]string{
		"":                                  "empty",
		"docker:x":                          "must begin with docker://",
		"docker://":                         "bad repository name",
		"docker://Upper/case":               "bad repository name",
		"docker://a//b":                     "bad repository name",
		"docker://a/b/":                     "bad repository name",
		"docker://a___b":                    "bad repository name",
		"docker://x:":                       "bad tag",
		"docker://x:-1":                     "bad tag",
		"docker://x@sha256:12":              "not a sha256 digest",
		"docker://x@md5:12":                 "not a sha256 digest",
		"docker://ho_st.x/a":                "bad registry host",
		"docker://host:port/a":              "bad registry host",
		"docker://-h.example/a":             "bad registry host",
		"docker://[::1/a":                   "bad registry host",
		"oci:":                              "needs a path",
		"oci-archive::tag":                  "needs a path",
		"sha256:":                           "at least 2",
		"sha512-XY":                         "hex digit",
		"sha256:" + strings.Repeat("a", 65): "more than 64",
		"https://example.com":               "names no file",
		"https:///x.aci":                    "names no host",
		"https:x.aci":                       "names no host",
		"https://user:pw@example.com/x.aci": "credentials",
		"https://example.com/x.aci#f":       "fragment",
		"https://ex_ample.com/x.aci":        "bad host",
		"https://example.com/%zz":           "bad URL",
		"ftp://example.com/x":               "unknown image transport",
		"two words":                         "space",
		"new\nline":                         "control character",
		strings.Repeat("x", 5000):           "longer than",
	} {
		if _, err := image.Parse(in); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Parse(%.40q): error %v, want one that says %q", in, err, want)
		}
	}
}

func TestAbs(t *testing.T) {
	for in, want := range map[string]string{"oci:d:t": "oci:/wd/d:t", "/x.aci": "file:///x.aci", "name": "name"} {
		ref, err := image.Parse(in)
		if err != nil {
			t.Fatal(err)
		}
		if got := ref.Abs("/wd").String(); got != want {
			t.Errorf("%q is %q, want %q", in, got, want)
		}
	}
}

// FuzzParse: what parses, prints to what parses to the same; and is one line.
func FuzzParse(f *testing.F) {
	for _, s := range []string{"docker://a.b:1/c/d:e", "docker://x@sha256:" + strings.Repeat("a", 64), "oci:d:t", "docker-archive:f:n:t", "x.aci", "file://y", "sha512-ab", "n:t", "https://A.b:443/c%2fd e?f"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		ref, err := image.Parse(s)
		if err != nil {
			if ref != (image.Ref{}) {
				t.Errorf("an error came with %+v", ref)
			}
			return
		}
		again, err := image.Parse(ref.String())
		if err != nil {
			t.Fatalf("%q prints as %q: %v", s, ref, err)
		}
		if diff := cmp.Diff(ref, again); diff != "" {
			t.Errorf("%q prints as %q (-first +again):\n%s", s, ref, diff)
		}
	})
}
