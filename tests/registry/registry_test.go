package registry_test

import (
	"io"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/raket/raket/tests/images"
	"github.com/raket/raket/tests/registry"
	"github.com/raket/raket/tests/testhost"
)

func TestMain(m *testing.M) { os.Exit(testhost.Main(m)) }

func testImage(t *testing.T) images.Image {
	t.Helper()
	img, err := images.New().Layer(images.File("hello", strings.Repeat("x", 4096), 0o644)).Image()
	if err != nil {
		t.Fatal(err)
	}
	return img
}

func TestDebian(t *testing.T) {
	if why := registry.Missing(); why != "" {
		testhost.SkipOrFail(t, why)
	}
	t.Run("an image can be pushed and its manifest fetched", func(t *testing.T) {
		p, err := registry.Debian(t.Context(), t.TempDir(), registry.Options{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := p.Stop(); err != nil {
				t.Error(err)
			}
		})
		img := testImage(t)
		if err := img.Push(t.Context(), p.Addr+"/some/hello:1", images.PushOptions{}); err != nil {
			t.Fatal(err)
		}
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+p.Addr+"/v2/some/hello/manifests/1", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Accept", "application/vnd.oci.image.manifest.v1+json")
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if want, _ := img.Digest(); resp.Header.Get("Docker-Content-Digest") != want {
			t.Errorf("digest %q, want %q", resp.Header.Get("Docker-Content-Digest"), want)
		}
	})
	t.Run("one in a host's network is on the host's loopback", func(t *testing.T) {
		h := testhost.Shared(t)
		p, err := registry.Debian(t.Context(), t.TempDir(), registry.Options{Addr: "127.0.0.1:5000", NetworkOf: h.Leader()})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := p.Stop(); err != nil {
				t.Error(err)
			}
		})
		if err := testImage(t).Push(t.Context(), p.Addr+"/hello:1", images.PushOptions{Transport: p.Transport()}); err != nil {
			t.Fatal(err)
		}
		if got := h.MustRun(t, "curl -sS http://127.0.0.1:5000/v2/_catalog"); got != `{"repositories":["hello"]}` {
			t.Errorf("the host sees %s", got)
		}
	})
	t.Run("one that cannot listen says so", func(t *testing.T) {
		if p, err := registry.Debian(t.Context(), t.TempDir(), registry.Options{Addr: "192.0.2.1:1"}); err == nil {
			t.Error("it started")
			p.Stop()
		}
	})
}

func TestServe(t *testing.T) {
	s, err := registry.Local()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	img := testImage(t)
	if err := img.Push(t.Context(), s.Addr+"/hello:1", images.PushOptions{}); err != nil {
		t.Fatal(err)
	}
	s.Reset()
	layers, err := img.V1().Layers()
	if err != nil {
		t.Fatal(err)
	}
	digest, err := layers[0].Digest()
	if err != nil {
		t.Fatal(err)
	}
	get := func() (int64, error) {
		resp, err := http.Get("http://" + s.Addr + "/v2/hello/blobs/" + digest.String())
		if err != nil {
			return 0, err
		}
		defer resp.Body.Close()
		n, err := io.Copy(io.Discard, resp.Body)
		return n, err
	}
	if _, err := get(); err != nil {
		t.Fatal(err)
	}
	if s.Blobs() != 1 {
		t.Errorf("%d blobs counted, want 1: %v", s.Blobs(), s.Requests())
	}
	s.Before(registry.Truncate(10))
	if n, err := get(); err == nil || n != 10 {
		t.Errorf("a truncated blob gave %d bytes and error %v", n, err)
	}
}
