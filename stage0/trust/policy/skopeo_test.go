package policy

import (
	"errors"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/go-digest"

	"github.com/raket/raket/tests/registry"
)

// TestAsSkopeo has a table of images and policies judged by skopeo and by this
// package: both must come to the same.
func TestAsSkopeo(t *testing.T) {
	l := newLab(t)
	server, err := registry.Local()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	})
	host := server.Addr
	good, other := l.openpgpKey("good"), l.openpgpKey("other")
	l.cosignKey("good")
	l.cosignKey("other")

	repo := func(name string) repository { return repository{t, "http://" + host + "/v2/" + name + "/"} }
	manifests := make(map[string]string)
	image := func(name string) string {
		manifests[name] = repo(name).image("1", name)
		return manifests[name]
	}
	// Each image is HOST/NAME:1. What is signed as what, and by whom:
	image("none")
	l.mustRun("", "skopeo", "--registries.d", l.dir+"/registries.d", "copy", "--src-tls-verify=false", "--dest-tls-verify=false",
		"--sign-by", good, "docker://"+host+"/none:1", "docker://"+host+"/copied:1")
	manifests["copied"] = manifests["none"]
	l.sign(good, host+"/tag:1", image("tag"), "tag", 1)
	l.sign(good, host+"/another-tag:2", image("another-tag"), "another-tag", 1)
	l.sign(good, "vendor.example/mirrored:1", image("mirrored"), "mirrored", 1)
	l.sign(other, host+"/other-key:1", image("other-key"), "other-key", 1)
	l.sign(good, host+"/digest@"+digest.FromString(image("digest")).String(), manifests["digest"], "digest", 1)
	l.sign(other, host+"/second:1", image("second"), "second", 1)
	l.sign(good, host+"/second:1", manifests["second"], "second", 2)
	l.sign(good, host+"/both:1", image("both"), "both", 1)
	l.write("sigs/garbage@sha256="+digest.FromString(image("garbage")).Encoded()+"/signature-1", "garbage")
	// A good signature of another image, put where this one's are.
	l.sign(good, host+"/moved:1", manifests["none"], "moved", 1)
	image("moved")
	if err := os.Rename(l.dir+"/sigs/moved@sha256="+digest.FromString(manifests["none"]).Encoded(), l.dir+"/sigs/moved@sha256="+digest.FromString(manifests["moved"]).Encoded()); err != nil {
		t.Fatal(err)
	}
	cosigned := func(name, key, reference, manifest string) {
		payload, signature := l.cosigned(key, reference, manifest)
		repo(name).attach(manifests[name], payload, signature)
	}
	cosigned("both", "good", host+"/both:1", manifests["both"])
	cosigned("co-repository", "good", host+"/co-repository", image("co-repository"))
	cosigned("co-tag", "good", host+"/co-tag:1", image("co-tag"))
	cosigned("co-other-key", "other", host+"/co-other-key:1", image("co-other-key"))
	image("co-moved")
	cosigned("co-moved", "good", host+"/co-moved:1", manifests["none"])

	gpg := func(file, identity string) string {
		return `{"type": "signedBy", "keyType": "GPGKeys", "keyPath": "` + l.dir + "/" + file + `"` + identity + `}`
	}
	cosign := func(file, identity string) string {
		return `{"type": "sigstoreSigned", "keyPath": "` + l.dir + "/" + file + `"` + identity + `}`
	}
	rule := func(fields string) string { return `, "signedIdentity": {"type": ` + fields + `}` }
	everywhere := func(requirements string) string { return `{"default": [` + requirements + `]}` }
	scoped := func(scope, requirements string) string {
		return `{"default": [{"type": "reject"}], "transports": {"docker": {"` + scope + `": [` + requirements + `]}}}`
	}
	policies := map[string]struct {
		policy string
		want   string // the images that are accepted
	}{
		"anything":                    {everywhere(`{"type": "insecureAcceptAnything"}`), strings.Join(slices.Sorted(maps.Keys(manifests)), " ")},
		"nothing":                     {everywhere(`{"type": "reject"}`), ""},
		"signed":                      {everywhere(gpg("good.gpg", "")), "both copied second tag"},
		"signed exactly":              {everywhere(gpg("good.gpg", rule(`"matchExact"`))), "both copied second tag"},
		"signed in the repository":    {everywhere(gpg("good.gpg", rule(`"matchRepository"`))), "another-tag both copied digest second tag"},
		"signed as that":              {everywhere(gpg("good.gpg", rule(`"exactReference", "dockerReference": "vendor.example/mirrored:1"`))), "mirrored"},
		"signed in that repository":   {everywhere(gpg("good.gpg", rule(`"exactRepository", "dockerRepository": "vendor.example/mirrored"`))), "mirrored"},
		"signed by the vendor":        {everywhere(gpg("good.gpg", rule(`"remapIdentity", "prefix": "`+host+`", "signedPrefix": "vendor.example"`))), "mirrored"},
		"signed by two":               {everywhere(gpg("good.gpg", "") + ", " + gpg("other.gpg", "")), "second"},
		"a repository of the host":    {scoped(host+"/tag", gpg("good.gpg", "")), "tag"},
		"a tag of it":                 {scoped(host+"/tag:1", `{"type": "insecureAcceptAnything"}`), "tag"},
		"a wildcard":                  {scoped("*.0.0.1", gpg("good.gpg", "")), "both copied second tag"},
		"a key that is missing":       {everywhere(gpg("missing.gpg", "")), ""},
		"cosigned":                    {everywhere(cosign("good.pub", "")), "both co-tag"},
		"cosigned in the repository":  {everywhere(cosign("good.pub", rule(`"matchRepository"`))), "both co-repository co-tag"},
		"cosigned in that repository": {everywhere(cosign("good.pub", rule(`"exactRepository", "dockerRepository": "`+host+`/co-tag"`))), "co-tag"},
		"signed and cosigned":         {everywhere(gpg("good.gpg", "") + ", " + cosign("good.pub", "")), "both"},
		"the wrong kind of key":       {everywhere(cosign("good.gpg", "")), ""},
	}
	// By digest, in their own repositories.
	byDigest := map[string]string{
		"anything": "another-tag digest", "signed": "another-tag digest", "signed exactly": "digest", "signed in the repository": "another-tag digest",
		"a wildcard": "another-tag digest",
	}
	for name, tt := range policies {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			file := l.write(strings.ReplaceAll(name, " ", "-")+".json", tt.policy)
			p, err := Load(Options{Paths: []string{file}, LookasideDirs: []string{l.dir + "/registries.d"}})
			if err != nil {
				t.Fatal(err)
			}
			judge := func(image, suffix string) bool {
				ref := "docker://" + host + "/" + image + suffix
				evidence, ours := p.Check(t.Context(), Subject{
					Ref: parseRef(t, ref), Digests: []digest.Digest{digest.FromString(manifests[image])}, Attachments: repo(image),
				})
				_, theirs := l.run("", "skopeo", "--policy", file, "--registries.d", l.dir+"/registries.d", "copy",
					"--src-tls-verify=false", "--remove-signatures", ref, "dir:"+t.TempDir())
				switch {
				case theirs == nil && ours == nil:
				case theirs != nil && strings.Contains(theirs.Error(), "sigstore disabled"):
					// Debian's skopeo 1.9 has it taken out; what is wanted stands above.
				case theirs != nil && !strings.Contains(theirs.Error(), "Source image rejected"):
					t.Errorf("%s: skopeo could not say: %v", image, theirs)
				case theirs == nil || ours == nil:
					t.Errorf("%s%s: skopeo says %v, we say %v (%v)", image, suffix, theirs, ours, evidence)
				}
				if refused := (*RefusedError)(nil); ours != nil && !errors.As(ours, &refused) {
					t.Errorf("%s%s: %v is no *RefusedError", image, suffix, ours)
				}
				return ours == nil
			}
			var tagged, digested []string
			for _, image := range slices.Sorted(maps.Keys(manifests)) {
				if judge(image, ":1") {
					tagged = append(tagged, image)
				}
			}
			for _, image := range []string{"another-tag", "digest", "mirrored"} {
				if strings.HasPrefix(name, "signed by") || strings.Contains(name, "that") || name == "anything" && image == "mirrored" {
					continue
				}
				if judge(image, "@"+digest.FromString(manifests[image]).String()) {
					digested = append(digested, image)
				}
			}
			if diff := cmp.Diff(tt.want, strings.Join(tagged, " ")); diff != "" {
				t.Errorf("accepted by tag (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(byDigest[name], strings.Join(digested, " ")); diff != "" {
				t.Errorf("accepted by digest (-want +got):\n%s", diff)
			}
		})
	}
}
