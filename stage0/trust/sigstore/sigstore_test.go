package sigstore

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"
)

// run is openssl's output, in a directory.
func openssl(t *testing.T, dir string, args ...string) []byte {
	t.Helper()
	if _, err := exec.LookPath("openssl"); err != nil {
		t.Skip("missing openssl (make deps installs it)")
	}
	cmd := exec.CommandContext(t.Context(), "openssl", args...)
	cmd.Dir = dir
	var out, msg bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &msg
	if err := cmd.Run(); err != nil {
		t.Fatalf("openssl %s: %v: %s", strings.Join(args, " "), err, msg.String())
	}
	return out.Bytes()
}

func readFile(t *testing.T, dir, name string) []byte {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func TestVerify(t *testing.T) {
	ec := func(curve string) []string {
		return []string{"genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:" + curve, "-out", "key"}
	}
	rsa := []string{"genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out", "key"}
	dgst := func(hash string, more ...string) []string {
		return append(append([]string{"dgst", "-" + hash, "-sign", "key", "-out", "sig"}, more...), "payload")
	}
	for name, tt := range map[string]struct {
		key, sign []string
		want      bool
	}{
		"ECDSA on P-256, as cosign's own keys":   {ec("P-256"), dgst("sha256"), true},
		"ECDSA on P-256 of a longer hash":        {ec("P-256"), dgst("sha512"), false},
		"ECDSA on P-384":                         {ec("P-384"), dgst("sha256"), true},
		"ECDSA on P-384 of the hash of its size": {ec("P-384"), dgst("sha384"), true},
		"ECDSA on P-521":                         {ec("P-521"), dgst("sha256"), true},
		"ECDSA on P-521 of the hash of its size": {ec("P-521"), dgst("sha512"), true},
		"Ed25519":                                {[]string{"genpkey", "-algorithm", "ED25519", "-out", "key"}, []string{"pkeyutl", "-sign", "-inkey", "key", "-rawin", "-in", "payload", "-out", "sig"}, true},
		"RSA":                                    {rsa, dgst("sha256"), true},
		"RSA with PSS":                           {rsa, dgst("sha256", "-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:32"), true},
		"RSA of SHA-1":                           {rsa, dgst("sha1"), false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			openssl(t, dir, tt.key...)
			openssl(t, dir, "pkey", "-in", "key", "-pubout", "-out", "pub")
			payload := []byte("what is signed")
			if err := os.WriteFile(filepath.Join(dir, "payload"), payload, 0o644); err != nil {
				t.Fatal(err)
			}
			openssl(t, dir, tt.sign...)
			key, err := ParseKey(readFile(t, dir, "pub"))
			if err != nil {
				t.Fatal(err)
			}
			sum := openssl(t, dir, "pkey", "-in", "key", "-pubout", "-outform", "DER")
			if want := digest.FromBytes(sum).String(); key.Fingerprint() != want {
				t.Errorf("fingerprint %s, want %s", key.Fingerprint(), want)
			}
			sig := readFile(t, dir, "sig")
			if err := key.Verify(payload, sig); (err == nil) != tt.want {
				t.Errorf("verify: %v", err)
			}
			if err := key.Verify([]byte("what is not"), sig); err == nil {
				t.Error("it vouches for another payload")
			}
			sig[len(sig)-1] ^= 1
			if err := key.Verify(payload, sig); err == nil {
				t.Error("a changed signature is good")
			}
			if err := key.Verify(payload, nil); err == nil {
				t.Error("no signature is good")
			}
		})
	}
}

