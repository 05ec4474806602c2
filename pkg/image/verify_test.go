package image_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"

	"github.com/raket/raket/pkg/image"
)

const zeroDigest = "sha256:0000000000000000000000000000000000000000000000000000000000000000"

func manifestOf(config []byte, layers string) string {
	return fmt.Sprintf(`{"schemaVersion":2,"config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":%q,"size":%d},"layers":[%s]}`,
		image.Sum(config), len(config), layers)
}

const gzipLayer = `{"mediaType":"application/vnd.oci.image.layer.v1.tar+gzip","digest":"` + zeroDigest + `","size":7}`

func TestVerify(t *testing.T) {
	config := []byte(`{"os":"linux","architecture":"arm64","rootfs":{"diff_ids":["` + zeroDigest + `"]}}`)
	m, err := image.VerifyManifest([]byte(manifestOf(config, gzipLayer)), image.Sum([]byte(manifestOf(config, gzipLayer))), image.OCI, nil)
	if err != nil {
		t.Fatal(err)
	}
	v, err := m.VerifyConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	img := v.Image()
	if img.Arch != "arm64" || len(v.Layers()) != 1 || v.Layers()[0].Layer().DiffID != zeroDigest || img.SignatureState() != "none" {
		t.Errorf("%+v", img)
	}
	if want := int64(len(v.ManifestBytes()) + len(config) + 7); img.SizeBytes != want {
		t.Errorf("size %d, want %d", img.SizeBytes, want)
	}
	_, err = m.VerifyConfig(append(config, ' '))
	var wrong *image.DigestError
	if !errors.As(err, &wrong) {
		t.Errorf("error %v, want a DigestError", err)
	}
}

func TestVerifyRefuses(t *testing.T) {
	config := []byte(`{"rootfs":{"diff_ids":["` + zeroDigest + `"]}}`)
	good := manifestOf(config, gzipLayer)
	for _, tc := range []struct {
		name, manifest string
		kind           image.Kind
		id             digest.Digest // of the manifest where empty
		want           string
	}{
		{"another digest", good, image.OCI, zeroDigest, "image manifest has the wrong digest: expected sha256:0000"},
		{"a digest of another algorithm", good, image.OCI, "sha512:00", "not a sha256 digest"},
		{"no JSON", "x", image.OCI, "", "parse image manifest"},
		{"schema 1", `{"schemaVersion":1}`, image.OCI, "", "schema 1"},
		{"an index", `{"schemaVersion":2,"manifests":[]}`, image.OCI, "", "index"},
		{"both index and manifest", strings.Replace(good, `"layers"`, `"manifests":[],"layers"`, 1), image.OCI, "", "both an index and a manifest"},
		{"another media type", strings.Replace(good, `{"schemaVersion":2,`, `{"schemaVersion":2,"mediaType":"text/x",`, 1), image.OCI, "", `media type "text/x"`},
		{"an artifact", strings.Replace(good, "oci.image.config", "cncf.helm.config", 1), image.OCI, "", "not a container image"},
		{"an image that claims to be an ACI", strings.Replace(good, "oci.image.config.v1", "appc.image.manifest.v1", 1), image.OCI, "", "not a container image"},
		{"an OCI image as an ACI", good, image.Appc, "", "not a container image"},
		{"a layer of an unknown kind", manifestOf(config, strings.Replace(gzipLayer, "tar+gzip", "squashfs", 1)), image.OCI, "", "unknown media type"},
		{"a negative size", manifestOf(config, strings.Replace(gzipLayer, ":7", ":-7", 1)), image.OCI, "", "negative size"},
		{"a layer digest that is a path", manifestOf(config, strings.Replace(gzipLayer, zeroDigest, "sha256:../../etc", 1)), image.OCI, "", "not a sha256 digest"},
		{"more layers than diff IDs", manifestOf(config, gzipLayer+","+gzipLayer), image.OCI, "", "1 diff IDs for 2 layers"},
		{"too many layers", manifestOf(config, strings.Repeat(gzipLayer+",", 256)+gzipLayer), image.OCI, "", "more than 256"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			id := tc.id
			if id == "" {
				id = image.Sum([]byte(tc.manifest))
			}
			m, err := image.VerifyManifest([]byte(tc.manifest), id, tc.kind, nil)
			if err == nil {
				_, err = m.VerifyConfig(config)
			}
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Fatalf("error %v, want one that says %q", err, tc.want)
			}
		})
	}
	big := bytes.Repeat([]byte(" "), image.MaxManifestBytes+1)
	if _, err := image.VerifyManifest(big, image.Sum(big), image.OCI, nil); err == nil {
		t.Error("a manifest over the limit passed")
	}
}

func TestIDs(t *testing.T) {
	oci := image.Image{ID: "sha256:0123456789abcdef"}
	aci := image.Image{ID: zeroDigest, AppcID: "sha512-" + strings.Repeat("0123456789abcdef", 8)}
	if got := image.ShortID(oci); got != "sha256:0123456789ab" {
		t.Errorf("ShortID %q", got)
	}
	if got := image.ShortID(aci); got != "sha512-"+strings.Repeat("0123456789abcdef", 2) {
		t.Errorf("ShortID %q", got)
	}
	for prefix, want := range map[string]bool{"sha512-0123": true, "01234567": true, "sha256:00": true, "sha512-1": false, "ff": false} {
		if got := aci.MatchesID(prefix); got != want {
			t.Errorf("MatchesID(%q) is %v", prefix, got)
		}
	}
}

// FuzzVerify: no manifest or config makes it panic, and what it passes has a
// diff ID for each layer.
func FuzzVerify(f *testing.F) {
	config := []byte(`{"os":"linux","rootfs":{"diff_ids":["` + zeroDigest + `"]}}`)
	f.Add([]byte(manifestOf(config, gzipLayer)), config, false)
	aciConfig := []byte(`{"acKind":"ImageManifest","name":"a/b","labels":[{"name":"version","value":"1"}]}`)
	aci, err := image.NewAppcManifest(image.Layer{Digest: zeroDigest, DiffID: zeroDigest, SizeBytes: 1}, aciConfig, "sha512-"+strings.Repeat("0", 128))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(aci, aciConfig, true)
	f.Fuzz(func(t *testing.T, manifest, config []byte, appc bool) {
		kind := image.OCI
		if appc {
			kind = image.Appc
		}
		m, err := image.VerifyManifest(manifest, image.Sum(manifest), kind, nil)
		if err != nil {
			return
		}
		// The config the fuzzer thinks of rarely has the digest named.
		if id, _ := m.Config(); id != image.Sum(config) {
			return
		}
		v, err := m.VerifyConfig(config)
		if err != nil {
			return
		}
		for _, l := range v.Layers() {
			if len(l.Layer().Digest) != len(zeroDigest) || len(l.Layer().DiffID) != len(zeroDigest) {
				t.Errorf("layer %+v", l.Layer())
			}
		}
	})
}
