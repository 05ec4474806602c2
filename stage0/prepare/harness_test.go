package prepare

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/raket/raket/pkg/appspec"
	"github.com/raket/raket/pkg/image"
	"github.com/raket/raket/pkg/imagestore"
	"github.com/raket/raket/pkg/imagestore/imagetest"
	"github.com/raket/raket/pkg/pod"
	"github.com/raket/raket/pkg/podmanifest"
	"github.com/raket/raket/pkg/stageabi"
	"github.com/raket/raket/stage0/cli/appargs"
)

// must fails the test on an error.
func must(t *testing.T, errs ...error) {
	t.Helper()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

// host is a data directory with images.
type host struct {
	*testing.T
	pods   *pod.Store
	images *imagestore.Store
	named  map[string]image.Image
	asked  []string // what was fetched, in order
	loose  appspec.Loose
}

func newHost(t *testing.T) *host {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("unpacking sets owners: needs root")
	}
	dir := t.TempDir()
	h := &host{T: t, named: map[string]image.Image{}}
	var err1, err2 error
	h.pods, err1 = pod.Open(dir)
	h.images, err2 = imagestore.Open(dir)
	must(t, err1, err2)
	return h
}

// base are the files that every image of the tests has.
var base = []imagetest.File{
	{Name: "bin/"}, {Name: "bin/true", Body: "\x7fELF", Mode: 0o755}, {Name: "bin/text", Body: "x"}, {Name: "etc/"},
	{Name: "etc/passwd", Body: "root:x:0:0::/:\nweb:x:33:44::/:\n"}, {Name: "etc/group", Body: "root:x:0:\nlogs:x:55:web\n"},
}

// add puts an image into the store with this section "config".
func (h *host) add(name string, config map[string]any) {
	h.Helper()
	img := imagetest.New(h, base, []imagetest.File{{Name: "name", Body: name}})
	var c map[string]any
	must(h.T, json.Unmarshal(img.Config, &c))
	for k, v := range config {
		c["config"].(map[string]any)[k] = v
	}
	var layers []image.Layer
	for i, d := range img.Layers {
		diff := c["rootfs"].(map[string]any)["diff_ids"].([]any)[i].(string)
		layers = append(layers, image.Layer{Digest: d, DiffID: digest.Digest(diff), SizeBytes: int64(len(img.Blobs[d]))})
	}
	var err error
	img.Config, err = json.Marshal(c)
	must(h.T, err)
	img.Blobs[image.Sum(img.Config)] = img.Config
	img.Manifest, err = image.NewManifest(img.Config, layers)
	must(h.T, err)
	img.ID = image.Sum(img.Manifest)
	h.named[name] = img.Add(h, h.images, name)
}

func (h *host) fetch(_ context.Context, name, _ string) (image.Image, error) {
	h.asked = append(h.asked, name)
	if img, ok := h.named[name]; ok {
		return img, nil
	}
	for _, img := range h.named {
		if img.ID.String() == name {
			return img, nil
		}
	}
	return image.Image{}, fmt.Errorf("not to be had")
}

func (h *host) prepare(p appargs.Pod) (pod.UUID, error) {
	return Prepare(h.Context(), Request{
		Pods: h.pods, Images: h.images, Fetch: h.fetch, Pod: p, Loose: h.loose, Now: time.Unix(1700000000, 0).UTC(),
		Stage1: stageabi.Stage1{Name: "fake", Dir: "/stage1", Network: stageabi.NetHost, Entrypoints: map[stageabi.Entrypoint]string{stageabi.Run: "run"}},
	})
}

// prepared prepares a pod that is expected to work.
func (h *host) prepared(p appargs.Pod) *pod.Pod {
	h.Helper()
	uuid, err := h.prepare(p)
	must(h.T, err)
	found, err := h.pods.Find(string(uuid))
	must(h.T, err)
	return found
}

func spec(t *testing.T, p *pod.Pod, app string) *appspec.Spec {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(stageabi.AppPath(p.Dir(), app), stageabi.SpecFile))
	must(t, err)
	s, err := appspec.Parse(text)
	must(t, err)
	return s
}

func volume(t *testing.T, s string) podmanifest.Volume {
	t.Helper()
	v, err := podmanifest.ParseVolume(s)
	must(t, err)
	return *v
}
