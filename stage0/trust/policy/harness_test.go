package policy

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"

	"github.com/raket/raket/stage0/trust/openpgp/gpgtest"
)

// lab is where images are signed with other implementations' tools: gpg, skopeo,
// openssl.
type lab struct {
	t *testing.T
	// dir has policy.json, keys and the lookaside.
	dir  string
	gpg  *gpgtest.Home
	home string // gpg's
}

func newLab(t *testing.T) *lab {
	t.Helper()
	l := &lab{t: t, dir: t.TempDir(), gpg: gpgtest.New(t)}
	for line := range strings.Lines(string(l.gpg.Run(nil, "--version"))) {
		if rest, ok := strings.CutPrefix(line, "Home: "); ok {
			l.home = strings.TrimSpace(rest)
		}
	}
	l.write("registries.d/all.yaml", "default-docker: {lookaside: 'file://"+l.dir+"/sigs', use-sigstore-attachments: true}\n")
	return l
}

func (l *lab) write(name, content string) string {
	l.t.Helper()
	path := filepath.Join(l.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		l.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		l.t.Fatal(err)
	}
	return path
}

// run is a program's output. Its gpg has the lab's keys.
func (l *lab) run(stdin string, program string, args ...string) (string, error) {
	l.t.Helper()
	if _, err := exec.LookPath(program); err != nil {
		l.t.Skipf("missing %s (make deps installs it)", program)
	}
	cmd := exec.CommandContext(l.t.Context(), program, args...)
	cmd.Dir, cmd.Stdin = l.dir, strings.NewReader(stdin)
	cmd.Env = append(os.Environ(), "GNUPGHOME="+l.home, "TMPDIR="+l.t.TempDir())
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("%s %s: %w: %s", program, strings.Join(args, " "), err, stderr.String())
	}
	return stdout.String(), nil
}

func (l *lab) mustRun(stdin string, program string, args ...string) string {
	l.t.Helper()
	out, err := l.run(stdin, program, args...)
	if err != nil {
		l.t.Fatal(err)
	}
	return out
}

// openpgpKey makes a key, and the file NAME.gpg of it.
func (l *lab) openpgpKey(name string) (fingerprint string) {
	l.t.Helper()
	fingerprint = l.gpg.Key(name+" <"+name+"@example.com>", "ed25519", "never")
	l.write(name+".gpg", string(l.gpg.Export(fingerprint)))
	return fingerprint
}

// sign puts signature N of a manifest, in simple signing's form, into the lookaside.
func (l *lab) sign(fingerprint, reference, manifest, repository string, n int) {
	l.t.Helper()
	file := l.write("manifest", manifest)
	at := fmt.Sprintf("sigs/%s@sha256=%s/signature-%d", repository, digest.FromString(manifest).Encoded(), n)
	l.write(at, "")
	l.mustRun("", "skopeo", "standalone-sign", file, reference, fingerprint, "-o", filepath.Join(l.dir, at))
}

// cosignKey makes the files NAME.key and NAME.pub, as cosign's are.
func (l *lab) cosignKey(name string) {
	l.t.Helper()
	l.mustRun("", "openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", name+".key")
	l.mustRun("", "openssl", "pkey", "-in", name+".key", "-pubout", "-out", name+".pub")
}

// cosigned is a payload, and its signature in base64.
func (l *lab) cosigned(key, reference, manifest string) (payload, signature string) {
	l.t.Helper()
	payload = fmt.Sprintf(`{"critical":{"identity":{"docker-reference":%q},"image":{"docker-manifest-digest":%q},"type":"cosign container image signature"},"optional":null}`,
		reference, digest.FromString(manifest))
	out := l.mustRun(payload, "openssl", "dgst", "-sha256", "-sign", key+".key")
	return payload, base64.StdEncoding.EncodeToString([]byte(out))
}

// repository is one on a registry that speaks plain HTTP; it is Attachments.
type repository struct {
	t    *testing.T
	base string // http://HOST:PORT/v2/NAME/
}