func TestParseKeyRefuses(t *testing.T) {
	dir := t.TempDir()
	public := func(name string, args ...string) string {
		openssl(t, dir, append(args, "-out", name)...)
		return string(openssl(t, dir, "pkey", "-in", name, "-pubout"))
	}
	good := public("good", "genpkey", "-algorithm", "ED25519")
	for name, tt := range map[string]struct{ raw, want string }{
		"nothing":                    {"", "no PEM public key"},
		"a key that is too large":    {strings.Repeat("x", maxKeyBytes+1), "larger than 64 KiB"},
		"a private key":              {string(readFile(t, dir, "good")), `PEM block is a "PRIVATE KEY"`},
		"two keys":                   {good + good, "more than one PEM block"},
		"a block of nothing":         {"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", "public key: "},
		"a short RSA key":            {public("short", "genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:1024"), "RSA public key of 1024 bits"},
		"a weak curve":               {public("weak", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-224"), "on curve P-224 is too weak"},
		"a key for agreements alone": {public("dh", "genpkey", "-algorithm", "X25519"), "does not sign"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := ParseKey([]byte(tt.raw)); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}

// repository is what lies in one, for Attachments.
type repository struct {
	tags      map[string][]byte
	blobs     map[digest.Digest][]byte
	referrers []descriptor
	asked     int
}

func newRepository() *repository {
	return &repository{tags: map[string][]byte{}, blobs: map[digest.Digest][]byte{}}
}

func (r *repository) put(raw []byte) digest.Digest {
	d := digest.FromBytes(raw)
	r.blobs[d] = raw
	return d
}

func (r *repository) TagManifest(_ context.Context, tag string) ([]byte, error) {
	raw, ok := r.tags[tag]
	if !ok {
		return nil, fmt.Errorf("no tag: %w", fs.ErrNotExist)
	}
	return raw, nil
}

func (r *repository) Manifest(_ context.Context, d digest.Digest) ([]byte, error) {
	raw, ok := r.blobs[d]
	if !ok {
		return nil, errors.New("no such manifest")
	}
	return raw, nil
}

func (r *repository) Blob(_ context.Context, d digest.Digest) (io.ReadCloser, error) {
	r.asked++
	raw, ok := r.blobs[d]
	if !ok {
		return nil, errors.New("no such blob")
	}
	return io.NopCloser(bytes.NewReader(raw)), nil
}

func (r *repository) Referrers(_ context.Context, _ digest.Digest, _ string) ([]byte, error) {
	if r.referrers == nil {
		return nil, fs.ErrNotExist
	}
	return json.Marshal(map[string]any{"schemaVersion": 2, "manifests": r.referrers})
}

// layer is a payload and its signature, as cosign attaches them.
func (r *repository) layer(payload, signature string) descriptor {
	return descriptor{MediaType: layerPayload, Digest: r.put([]byte(payload)), Size: int64(len(payload)),
		Annotations: map[string]string{keySignature: base64.StdEncoding.EncodeToString([]byte(signature))}}
}

func manifest(t *testing.T, layers ...descriptor) []byte {
	t.Helper()
	raw, err := json.Marshal(map[string]any{"schemaVersion": 2, "layers": layers})
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func TestFind(t *testing.T) {
	image := digest.FromString("image")
	tag := "sha256-" + image.Encoded() + ".sig"
	for name, tt := range map[string]struct {
		in      func(t *testing.T, r *repository)
		want    string // payload=signature of each
		problem string
	}{
		"none": {func(*testing.T, *repository) {}, "", ""},
		"two under the tag": {func(t *testing.T, r *repository) {
			r.tags[tag] = manifest(t, r.layer("a", "1"), r.layer("b", "2"))
		}, "a=1 b=2", ""},
		"the same twice, under the tag and as referrer": {func(t *testing.T, r *repository) {
			m := manifest(t, r.layer("a", "1"), r.layer("a", "1"))
			r.tags[tag] = m
			r.referrers = []descriptor{{ArtifactType: artifactSignature, Digest: r.put(m)}}
		}, "a=1", ""},
		"a referrer, among others": {func(t *testing.T, r *repository) {
			r.referrers = []descriptor{{ArtifactType: "application/sbom", Digest: "sha256:no"}, {ArtifactType: artifactSignature, Digest: r.put(manifest(t, r.layer("a", "1")))}}
		}, "a=1", ""},
		"a bundle is named": {func(t *testing.T, r *repository) {
			r.referrers = []descriptor{{ArtifactType: artifactBundle + "v0.3+json", Digest: image}}
		}, "", "names no image"},
		"layers of other kinds": {func(t *testing.T, r *repository) {
			other, bare := r.layer("a", "1"), r.layer("b", "2")
			other.MediaType, bare.Annotations = "application/x", nil
			r.tags[tag] = manifest(t, other, bare, r.layer("c", "3"))
		}, "c=3", ""},
		"a payload with another digest does not hide others": {func(t *testing.T, r *repository) {
			l := r.layer("a", "1")
			r.blobs[l.Digest] = []byte("x")
			r.tags[tag] = manifest(t, l, r.layer("b", "2"))
		}, "b=2", "has another digest or size"},
		"a payload longer than it says": {func(t *testing.T, r *repository) {
			l := r.layer("aa", "1")
			l.Size = 1
			r.tags[tag] = manifest(t, l)
		}, "", "has another digest or size"},
		"a payload that is too large": {func(t *testing.T, r *repository) {
			l := r.layer("a", "1")
			l.Size = 1 << 40
			r.tags[tag] = manifest(t, l)
		}, "", "payload of 1099511627776 bytes, more than 64 KiB"},
		"a payload of no size": {func(t *testing.T, r *repository) {
			l := r.layer("a", "1")
			l.Size = -1
			r.tags[tag] = manifest(t, l)
		}, "", "payload of -1 bytes"},
		"a digest that is none": {func(t *testing.T, r *repository) {
			l := r.layer("a", "1")
			l.Digest = "x"
			r.tags[tag] = manifest(t, l)
		}, "", "invalid checksum digest format"},
		"a signature that is no base64": {func(t *testing.T, r *repository) {
			l := r.layer("a", "1")
			l.Annotations[keySignature] = "!"
			r.tags[tag] = manifest(t, l)
		}, "", "not base64"},
		"a long signature": {func(t *testing.T, r *repository) {
			r.tags[tag] = manifest(t, r.layer("a", strings.Repeat("x", maxSignatureBytes)))
		}, "", "larger than 8 KiB"},
		"a payload that is missing": {func(t *testing.T, r *repository) {
			l := r.layer("a", "1")
			delete(r.blobs, l.Digest)
			r.tags[tag] = manifest(t, l)
		}, "", "no such blob"},
		"a manifest that is none":      {func(t *testing.T, r *repository) { r.tags[tag] = []byte("[") }, "", "no JSON"},
		"a manifest that is too large": {func(t *testing.T, r *repository) { r.tags[tag] = make([]byte, maxManifestBytes+1) }, "", "larger than 1 MiB"},
		"a referrer with another digest": {func(t *testing.T, r *repository) {
			d := digest.FromString("x")
			r.blobs[d] = manifest(t, r.layer("a", "1"))
			r.referrers = []descriptor{{ArtifactType: artifactSignature, Digest: d}}
		}, "", "another manifest than it listed"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRepository()
			tt.in(t, r)
			found, err := Find(t.Context(), r, image)
			var got []string
			for _, s := range found {
				got = append(got, string(s.Payload)+"="+string(s.Bytes))
			}
			if s := strings.Join(got, " "); s != tt.want {
				t.Errorf("found %q, want %q", s, tt.want)
			}
			if (err == nil) != (tt.problem == "") || err != nil && !strings.Contains(err.Error(), tt.problem) {
				t.Errorf("got %v, want %q", err, tt.problem)
			}
		})
	}
}

func TestFindIsBounded(t *testing.T) {
	image := digest.FromString("image")
	t.Run("a thousand signatures", func(t *testing.T) {
		r := newRepository()
		var layers []descriptor
		for i := range 1000 {
			layers = append(layers, r.layer(fmt.Sprint(i), "1"))
		}
		r.tags["sha256-"+image.Encoded()+".sig"] = manifest(t, layers...)
		found, err := Find(t.Context(), r, image)
		if err != nil || len(found) != maxSignatures || r.asked != maxSignatures {
			t.Errorf("%d signatures of %d requests, %v", len(found), r.asked, err)
		}
	})
	t.Run("a thousand broken ones, in a thousand manifests", func(t *testing.T) {
		r := newRepository()
		for i := range 1000 {
			l := r.layer(fmt.Sprint(i), "1")
			delete(r.blobs, l.Digest)
			r.referrers = append(r.referrers, descriptor{ArtifactType: artifactSignature, Digest: r.put(manifest(t, l, l))})
		}
		found, err := Find(t.Context(), r, image)
		if err == nil || len(found) != 0 || r.asked > maxReferrers {
			t.Errorf("%d signatures of %d requests, %v", len(found), r.asked, err)
		}
	})
}

// FuzzFind: whatever a registry says, what is found has the digest it was listed
// with, and the reads are bounded.
func FuzzFind(f *testing.F) {
	r := newRepository()
	l := r.layer("a", "1")
	good, err := json.Marshal(map[string]any{"layers": []descriptor{l, l}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good, []byte(`{"manifests": [{"artifactType": "`+artifactSignature+`", "digest": "sha256:1"}]}`))
	f.Add([]byte("{"), []byte("{}"))
	f.Fuzz(func(t *testing.T, tagged, index []byte) {
		r := newRepository()
		r.put([]byte("a"))
		image := digest.FromString("image")
		r.tags["sha256-"+image.Encoded()+".sig"] = tagged
		found, err := Find(t.Context(), listing{r, index}, image)
		if err != nil && strings.Contains(err.Error(), "\x1b") {
			t.Errorf("control characters in %q", err)
		}
		for _, s := range found {
			if string(s.Payload) != "a" {
				t.Errorf("found a payload %q", s.Payload)
			}
		}
		if r.asked > 2*maxSignatures {
			t.Errorf("%d requests", r.asked)
		}
	})
}

type listing struct {
	*repository
	index []byte
}

func (l listing) Referrers(context.Context, digest.Digest, string) ([]byte, error) {
	return l.index, nil
}
