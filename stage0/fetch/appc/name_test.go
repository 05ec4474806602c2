package appc_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/raket/raket/pkg/image"
	"github.com/raket/raket/stage0/fetch/appc"
)

func TestParseName(t *testing.T) {
	for in, want := range map[string]struct {
		app, str string // str where it is not in
		labels   map[string]string
		found    bool // on the web
	}{
		"example.com/app":                            {app: "example.com/app", labels: map[string]string{}, found: true},
		"example.com/app:v1.0,os=linux,arch=amd64":   {app: "example.com/app", str: "example.com/app:v1.0,arch=amd64,os=linux", labels: map[string]string{"version": "v1.0", "os": "linux", "arch": "amd64"}, found: true},
		"example.com/app,version=v1":                 {app: "example.com/app", str: "example.com/app:v1", labels: map[string]string{"version": "v1"}, found: true},
		"example.com/app:1.0+git%41,channel=a=b&c;d": {app: "example.com/app", labels: map[string]string{"version": "1.0+git%41", "channel": "a=b&c;d"}, found: true},
		"app":              {app: "app", labels: map[string]string{}},
		"local/app.d":      {app: "local/app.d", labels: map[string]string{}},
		"ex_ample.com/app": {app: "ex_ample.com/app", labels: map[string]string{}},
		"a.-b.com/app":     {app: "a.-b.com/app", labels: map[string]string{}},
		"example..com/app": {app: "example..com/app", labels: map[string]string{}},
		"example.com//app": {app: "example.com//app", labels: map[string]string{}},
	} {
		t.Run(in, func(t *testing.T) {
			n, err := appc.ParseName(in)
			if err != nil {
				t.Fatal(err)
			}
			if want.str == "" {
				want.str = in
			}
			if n.App != want.app || n.String() != want.str || n.Discoverable() != want.found {
				t.Errorf("app %q, prints as %q, discoverable %v", n.App, n, n.Discoverable())
			}
			if diff := cmp.Diff(want.labels, n.Labels); diff != "" {
				t.Errorf("labels (-want +got):\n%s", diff)
			}
		})
	}
}

func TestParseNameRefuses(t *testing.T) {
	for _, in := range []string{
		"", "Example.com/app", "example.com/app:", "example.com/app:1:2", "example.com/app,os=linux:1", "example.com/app,os", "example.com/app,os=",
		"example.com/app,name=other", "%6eame=x", "example.com/app,%6eame=evil", "example.com/app,os=a,os=b", "example.com/app:1,version=2",
		"example.com/app,OS=x", "example.com/app,a=b c", "/example.com/app", "example.com/app/", "example.com/a\x1bpp", "example.com/app:\u009b",
		"example.com/app" + strings.Repeat(",a=b", 100), strings.Repeat("a", 5000),
	} {
		if n, err := appc.ParseName(in); err == nil {
			t.Errorf("%.60q is %q", in, n)
		} else if strings.ContainsAny(err.Error(), "\n\x1b\u009b") {
			t.Errorf("%.60q: error is not plain: %q", in, err)
		}
	}
}

func TestNameMatches(t *testing.T) {
	manifest := func(name, labels string) []byte {
		return []byte(`{"acKind":"ImageManifest","name":"` + name + `","labels":[` + labels + `]}`)
	}
	const v1, linux, amd64 = `{"name":"version","value":"1"}`, `{"name":"os","value":"linux"}`, `{"name":"arch","value":"amd64"}`
	for _, tc := range []struct {
		name, asked string
		manifest    []byte
		want        bool
	}{
		{"labels that were not asked for do not matter", "example.com/app", manifest("example.com/app", v1+","+linux+","+amd64), true},
		{"an image for every machine", "example.com/app:1", manifest("example.com/app", v1), true},
		{"asked for the machine, and for every one", "example.com/app,arch=amd64", manifest("example.com/app", v1), false},
		{"another version", "example.com/app:2", manifest("example.com/app", v1), false},
		{"no version", "example.com/app:1", manifest("example.com/app", ""), false},
		{"a name that begins alike", "example.com/app", manifest("example.com/app2", ""), false},
		{"another machine", "example.com/app", manifest("example.com/app", `{"name":"arch","value":"aarch64"}`), false},
		{"another machine, asked for", "example.com/app,arch=aarch64", manifest("example.com/app", `{"name":"arch","value":"aarch64"}`), true},
		{"not JSON", "example.com/app", []byte("x"), false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			n, err := appc.ParseName(tc.asked)
			if err != nil {
				t.Fatal(err)
			}
			n.Arch = "amd64"
			if got := n.Matches(image.Image{Kind: image.Appc}, tc.manifest); got != tc.want {
				t.Errorf("%v", got)
			}
			if n.Matches(image.Image{Kind: image.OCI}, tc.manifest) {
				t.Error("an OCI image matches")
			}
		})
	}
}

// FuzzParseName: what parses prints to what parses to the same, in plain
// characters; and package image takes it for a name.
func FuzzParseName(f *testing.F) {
	for _, s := range []string{"example.com/app:v1.0,os=linux,arch=amd64", "a,version=%41", "%6eame=x", "a:b,c=d;e&f", "a.b/c~d"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		n, err := appc.ParseName(s)
		if err != nil {
			return
		}
		again, err := appc.ParseName(n.String())
		if err != nil {
			t.Fatalf("%q prints as %q: %v", s, n, err)
		}
		if diff := cmp.Diff(n, again); diff != "" {
			t.Errorf("%q prints as %q (-first +again):\n%s", s, n, diff)
		}
		if !strings.HasPrefix(s, n.App) {
			t.Errorf("%q is named %q", s, n.App)
		}
		if ref, err := image.Parse(n.String()); err == nil && ref.Transport == image.ByName && ref.Name != n.String() {
			t.Errorf("%q is the name %q", n, ref.Name)
		}
	})
}
