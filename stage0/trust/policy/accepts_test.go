package policy

import (
	"os"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"

	"github.com/raket/raket/pkg/image"
	"github.com/raket/raket/stage0/trust/openpgp/gpgtest"
)

func TestAccepts(t *testing.T) {
	l := newLab(t)
	good, other, revoked := l.openpgpKey("good"), l.openpgpKey("other"), l.openpgpKey("revoked")
	l.gpg.Revoke(revoked)
	l.write("revoked.gpg", string(l.gpg.Export(revoked)))
	l.cosignKey("good")
	id := digest.FromString("image")
	keys, err := requirement{paths: []string{l.dir + "/good.pub"}}.sigstoreKeys()
	if err != nil {
		t.Fatal(err)
	}
	gpg := func(file string) string {
		return `{"type": "signedBy", "keyType": "GPGKeys", "keyPath": "` + l.dir + `/` + file + `"}`
	}
	cosign := `{"type": "sigstoreSigned", "keyPath": "` + l.dir + `/good.pub", "signedIdentity": {"type": "matchRepository"}}`
	simple := func(key, identity string) image.Evidence {
		return image.Evidence{Kind: image.SimpleSigning, Key: key, Identity: identity, Digest: id}
	}
	byGood := simple(good, "r.example/app:1")
	attached := image.Evidence{Kind: image.Sigstore, Key: keys[0].Fingerprint(), Identity: "r.example/app", Digest: id}
	override := image.Evidence{Kind: image.Override}
	type evidence = []image.Evidence
	for name, tt := range map[string]struct {
		policy   string // requirements, or a whole policy
		ref      string
		names    []string
		evidence evidence
		refused  []string
	}{
		"anything needs nothing":                 {policy: `{"type": "insecureAcceptAnything"}`, ref: "docker://r.example/app:1"},
		"a rejection":                            {policy: `{"type": "reject"}`, ref: "docker://r.example/app:1", refused: []string{": reject ("}},
		"a signature that was checked":           {policy: gpg("good.gpg"), ref: "docker://r.example/app:1", evidence: evidence{byGood}},
		"the one that counts, among others":      {policy: gpg("good.gpg"), ref: "docker://r.example/app:1", evidence: evidence{simple(other, "r.example/app:1"), attached, byGood}},
		"of another tag":                         {policy: gpg("good.gpg"), ref: "docker://r.example/app:2", evidence: evidence{byGood}, refused: []string{`it is for "r.example/app:1"`}},
		"by a key that is no longer trusted":     {policy: gpg("other.gpg"), ref: "docker://r.example/app:1", evidence: evidence{byGood}, refused: []string{"signed by key " + good + ", which is not among the policy's"}},
		"by a key that is revoked by now":        {policy: gpg("revoked.gpg"), ref: "docker://r.example/app:1", evidence: evidence{simple(revoked, "r.example/app:1")}, refused: []string{"signed by key " + revoked + ": ", "revoked"}},
		"by a key whose file is gone":            {policy: gpg("gone.gpg"), ref: "docker://r.example/app:1", evidence: evidence{byGood}, refused: []string{"gone.gpg: no such file"}},
		"none, since the policy asked for none":  {policy: gpg("good.gpg"), ref: "docker://r.example/app:1", refused: []string{"when it was fetched no such signature was checked"}},
		"one of another kind":                    {policy: gpg("good.gpg"), ref: "docker://r.example/app:1", evidence: evidence{attached}, refused: []string{"no such signature was checked"}},
		"one that says not of what":              {policy: gpg("good.gpg"), ref: "docker://r.example/app:1", evidence: evidence{{Kind: image.SimpleSigning, Key: good, Identity: "r.example/app:1"}}, refused: []string{"no such signature was checked"}},
		"an ACI's":                               {policy: gpg("good.gpg"), ref: "docker://r.example/app:1", evidence: evidence{{Kind: image.OpenPGP, Key: good, Identity: "r.example/app:1", Digest: id}}, refused: []string{"no such signature was checked"}},
		"cosign's":                               {policy: cosign, ref: "docker://r.example/app:1", evidence: evidence{attached}},
		"both":                                   {policy: cosign + ", " + gpg("good.gpg"), ref: "docker://r.example/app:1", evidence: evidence{attached, byGood}},
		"one of both":                            {policy: cosign + ", " + gpg("good.gpg"), ref: "docker://r.example/app:1", evidence: evidence{attached}, refused: []string{": signedBy ("}},
		"the user's word":                        {policy: cosign + ", " + gpg("good.gpg"), ref: "docker://r.example/app:1", evidence: evidence{override}},
		"the user's word for that image":         {policy: gpg("good.gpg"), ref: "docker://r.example/app:1", evidence: evidence{{Kind: image.Override, Digest: id}}},
		"the user's word for another image":      {policy: gpg("good.gpg"), ref: "docker://r.example/app:1", evidence: evidence{{Kind: image.Override, Digest: digest.FromString("x")}}, refused: []string{"no such signature was checked"}},
		"the user's word against a rejection":    {policy: `{"type": "reject"}`, ref: "docker://r.example/app:1", evidence: evidence{override}, refused: []string{": reject ("}},
		"the user's word for keyless signing":    {policy: `{"type": "sigstoreSigned", "pki": {}}`, ref: "docker://r.example/app:1", evidence: evidence{override}},
		"keyless signing":                        {policy: `{"type": "sigstoreSigned", "pki": {}}`, ref: "docker://r.example/app:1", evidence: evidence{attached}, refused: []string{"key pki is of keyless signing"}},
		"an ID is judged by the name it came by": {policy: gpg("good.gpg"), ref: id.String(), names: []string{"docker://r.example/app:1"}, evidence: evidence{byGood}},
		"or by any of several":                   {policy: gpg("good.gpg"), ref: "app", names: []string{"docker://r.example/app:2", "docker://r.example/app:1"}, evidence: evidence{byGood}},
		"and none of them may do":                {policy: gpg("good.gpg"), ref: "app", names: []string{"docker://r.example/app:2"}, evidence: evidence{byGood}, refused: []string{"policy refuses docker://r.example/app:2: "}},
		"an image that came by no name":          {policy: gpg("good.gpg"), ref: id.String(), evidence: evidence{byGood}, refused: []string{"policy refuses sha256:", "needs an image from a registry"}},
		"a scope that is rejected, by its ID":    {policy: scopes("docker", "r.example/app"), ref: id.String(), names: []string{"docker://r.example/app:1"}, refused: []string{": reject ("}},
	} {
		t.Run(name, func(t *testing.T) {
			policy := tt.policy
			if !strings.HasPrefix(policy, `{"default"`) {
				policy = `{"default": [` + policy + `]}`
			}
			err := mustLoad(t, policy).Accepts(parseRef(t, tt.ref), image.Image{ID: id, Kind: image.OCI, Names: tt.names, Evidence: tt.evidence})
			if len(tt.refused) == 0 {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if err == nil {
				t.Fatal("accepted")
			}
			for _, part := range tt.refused {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("%q lacks %q", err, part)
				}
			}
		})
	}
	t.Run("an ACI is no matter of policy.json", func(t *testing.T) {
		if err := mustLoad(t, "{"+rejectAll+"}").Accepts(parseRef(t, "/x.aci"), image.Image{ID: id, Kind: image.Appc}); err != nil {
			t.Error(err)
		}
	})
}

// BenchmarkAccepts is what a start costs: the policy, one key, one signature.
func BenchmarkAccepts(b *testing.B) {
	gpg := gpgtest.New(b)
	for _, algorithm := range []string{"ed25519", "rsa4096"} {
		b.Run(algorithm, func(b *testing.B) {
			key := gpg.Key(algorithm, algorithm, "never")
			dir := b.TempDir()
			if err := os.WriteFile(dir+"/k.gpg", gpg.Export(key), 0o644); err != nil {
				b.Fatal(err)
			}
			id := digest.FromString("x")
			img := image.Image{ID: id, Evidence: []image.Evidence{{Kind: image.SimpleSigning, Key: key, Identity: "r.example/a:1", Digest: id}}}
			ref := parseRef(b, "docker://r.example/a:1")
			p := mustLoad(b, `{"default": [{"type": "signedBy", "keyType": "GPGKeys", "keyPath": "`+dir+`/k.gpg"}]}`)
			for b.Loop() {
				if err := p.Accepts(ref, img); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
