package imagetest

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/raket/raket/pkg/image"
)

// Registry serves images over plain HTTP on a loopback address.
type Registry struct {
	// Host is its address and port.
	Host string

	srv *httptest.Server

	mu        sync.Mutex
	requests  int
	manifests map[string][]byte // by NAME:TAG and NAME@DIGEST
	blobs     map[digest.Digest][]byte
	served    map[digest.Digest]int
	ranges    map[digest.Digest][]string
	onBlob    func(w http.ResponseWriter, d digest.Digest, blob []byte) bool
}

// NewRegistry serves until the test ends.
func NewRegistry(t testing.TB) *Registry {
	r := &Registry{manifests: map[string][]byte{}, blobs: map[digest.Digest][]byte{}, served: map[digest.Digest]int{}, ranges: map[digest.Digest][]string{}}
	r.srv = httptest.NewServer(http.HandlerFunc(r.serve))
	t.Cleanup(r.srv.Close)
	r.Host = strings.TrimPrefix(r.srv.URL, "http://")
	return r
}

// Push gives an image a tag, and returns its reference.
func (r *Registry) Push(name, tag string, img *Image) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	for d, b := range img.Blobs {
		r.blobs[d] = b
	}
	r.manifests[name+":"+tag] = img.Manifest
	r.manifests[name+"@"+img.ID.String()] = img.Manifest
	return "docker://" + r.Host + "/" + name + ":" + tag
}

// PushIndex gives images of several architectures a tag.
func (r *Registry) PushIndex(t testing.TB, name, tag string, images map[string]*Image) string {
	t.Helper()
	var entries []map[string]any
	for arch, img := range images {
		r.Push(name, "for-"+arch, img)
		entries = append(entries, map[string]any{
			"mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": img.ID, "size": len(img.Manifest),
			"platform": map[string]string{"os": "linux", "architecture": arch},
		})
	}
	raw, err := json.Marshal(map[string]any{
		"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": entries,
	})
	if err != nil {
		t.Fatal(err)
	}
	return r.PushRaw(name, tag, raw)
}

// PushRaw serves any bytes as a manifest.
func (r *Registry) PushRaw(name, tag string, raw []byte) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.manifests[name+":"+tag] = raw
	r.manifests[name+"@"+image.Sum(raw).String()] = raw
	return "docker://" + r.Host + "/" + name + ":" + tag
}

// OnBlob is called for each blob asked for; where it reports true it has
// answered.
func (r *Registry) OnBlob(f func(w http.ResponseWriter, d digest.Digest, blob []byte) bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.onBlob = f
}

// Served counts how often a blob was asked for.
func (r *Registry) Served(d digest.Digest) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.served[d]
}

// Requests counts all that was asked.
func (r *Registry) Requests() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.requests
}

// Close ends serving before the test does.
func (r *Registry) Close() { r.srv.Close() }

// Ranges lists the Range headers with which a blob was asked for.
func (r *Registry) Ranges(d digest.Digest) []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.ranges[d])
}

func (r *Registry) serve(w http.ResponseWriter, req *http.Request) {
	r.mu.Lock()
	r.requests++
	r.mu.Unlock()
	path, ok := strings.CutPrefix(req.URL.Path, "/v2/")
	if ok && path == "" {
		return
	}
	if name, what, ok := strings.Cut(path, "/manifests/"); ok {
		sep := ":"
		if strings.HasPrefix(what, "sha256:") {
			sep = "@"
		}
		r.mu.Lock()
		raw := r.manifests[name+sep+what]
		r.mu.Unlock()
		if raw != nil {
			var doc struct {
				MediaType string `json:"mediaType"`
			}
			_ = json.Unmarshal(raw, &doc)
			w.Header().Set("Content-Type", doc.MediaType)
			_, _ = w.Write(raw)
			return
		}
		refuse(w, "MANIFEST_UNKNOWN", "manifest unknown")
		return
	}
	if _, what, ok := strings.Cut(path, "/blobs/"); ok {
		d := digest.Digest(what)
		r.mu.Lock()
		blob, onBlob := r.blobs[d], r.onBlob
		r.served[d]++
		if asked := req.Header.Get("Range"); asked != "" {
			r.ranges[d] = append(r.ranges[d], asked)
		}
		r.mu.Unlock()
		if onBlob != nil && onBlob(w, d, blob) {
			return
		}
		if blob != nil {
			w.Header().Set("Content-Type", "application/octet-stream")
			http.ServeContent(w, req, "", time.Time{}, bytes.NewReader(blob))
			return
		}
		refuse(w, "BLOB_UNKNOWN", "blob unknown")
		return
	}
	refuse(w, "NAME_UNKNOWN", "no such thing")
}

func refuse(w http.ResponseWriter, code, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusNotFound)
	_ = json.NewEncoder(w).Encode(map[string]any{"errors": []map[string]string{{"code": code, "message": message}}})
}
