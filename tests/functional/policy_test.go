package functional

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/raket/raket/stage0/trust/openpgp/gpgtest"
	"github.com/raket/raket/tests/images"
	"github.com/raket/raket/tests/registry"
	"github.com/raket/raket/tests/testhost"
)

const (
	policyFile = "/etc/raket/policy.json"
	// policyDir has keys and the lookaside.
	policyDir = "/srv/functional/policy"
)

// vendor signs images in a registry with other implementations' tools.
type vendor struct {
	*pods
	gpg      *gpgtest.Home
	home     string // gpg's
	registry *registry.Process
	dir      string // this machine's: cosign's keys, layouts
}

func (p *pods) newVendor(t *testing.T) *vendor {
	t.Helper()
	if _, err := exec.LookPath("openssl"); err != nil {
		testhost.SkipOrFail(t, "missing openssl (make deps installs it)")
	}
	v := &vendor{pods: p, gpg: gpgtest.New(t), registry: p.newRegistry(t, registry.Options{}), dir: t.TempDir()}
	for line := range strings.Lines(string(v.gpg.Run(nil, "--version"))) {
		if rest, ok := strings.CutPrefix(line, "Home: "); ok {
			v.home = strings.TrimSpace(rest)
		}
	}
	p.configure(t, map[string]string{"/etc/raket/registries.d/all.yaml": "default-docker:\n  lookaside: file://" + policyDir + "/sigs\n  use-sigstore-attachments: true\n"})
	t.Cleanup(func() {
		p.MustRun(t, "rm -rf "+policyDir+" "+policyFile+"; rmdir -p --ignore-fail-on-non-empty /etc/raket || true")
	})
	return v
}

// key makes an OpenPGP key. Its public part is on the host, as NAME.gpg.
func (v *vendor) key(t *testing.T, name string) (fingerprint string) {
	t.Helper()
	fingerprint = v.gpg.Key(name+" <"+name+"@raket.invalid>", "ed25519", "never")
	v.WriteFile(t, policyDir+"/"+name+".gpg", string(v.gpg.Export(fingerprint)), 0o644)
	return fingerprint
}

// cosignKey makes a key as cosign's are. Its public part is on the host, as NAME.pub.
func (v *vendor) cosignKey(t *testing.T, name string) {
	t.Helper()
	v.openssl(t, "", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", name+".key")
	v.WriteFile(t, policyDir+"/"+name+".pub", string(v.openssl(t, "", "pkey", "-in", name+".key", "-pubout")), 0o644)
}

func (v *vendor) openssl(t *testing.T, stdin string, args ...string) []byte {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "openssl", args...)
	cmd.Dir, cmd.Stdin = v.dir, strings.NewReader(stdin)
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("openssl %v: %v", args, err)
	}
	return out
}

// pushed is an image in the registry.
type pushed struct {
	repository string // as "team/hello"
	ref        string // HOST/team/hello:1
	digest     string
	manifest   string // this machine's file
}

// image is its name for raket.
func (i pushed) image() string { return "docker://" + i.ref }