func (r repository) do(method, path, contentType string, body []byte) (*http.Response, []byte) {
	r.t.Helper()
	req, err := http.NewRequestWithContext(r.t.Context(), method, path, bytes.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	return resp, raw
}

const manifestType = "application/vnd.oci.image.manifest.v1+json"

func (r repository) putBlob(raw []byte) digest.Digest {
	r.t.Helper()
	d := digest.FromBytes(raw)
	resp, msg := r.do(http.MethodPost, r.base+"blobs/uploads/?digest="+d.String(), "application/octet-stream", raw)
	if resp.StatusCode != http.StatusCreated {
		r.t.Fatalf("put blob: %s: %s", resp.Status, msg)
	}
	return d
}

func (r repository) putManifest(tag, raw string) {
	r.t.Helper()
	if resp, msg := r.do(http.MethodPut, r.base+"manifests/"+tag, manifestType, []byte(raw)); resp.StatusCode >= 300 {
		r.t.Fatalf("put manifest: %s: %s", resp.Status, msg)
	}
}

// image pushes a small one and returns its manifest.
func (r repository) image(tag, salt string) (manifest string) {
	r.t.Helper()
	layer := []byte{0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 1, 0, 0, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0, 0} // an empty gzip
	config := []byte(`{"architecture":"amd64","os":"linux","author":"` + salt + `","config":{},"rootfs":{"type":"layers","diff_ids":["` + digest.FromString("").String() + `"]}}`)
	manifest = fmt.Sprintf(`{"schemaVersion":2,"mediaType":%q,"config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":%q,"size":%d},`+
		`"layers":[{"mediaType":"application/vnd.oci.image.layer.v1.tar+gzip","digest":%q,"size":%d}]}`,
		manifestType, r.putBlob(config), len(config), r.putBlob(layer), len(layer))
	r.putManifest(tag, manifest)
	return manifest
}

// attach puts payloads and signatures beside the image of a manifest.
func (r repository) attach(manifest string, payloadsAndSignatures ...string) {
	r.t.Helper()
	config := []byte(`{"architecture":"","os":"","config":{},"rootfs":{"type":"layers","diff_ids":[]}}`)
	var layers []map[string]any
	for i := 0; i < len(payloadsAndSignatures); i += 2 {
		payload := payloadsAndSignatures[i]
		layers = append(layers, map[string]any{
			"mediaType": "application/vnd.dev.cosign.simplesigning.v1+json", "digest": r.putBlob([]byte(payload)), "size": len(payload),
			"annotations": map[string]string{"dev.cosignproject.cosign/signature": payloadsAndSignatures[i+1]},
		})
	}
	raw, err := json.Marshal(map[string]any{
		"schemaVersion": 2, "mediaType": manifestType, "layers": layers,
		"config": map[string]any{"mediaType": "application/vnd.oci.image.config.v1+json", "digest": r.putBlob(config), "size": len(config)},
	})
	if err != nil {
		r.t.Fatal(err)
	}
	r.putManifest("sha256-"+digest.FromString(manifest).Encoded()+".sig", string(raw))
}

func (r repository) get(path string) ([]byte, error) {
	resp, raw := r.do(http.MethodGet, r.base+path, "", nil)
	switch resp.StatusCode {
	case http.StatusOK:
		return raw, nil
	case http.StatusNotFound:
		return nil, fs.ErrNotExist
	}
	return nil, fmt.Errorf("%s: %s", path, resp.Status)
}

func (r repository) TagManifest(_ context.Context, tag string) ([]byte, error) {
	return r.get("manifests/" + tag)
}

func (r repository) Manifest(_ context.Context, d digest.Digest) ([]byte, error) {
	return r.get("manifests/" + d.String())
}

func (r repository) Blob(_ context.Context, d digest.Digest) (io.ReadCloser, error) {
	raw, err := r.get("blobs/" + d.String())
	return io.NopCloser(bytes.NewReader(raw)), err
}

func (r repository) Referrers(_ context.Context, d digest.Digest, _ string) ([]byte, error) {
	return r.get("referrers/" + d.String())
}
