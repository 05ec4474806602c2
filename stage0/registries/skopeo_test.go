package registries

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// asked is a server without images that notes what it is asked for, as
// "NAME REPOSITORY".
func asked(t *testing.T, names ...string) (addr map[string]string, log func() []string) {
	t.Helper()
	var mu sync.Mutex
	var list []string
	addr = make(map[string]string)
	for _, name := range names {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			repo, _, isManifest := strings.Cut(strings.TrimPrefix(r.URL.Path, "/v2/"), "/manifests/")
			if !isManifest {
				return
			}
			mu.Lock()
			if line := name + " " + repo; !slices.Contains(list, line) {
				list = append(list, line)
			}
			mu.Unlock()
			http.NotFound(w, r)
		}))
		t.Cleanup(server.Close)
		addr[name] = strings.TrimPrefix(server.URL, "http://")
	}
	return addr, func() []string {
		mu.Lock()
		defer mu.Unlock()
		got := list
		list = nil
		return got
	}
}

// TestSkopeoAsksTheSamePlaces has skopeo look for images that are nowhere, and
// compares where it looked.
func TestSkopeoAsksTheSamePlaces(t *testing.T) {
	skopeo, err := exec.LookPath("skopeo")
	if err != nil {
		t.Skip("missing skopeo (make deps installs it)")
	}
	addr, log := asked(t, "one", "two", "three")
	config := strings.NewReplacer("ONE", addr["one"], "TWO", addr["two"], "THREE", addr["three"]).Replace(`
[[registry]]
prefix = "example.com/foo"
location = "ONE/bar"
insecure = true
[[registry.mirror]]
location = "TWO/mirror-for-foo"
insecure = true
[[registry.mirror]]
location = "THREE"
insecure = true

[[registry]]
prefix = "example.com/foo/deeper"
location = "THREE/deep"
insecure = true
mirror-by-digest-only = true
[[registry.mirror]]
location = "ONE/digests"
insecure = true

[[registry]]
prefix = "example.com"
location = "TWO"
insecure = true
[[registry.mirror]]
location = "ONE/by-tag"
insecure = true
pull-from-mirror = "tag-only"
[[registry.mirror]]
location = "ONE/by-digest"
insecure = true
pull-from-mirror = "digest-only"

[[registry]]
prefix = "*.corp.example"
location = "TWO/corp"
insecure = true

[[registry]]
prefix = "*.deep.corp.example"
location = "ONE/deep-corp"
insecure = true

[[registry]]
prefix = "web.corp.example"
location = "web.corp.example"
blocked = true

[[registry]]
prefix = "docker.io"
location = "ONE/hub"
insecure = true
`)
	dir := t.TempDir()
	file := filepath.Join(dir, "registries.conf")
	if err := os.WriteFile(file, []byte(config), 0o644); err != nil {
		t.Fatal(err)
	}
	c, err := Load(Options{Files: []string{file}, Getenv: func(string) string { return "" }})
	if err != nil {
		t.Fatal(err)
	}
	nameOf := make(map[string]string)
	for name, a := range addr {
		nameOf[a] = name
	}
	for _, image := range []string{
		"docker://example.com/foo/image:1", "docker://example.com/foo:1", "docker://example.com/foo/a/b@sha256:" + hex64,
		"docker://example.com/foobar:1", "docker://example.com/foo/deeper/x:1", "docker://example.com/foo/deeper/x@sha256:" + hex64,
		"docker://example.com/x@sha256:" + hex64, "docker://example.com:5000/x:1", "docker://a.corp.example/x:1",
		"docker://a.b.deep.corp.example/x/y:1", "docker://web.corp.example/x:1", "docker://nginx", "docker://user/app:2",
	} {
		t.Run(strings.TrimPrefix(image, "docker://"), func(t *testing.T) {
			var want []string
			endpoints, err := c.Endpoints(parseRef(t, image))
			for _, e := range endpoints {
				want = append(want, fmt.Sprintf("%s %s", nameOf[e.Registry], e.Repository))
			}
			cmd := exec.CommandContext(t.Context(), skopeo, "--registries-conf", file, "--registries.d", dir, "inspect", "--raw", image)
			cmd.Env = append(os.Environ(), "REGISTRY_AUTH_FILE="+filepath.Join(dir, "auth.json"), "HOME="+dir)
			said, failed := cmd.CombinedOutput()
			if failed == nil {
				t.Fatalf("skopeo found it: %s", said)
			}
			if refused := strings.Contains(string(said), "blocked") || strings.Contains(string(said), "rewriting reference"); refused != (err != nil) {
				t.Errorf("we say %v, skopeo %s", err, said)
			}
			if diff := cmp.Diff(want, log()); diff != "" {
				t.Errorf("asked (-ours +skopeo's):\n%s\n%s", diff, said)
			}
		})
	}
}

func BenchmarkLoad(b *testing.B) {
	for b.Loop() {
		if _, err := Load(Options{Getenv: func(string) string { return "" }}); err != nil {
			b.Fatal(err)
		}
	}
}