// push makes and pushes an image, tagged 1; flags are skopeo's, for signing.
func (v *vendor) push(t *testing.T, repository string, flags ...string) pushed {
	t.Helper()
	img, err := hello(repository).Image()
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(v.dir, repository)
	if err := img.Layout(dir, images.Tag); err != nil {
		t.Fatal(err)
	}
	i := pushed{repository: repository, ref: v.registry.Addr + "/" + repository + ":1"}
	if i.digest, err = img.Digest(); err != nil {
		t.Fatal(err)
	}
	i.manifest = filepath.Join(dir, "blobs", strings.Replace(i.digest, ":", "/", 1))
	// What skopeo stages is at once where raket looks.
	staging := filepath.Join(v.dir, "registries.d")
	if err := os.MkdirAll(staging, 0o755); err != nil {
		t.Fatal(err)
	}
	text := "default-docker: {lookaside-staging: 'file://" + v.Path(policyDir+"/sigs") + "', sigstore-staging: 'file://" + v.Path(policyDir+"/sigs") + "'}\n"
	if err := os.WriteFile(filepath.Join(staging, "all.yaml"), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	args := []string{"GNUPGHOME=" + v.home, "skopeo", "--registries.d", staging, "copy", "--quiet", "--dest-tls-verify=false"}
	if err := v.registry.Command(t.Context(), "env", append(append(args, flags...), "oci:"+dir+":"+images.Tag, i.image())...); err != nil {
		t.Fatal(err)
	}
	return i
}

// sign puts a signature of an image, as what ref says, into the lookaside.
func (v *vendor) sign(t *testing.T, i pushed, fingerprint, ref string) {
	t.Helper()
	at := v.Path(policyDir + "/sigs/" + i.repository + "@" + strings.Replace(i.digest, ":", "=", 1) + "/signature-1")
	if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := v.registry.Command(t.Context(), "env", "GNUPGHOME="+v.home, "skopeo", "standalone-sign", i.manifest, ref, fingerprint, "-o", at); err != nil {
		t.Fatal(err)
	}
}

// cosign puts a signature of an image, as what ref says, beside it.
func (v *vendor) cosign(t *testing.T, i pushed, key, ref string) {
	t.Helper()
	v.cosignAs(t, i, key, ref, i.digest)
}

// cosignAs puts a signature of whatever has the digest beside an image.
func (v *vendor) cosignAs(t *testing.T, i pushed, key, ref, digest string) {
	t.Helper()
	payload := fmt.Sprintf(`{"critical":{"identity":{"docker-reference":%q},"image":{"docker-manifest-digest":%q},"type":"cosign container image signature"},"optional":null}`, ref, digest)
	signature := v.openssl(t, payload, "dgst", "-sha256", "-sign", key+".key")
	if err := v.registry.Attach(t.Context(), i.repository, i.digest, []byte(payload), signature); err != nil {
		t.Fatal(err)
	}
}

// policy writes the host's. Requirements of the registry's images stand in line 4.
func (v *vendor) policy(t *testing.T, requirement string) {
	t.Helper()
	v.WriteFile(t, policyFile, "{\n\"default\": [{\"type\": \"reject\"}],\n\"transports\": {\"docker\": {\""+v.registry.Addr+"\":\n["+requirement+"]}}\n}\n", 0o644)
}

const anything = `{"type": "insecureAcceptAnything"}`

func signedBy(key string) string {
	return `{"type": "signedBy", "keyType": "GPGKeys", "keyPath": "` + policyDir + "/" + key + `.gpg"}`
}

func sigstoreSigned(key string) string {
	return `{"type": "sigstoreSigned", "keyPath": "` + policyDir + "/" + key + `.pub"}`
}

func TestThePolicyDecidesWhichImagesRun(t *testing.T) {
	p := newPods(t)
	v := p.newVendor(t)
	good, other := v.key(t, "good"), v.key(t, "other")
	v.cosignKey(t, "good")
	v.cosignKey(t, "other")
	runs := func(t *testing.T, i pushed) {
		t.Helper()
		if got := p.with("").accepted(t, oneApp(i.image())...); got != "hello "+i.repository {
			t.Errorf("the app says %q", got)
		}
	}
	const hintSign, hintCosign = "skopeo standalone-sign or --sign-by…lookaside in registries.d", "cosign sign --key"
	where := func(kind string) string { return kind + " (" + policyFile + ":4, scope docker " }
	unsigned := v.push(t, "unsigned")

	t.Run("what the default rejects", func(t *testing.T) {
		p.WriteFile(t, policyFile, "{\n \"default\": [\n  {\"type\": \"reject\"}]}", 0o644)
		p.refused(t, "policy refuses "+unsigned.image()+": reject ("+policyFile+":3, scope default)", "said in that file", oneApp(unsigned.image())...)
		p.refused(t, "policy refuses "+busybox+": reject", "said in that file", "fetch", "--quiet", busybox)
	})
	t.Run("a policy with a key that is not known", func(t *testing.T) {
		p.WriteFile(t, policyFile, "{\n \"default\": [\n  {\"type\": \"reject\", \"keyPath\": \"/x\"}]}", 0o644)
		p.refused(t, "read policy "+policyFile+": …3…keyPath", "", oneApp(unsigned.image())...)
		v.policy(t, strings.Replace(signedBy("good"), "keyPath", "keyFile", 1))
		p.refused(t, "read policy "+policyFile+": …4…keyFile", "", oneApp(unsigned.image())...)
	})
	t.Run("signed by skopeo", func(t *testing.T) {
		v.policy(t, signedBy("good"))
		p.refused(t, "policy refuses "+unsigned.image()+": "+where("signedBy"), hintSign, oneApp(unsigned.image())...)
		i := v.push(t, "signed", "--sign-by", good)
		runs(t, i)
		if got := p.must(t, "image", "list", "--no-legend", "--fields=name,signature"); !inOrder(got, i.image()+"…simple "+good[len(good)-16:]) {
			t.Errorf("listed is %q", got)
		}
		wrong := v.push(t, "wrong-key", "--sign-by", other)
		p.refused(t, where("signedBy")+"…"+other, "", oneApp(wrong.image())...)
		moved := v.push(t, "moved")
		v.sign(t, moved, good, v.registry.Addr+"/elsewhere:1")
		p.refused(t, where("signedBy")+"…elsewhere:1", "signedIdentity", oneApp(moved.image())...)
	})
	t.Run("signed as cosign does", func(t *testing.T) {
		v.policy(t, sigstoreSigned("good"))
		p.refused(t, where("sigstoreSigned"), hintCosign, oneApp(unsigned.image())...)
		i := v.push(t, "cosigned")
		v.cosign(t, i, "good", i.ref)
		runs(t, i)
		wrong := v.push(t, "cosigned-by-other")
		v.cosign(t, wrong, "other", wrong.ref)
		p.refused(t, where("sigstoreSigned"), "", oneApp(wrong.image())...)
		moved := v.push(t, "cosigned-moved")
		v.cosign(t, moved, "good", v.registry.Addr+"/elsewhere:1")
		p.refused(t, where("sigstoreSigned")+"…elsewhere:1", "signedIdentity", oneApp(moved.image())...)
		// The signature of one image does not vouch for another.
		swapped := v.push(t, "cosigned-swapped")
		v.cosignAs(t, swapped, "good", swapped.ref, i.digest)
		p.refused(t, where("sigstoreSigned"), "", oneApp(swapped.image())...)
	})
	for kind, tt := range map[string]struct {
		push             func(t *testing.T, repository string) pushed
		require          func(key string) string
		sign             func(t *testing.T, i pushed)
		hintSign, nobody string
	}{
		"signedBy": {
			func(t *testing.T, repository string) pushed { return v.push(t, repository, "--sign-by", good) }, signedBy,
			func(t *testing.T, i pushed) { v.sign(t, i, good, i.ref) }, hintSign, good,
		},
		"sigstoreSigned": {
			func(t *testing.T, repository string) pushed {
				i := v.push(t, repository)
				v.cosign(t, i, "good", i.ref)
				return i
			}, sigstoreSigned, func(t *testing.T, i pushed) { v.cosign(t, i, "good", i.ref) }, hintCosign, "",
		},
	} {
		t.Run("a key that is taken out of the policy, and put back: "+kind, func(t *testing.T) {
			v.policy(t, tt.require("good"))
			i := tt.push(t, "kept-"+strings.ToLower(kind))
			id := p.must(t, "fetch", "--quiet", i.image())
			runs(t, i)
			v.policy(t, tt.require("other"))
			p.refused(t, "policy refuses "+i.image()+": "+where(kind)+"…"+tt.nobody, "", oneApp(i.image())...)
			p.refused(t, where(kind)+"…not among the policy's", "--pull-policy=update", oneApp(id)...)
			p.refused(t, where(kind)+"…not among the policy's", "--pull-policy=update", append(oneApp(i.image()), "--pull-policy=never")...)
			v.policy(t, tt.require("good"))
			// What was checked is kept: nobody is asked.
			if got := p.with("unshare --net").accepted(t, oneApp(i.image())...); got != "hello "+i.repository {
				t.Errorf("the app says %q", got)
			}
		})
		t.Run("an image that is signed later: "+kind, func(t *testing.T) {
			v.policy(t, anything)
			i := v.push(t, "later-"+strings.ToLower(kind))
			runs(t, i)
			v.policy(t, tt.require("good"))
			p.refused(t, where(kind), tt.hintSign, oneApp(i.image())...)
			tt.sign(t, i)
			runs(t, i)
		})
	}
}
