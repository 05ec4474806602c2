package policy

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io/fs"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/opencontainers/go-digest"

	"github.com/raket/raket/pkg/image"
	"github.com/raket/raket/tests/registry"
)

// extended is a repository whose registry keeps signatures itself.
type extended struct {
	repository
	answer []byte
	err    error
}

func (e extended) SignatureExtension(context.Context, digest.Digest) ([]byte, error) {
	return e.answer, e.err
}

// signedMessage is one as gpg makes it, of a payload of simple signing.
func (l *lab) signedMessage(fingerprint, reference, manifest string) []byte {
	payload := `{"critical":{"type":"atomic container signature","image":{"docker-manifest-digest":"` + digest.FromString(manifest).String() +
		`"},"identity":{"docker-reference":"` + reference + `"}},"optional":{}}`
	return l.gpg.Run([]byte(payload), "--local-user", fingerprint, "--sign")
}

func TestCheck(t *testing.T) {
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
	good, other := l.openpgpKey("good"), l.openpgpKey("other")
	l.cosignKey("good")
	l.cosignKey("other")
	repo := func(name string) repository {
		return repository{t, "http://" + server.Addr + "/v2/" + name + "/"}
	}
	manifest := repo("app").image("1", "app")
	const index = "the index that led to it"
	l.sign(good, "r.example/app:1", manifest, "app", 1)
	l.sign(good, "r.example/by-index:1", index, "by-index", 1)
	l.sign(other, "r.example/other:1", manifest, "other", 1)
	for n, text := range []string{"", "not\x1b[2J", "x"} {
		l.write("sigs/bad@sha256="+digest.FromString(manifest).Encoded()+"/signature-"+string(rune('1'+n)), text)
	}
	l.write("sigs/moved@sha256="+digest.FromString(manifest).Encoded()+"/signature-1", string(l.signedMessage(good, "r.example/moved:1", "another")))
	payload, signature := l.cosigned("good", "r.example/co", manifest)
	repo("co").image("1", "app")
	repo("co").attach(manifest, payload, signature)
	l.write("off.d/x.yaml", "docker: {r.example: {use-sigstore-attachments: false}}")

	gpg := `{"type": "signedBy", "keyType": "GPGKeys", "keyPath": "` + l.dir + `/good.gpg"}`
	inData := `{"type": "signedBy", "keyType": "GPGKeys", "keyData": "` + base64.StdEncoding.EncodeToString(l.gpg.Export(good)) + `"}`
	both := `{"type": "signedBy", "keyType": "GPGKeys", "keyPaths": ["` + l.dir + `/other.gpg", "` + l.dir + `/good.gpg"]}`
	cosign := `{"type": "sigstoreSigned", "keyPaths": ["` + l.dir + `/other.pub", "` + l.dir + `/good.pub"], "signedIdentity": {"type": "matchRepository"}}`
	extension, err := json.Marshal(map[string]any{"signatures": []any{
		map[string]any{"schemaVersion": 2, "name": "x", "type": "atomic", "content": l.signedMessage(good, "r.example/ext:1", manifest)},
		map[string]any{"schemaVersion": 1, "type": "atomic", "content": []byte("x")},
	}})
	if err != nil {
		t.Fatal(err)
	}

	for name, tt := range map[string]struct {
		requirements string
		dirs         string // of registries.d
		ref          string
		subject      Subject // without Ref; one digest by default
		want         []image.Evidence
		refused      []string
		hint         string
	}{
		"a signature in the lookaside": {requirements: gpg, ref: "docker://r.example/app:1", want: []image.Evidence{
			{Kind: image.SimpleSigning, Key: good, Signer: "good <good@example.com>", Identity: "r.example/app:1", Digest: digest.FromString(manifest)},
		}},
		"a key within the policy": {requirements: inData, ref: "docker://r.example/app:1", want: []image.Evidence{
			{Kind: image.SimpleSigning, Key: good, Signer: "good <good@example.com>", Identity: "r.example/app:1", Digest: digest.FromString(manifest)},
		}},
		"one of several keys": {requirements: both, ref: "docker://r.example/other:1", want: []image.Evidence{
			{Kind: image.SimpleSigning, Key: other, Signer: "other <other@example.com>", Identity: "r.example/other:1", Digest: digest.FromString(manifest)},
		}},
		"a signature of the index": {requirements: gpg, ref: "docker://r.example/by-index:1",
			subject: Subject{Digests: []digest.Digest{digest.FromString(manifest), digest.FromString(index)}}, want: []image.Evidence{
				{Kind: image.SimpleSigning, Key: good, Signer: "good <good@example.com>", Identity: "r.example/by-index:1", Digest: digest.FromString(index)},
			}},
		"a signature that the registry keeps": {requirements: gpg, ref: "docker://r.example/ext:1",
			subject: Subject{Attachments: extended{repo("app"), extension, nil}}, want: []image.Evidence{
				{Kind: image.SimpleSigning, Key: good, Signer: "good <good@example.com>", Identity: "r.example/ext:1", Digest: digest.FromString(manifest)},
			}},
		"cosign's, which names no tag": {requirements: cosign, dirs: "no.d", ref: "docker://r.example/co:1", subject: Subject{Attachments: repo("co")}, want: []image.Evidence{
			{Kind: image.Sigstore, Identity: "r.example/co", Digest: digest.FromString(manifest)},
		}},
		"no signature": {requirements: gpg, ref: "docker://r.example/none:1",
			refused: []string{"policy refuses docker://r.example/none:1: signedBy (", `policy.json:1, scope default): it has no signature`}, hint: "sign it with skopeo"},
		"a registry without such an API": {requirements: gpg, ref: "docker://r.example/none:1",
			subject: Subject{Attachments: extended{repo("app"), nil, fs.ErrNotExist}}, refused: []string{"it has no signature"}, hint: "sign it"},
		"a registry whose API fails": {requirements: gpg, ref: "docker://r.example/none:1",
			subject: Subject{Attachments: extended{repo("app"), nil, errors.New("answered\n500")}}, refused: []string{"the registry's signatures: answered; 500"}},
		"a registry whose API fails, and a good signature": {requirements: gpg, ref: "docker://r.example/app:1",
			subject: Subject{Attachments: extended{repo("app"), []byte("["), nil}}, want: []image.Evidence{
				{Kind: image.SimpleSigning, Key: good, Signer: "good <good@example.com>", Identity: "r.example/app:1", Digest: digest.FromString(manifest)},
			}},
		"a signature by another key": {requirements: gpg, ref: "docker://r.example/other:1",
			refused: []string{"other@…/signature-1: signed by key " + other + ", which is not trusted"}},
		"a signature of another name": {requirements: gpg, ref: "docker://r.example/app:2",
			refused: []string{`by key ` + good + `: it is for "r.example/app:1", not r.example/app:2`}, hint: "signedIdentity"},
		"a signature of another image": {requirements: gpg, ref: "docker://r.example/moved:1",
			refused: []string{"by key " + good + ": it is for another image, " + digest.FromString("another").String()[:19]}},
		"signatures that are none":               {requirements: gpg, ref: "docker://r.example/bad:1", refused: []string{"signature-1: ", "; ", "signature-2: ", "signature-3: "}},
		"a lookaside that can't be read":         {requirements: gpg, dirs: "broken.d", ref: "docker://r.example/app:1", refused: []string{"read where signatures are: ", `broken.d/x.yaml:1: key "x": unknown`}},
		"an image from a directory":              {requirements: gpg, ref: "oci:/x", refused: []string{"images of oci: have no such signatures"}},
		"cosign's, of an image from a directory": {requirements: cosign, ref: "oci:/x", refused: []string{"images of oci: have no such signatures"}},
		"cosign's, where registries.d says no":   {requirements: cosign, dirs: "off.d", ref: "docker://r.example/co:1", subject: Subject{Attachments: repo("co")}, refused: []string{"off.d/x.yaml:1 says not to look for them"}},
		"cosign's, by the usual rule": {requirements: strings.Replace(cosign, "matchRepository", "matchRepoDigestOrExact", 1), ref: "docker://r.example/co:1", subject: Subject{Attachments: repo("co")},
			refused: []string{`it is for "r.example/co", which has no tag`}, hint: `"signedIdentity": {"type": "matchRepository"}`},
		"cosign's, by another key": {requirements: strings.Replace(cosign, `, "`+l.dir+`/good.pub"`, "", 1), ref: "docker://r.example/co:1", subject: Subject{Attachments: repo("co")},
			refused: []string{".sig: not made by a key of the policy"}},
		"a key that is missing":             {requirements: strings.Replace(gpg, "good", "gone", 1), ref: "docker://r.example/app:1", refused: []string{"gone.gpg: no such file"}},
		"a key that is none":                {requirements: strings.Replace(gpg, "good.gpg", "off.d/x.yaml", 1), ref: "docker://r.example/app:1", refused: []string{"off.d/x.yaml: read OpenPGP key: "}},
		"one good key and one that is none": {requirements: strings.Replace(both, "other.gpg", "good.pub", 1), ref: "docker://r.example/app:1", refused: []string{"good.pub: read OpenPGP key: "}},
		"keyless signing": {requirements: `{"type": "sigstoreSigned", "fulcio": {}, "rekorPublicKeyPath": "/r"}`, ref: "docker://r.example/co:1", subject: Subject{Attachments: repo("co")},
			refused: []string{"key rekorPublicKeyPath is of keyless signing, which raket does not check"}, hint: "keyPath"},
		"a key and a transparency log": {requirements: strings.Replace(cosign, `"signedIdentity"`, `"rekorPublicKeyData": "AAAA", "signedIdentity"`, 1), ref: "docker://r.example/co:1", subject: Subject{Attachments: repo("co")},
			refused: []string{"key rekorPublicKeyData is of keyless signing"}, hint: "keyPath"},
		"the second of two requirements": {requirements: gpg + ", " + cosign, ref: "docker://r.example/app:1", subject: Subject{Attachments: repo("app")}, refused: []string{": sigstoreSigned (", "it has no signature"}, hint: "cosign"},
		"an acceptance and a rejection":  {requirements: `{"type": "insecureAcceptAnything"}, {"type": "reject"}`, ref: "docker://r.example/app:1", refused: []string{": reject ("}, hint: "that file"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dirs := tt.dirs
			if dirs == "" {
				dirs = "registries.d"
			}
			if dirs == "broken.d" {
				l.write("broken.d/x.yaml", "x: y")
			}
			p := mustLoad(t, `{"default": [`+tt.requirements+`]}`)
			p.lookasideDirs = []string{l.dir + "/" + dirs}
			s := tt.subject
			s.Ref = parseRef(t, tt.ref)
			if s.Digests == nil {
				s.Digests = []digest.Digest{digest.FromString(manifest)}
			}
			got, err := p.Check(t.Context(), s)
			if len(tt.refused) > 0 {
				checkRefused(t, err, tt.refused, tt.hint)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got, cmpopts.IgnoreFields(image.Evidence{}, "Signed"), cmp.FilterPath(func(p cmp.Path) bool { return p.String() == "Key" }, cmp.Comparer(sameKey))); diff != "" {
				t.Errorf("evidence (-want +got):\n%s", diff)
			}
			for _, e := range got {
				if e.Kind == image.SimpleSigning && time.Since(e.Signed) > time.Hour {
					t.Errorf("signed %s", e.Signed)
				}
			}
		})
	}
	t.Run("who gives up waiting gets no verdict", func(t *testing.T) {
		p := mustLoad(t, `{"default": [`+gpg+`]}`)
		p.lookasideDirs = []string{l.dir + "/registries.d"}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := p.Check(ctx, Subject{Ref: parseRef(t, "docker://r.example/app:1")}); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
	})
}

// sameKey compares keys; those of openssl have no name that is known before.
func sameKey(a, b string) bool {
	return a == b || a == "" && strings.HasPrefix(b, "sha256:") || b == "" && strings.HasPrefix(a, "sha256:")
}

func checkRefused(t *testing.T, err error, parts []string, hint string) {
	t.Helper()
	var refused *RefusedError
	if !errors.As(err, &refused) {
		t.Fatalf("got %v, want a refusal", err)
	}
	text := err.Error()
	for _, part := range parts {
		if !strings.Contains(text, part) {
			t.Errorf("%q lacks %q", text, part)
		}
	}
	if strings.ContainsAny(text, "\n\x1b") {
		t.Errorf("control characters in %q", text)
	}
	if (hint == "") != (refused.Hint() == "") || !strings.Contains(refused.Hint(), hint) {
		t.Errorf("hint %q, want %q", refused.Hint(), hint)
	}
}
