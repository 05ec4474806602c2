package image_test

import (
	"testing"

	"github.com/raket/raket/pkg/image"
)

func TestSignatureState(t *testing.T) {
	pgp := image.Evidence{Kind: image.OpenPGP, Key: "7C08ED2C24ADB8E503151342A2D68584E0ED4876"}
	cosign := image.Evidence{Kind: image.Sigstore, Key: "sha256:0fd177b54c3b03cb9f86d081884c7d65"}
	override := image.Evidence{Kind: image.Override}
	for name, tt := range map[string]struct {
		evidence []image.Evidence
		want     string
	}{
		"digests alone":                       {want: "none"},
		"a key's ID":                          {[]image.Evidence{pgp}, "openpgp A2D68584E0ED4876"},
		"a key twice":                         {[]image.Evidence{pgp, pgp}, "openpgp A2D68584E0ED4876"},
		"several":                             {[]image.Evidence{pgp, cosign}, "openpgp A2D68584E0ED4876, sigstore 0fd177b54c3b03cb"},
		"the user's word":                     {[]image.Evidence{override}, "override"},
		"the user's word is not hidden by it": {[]image.Evidence{override, pgp}, "openpgp A2D68584E0ED4876, override"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := (image.Image{Evidence: tt.evidence}).SignatureState(); got != tt.want {
				t.Errorf("%q, want %q", got, tt.want)
			}
		})
	}
}
