package policy

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/raket/raket/pkg/image"
)

func parseRef(t testing.TB, s string) image.Ref {
	t.Helper()
	ref, err := image.Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return ref
}

// load is the policy of a file, without any lookaside.
func load(t testing.TB, content string) (*Policy, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "policy.json")
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
	return Load(Options{Paths: []string{path + ".no", path}, LookasideDirs: []string{}})
}

func mustLoad(t testing.TB, content string) *Policy {
	t.Helper()
	p, err := load(t, content)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

const rejectAll = `"default": [{"type": "reject"}]`

// keys of a requirement of type signedBy, and identity.
func by(fields string) string {
	return `{` + rejectAll + `, "transports": {"docker": {"r.example": [{"type": "signedBy", ` + fields + `}]}}}`
}

func sigstoreBy(fields string) string {
	return `{` + rejectAll + `, "transports": {"docker": {"r.example": [{"type": "sigstoreSigned", ` + fields + `}]}}}`
}

func docker(scope string) string {
	return `{` + rejectAll + `, "transports": {"docker": {"` + scope + `": [{"type": "reject"}]}}}`
}

func TestLoadRefuses(t *testing.T) {
	const key = `"keyType": "GPGKeys", "keyPath": "/k"`
	at := `key transports.docker."r.example"[0]`
	for name, tt := range map[string]struct{ content, want string }{
		"an empty file":                      {"", "line 1: not JSON: unexpected end of JSON input"},
		"a file that is far too large":       {strings.Repeat(" ", maxFileBytes+1), "larger than 1024 KiB"},
		"comments":                           {"{\n/* none */}", "line 2: not JSON: invalid character '/' looking for beginning of object key string"},
		"a list":                             {"[]", "line 1: must be an object"},
		"no default":                         {"{}", "line 1: key default is missing"},
		"an unknown key":                     {"{" + rejectAll + ",\n\"defaults\": []}", "line 2: key defaults: unknown"},
		"a key in another case":              {`{"Default": []}`, "line 1: key Default: unknown"},
		"a key twice":                        {"{" + rejectAll + ",\n" + rejectAll + "}", "line 2: key default: stands twice"},
		"a default of no requirements":       {`{"default": []}`, "line 1: key default: must not be empty: write insecureAcceptAnything for no requirement"},
		"a default of null":                  {`{"default": null}`, "line 1: key default: must be an array"},
		"a requirement without a type":       {`{"default": [{}]}`, "line 1: key default[0]: key type is missing"},
		"a type nobody knows":                {"{\"default\": [\n{\"type\": \"accept\"}]}", `line 2: key default[0].type: unknown type "accept"`},
		"a type that is none":                {`{"default": [{"type": 1}]}`, "line 1: key default[0].type: must be a string"},
		"more than the type to reject":       {`{"default": [{"type": "reject", "why": "x"}]}`, "line 1: key default[0].why: unknown, type reject has no such key"},
		"more than the type to accept":       {`{"default": [{"type": "insecureAcceptAnything", "keyPath": "/x"}]}`, "line 1: key default[0].keyPath: unknown, type insecureAcceptAnything has no such key"},
		"a scope that stands twice":          {`{` + rejectAll + `, "transports": {"docker": {"r.example": [{"type": "reject"}], "r.example": [{"type": "reject"}]}}}`, `key transports.docker."r.example": stands twice`},
		"a scope in two cases":               {`{` + rejectAll + `, "transports": {"docker": {"r.example": [{"type": "reject"}], "R.Example": [{"type": "reject"}]}}}`, `key transports.docker."R.Example": stands twice`},
		"a scope that fits no image":         {docker("exa*.com"), `key transports.docker."exa*.com": "exa*.com" fits no image: bad registry host "exa*.com"`},
		"a scope of a path that is relative": {`{` + rejectAll + `, "transports": {"oci": {"a": [{"type": "reject"}]}}}`, "key transports.oci.a: must be an absolute path"},
		"a scope of the root directory":      {`{` + rejectAll + `, "transports": {"oci": {"/": [{"type": "reject"}]}}}`, `key transports.oci."/": write "" for everywhere`},
		"a scope of a path that is not tidy": {`{` + rejectAll + `, "transports": {"oci-archive": {"/a/../b/": [{"type": "reject"}]}}}`, "write /b"},
		"an unknown transport's requirement": {`{` + rejectAll + `, "transports": {"atomic": {"x": [{"type": "x"}]}}}`, `key transports.atomic.x[0].type: unknown type "x"`},
		"a transport of requirements":        {`{` + rejectAll + `, "transports": {"docker": [{"type": "reject"}]}}`, "key transports.docker: must be an object"},
		"signedBy without keys":              {by(`"keyType": "GPGKeys"`), at + ": one of keyPath, keyPaths and keyData is missing"},
		"signedBy without a key type":        {by(`"keyPath": "/k"`), at + ": key keyType is missing"},
		"signedBy of other keys":             {by(`"keyType": "X509Certificates", "keyPath": "/k"`), at + `.keyType: unknown type "X509Certificates", want GPGKeys`},
		"signedBy with cosign's keys":        {by(key + `, "keyDatas": []`), at + ".keyDatas: unknown, type signedBy has no such key"},
		"keys from two places":               {by(key + `, "keyData": "AAAA"`), at + ".keyData: only one of"},
		"keys from a relative path":          {by(`"keyType": "GPGKeys", "keyPath": "k"`), at + `.keyPath: "k" is not an absolute path`},
		"keys from no paths":                 {by(`"keyType": "GPGKeys", "keyPaths": []`), at + ".keyPaths: must not be empty"},
		"keys from a path of nothing":        {by(`"keyType": "GPGKeys", "keyPaths": ["/k", ""]`), at + ".keyPaths[1]: must not be empty"},
		"keys that are no base64":            {by(`"keyType": "GPGKeys", "keyData": "-"`), at + ".keyData: not base64"},
		"an identity of nothing":             {by(key + `, "signedIdentity": {}`), at + ".signedIdentity: key type is missing"},
		"an identity nobody knows":           {by(key + `, "signedIdentity": {"type": "any"}`), at + `.signedIdentity.type: unknown type "any"`},
		"an identity with something else":    {by(key + `, "signedIdentity": {"type": "matchExact", "dockerReference": "x:1"}`), at + ".signedIdentity.dockerReference: unknown, type matchExact has no such key"},
		"an identity that lacks something":   {by(key + `, "signedIdentity": {"type": "remapIdentity", "prefix": "r.example"}`), at + ".signedIdentity: key signedPrefix is missing"},
		"an identity that is no reference":   {by(key + `, "signedIdentity": {"type": "exactReference", "dockerReference": "r.example/a"}`), at + `.signedIdentity: "r.example/a" has neither tag nor digest`},
		"sigstoreSigned without keys":        {sigstoreBy(`"signedIdentity": {"type": "matchRepository"}`), at + ": one of keyPath, keyPaths, keyData and keyDatas is missing"},
		"sigstoreSigned with a key type":     {sigstoreBy(key), at + ".keyType: unknown, type sigstoreSigned has no such key"},
		"a transparency log nobody knows":    {sigstoreBy(`"keyPath": "/k", "rekorPublicKey": "/r"`), at + ".rekorPublicKey: unknown, type sigstoreSigned has no such key"},
		"a key with control characters":      {`{"` + `\u001b[2J` + `": 1}`, `line 1: key "\x1b[2J": unknown`},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := load(t, tt.content)
			if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), "read policy /") || !strings.Contains(err.Error(), "policy.json: ") {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}

func TestLoadTakesTheFirstFile(t *testing.T) {
	dir := t.TempDir()
	write := func(name, content string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	a, b, bad := write("a", "{"+rejectAll+"}"), write("b", `{"default": [{"type": "insecureAcceptAnything"}]}`), write("bad", "{")
	t.Run("that exists", func(t *testing.T) {
		p, err := Load(Options{Paths: []string{dir + "/no", a, bad}})
		if err != nil || p.File() != a || p.byDefault[0].kind != reject {
			t.Errorf("%+v, %v", p, err)
		}
	})
	t.Run("and none after one that is broken", func(t *testing.T) {
		if _, err := Load(Options{Paths: []string{bad, b}}); err == nil {
			t.Error("no error")
		}
	})
	t.Run("nor after one that can't be read", func(t *testing.T) {
		if _, err := Load(Options{Paths: []string{dir, b}}); err == nil {
			t.Error("no error")
		}
	})
	t.Run("and where there is none every image is accepted", func(t *testing.T) {
		p, err := Load(Options{Paths: []string{dir + "/no"}})
		if err != nil || p.File() != "" {
			t.Fatalf("%+v, %v", p, err)
		}
		if found, err := p.Check(t.Context(), Subject{Ref: parseRef(t, "docker://x")}); len(found) != 0 || err != nil {
			t.Errorf("%v, %v", found, err)
		}
	})
	t.Run("of the user's, the host's, the vendor's and containers'", func(t *testing.T) {
		want := []string{"/u/policy.json", "/etc/raket/policy.json", "/usr/lib/raket/policy.json", "/etc/containers/policy.json"}
		if diff := cmp.Diff(want, Files("/usr/lib/raket", "/etc/raket", "/u")); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(want[1:], Files("/usr/lib/raket", "/etc/raket", "")); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

// full is a policy with everything in it.
const full = `{
    "default": [{"type": "reject"}],
    "transports": {
        "docker": {
            "": [{"type": "insecureAcceptAnything"}],
            "docker.io/library/busybox:1": [{"type": "reject"}],
            "*.example.com": [{"type": "signedBy", "keyType": "GPGKeys", "keyPaths": ["/etc/pki/a.gpg", "/etc/pki/b.gpg"]}],
            "r.example:5000/team": [
                {"type": "signedBy", "keyType": "GPGKeys", "keyPath": "/etc/pki/a.gpg",
                 "signedIdentity": {"type": "remapIdentity", "prefix": "r.example:5000/team", "signedPrefix": "v.example"}},
                {"type": "sigstoreSigned", "keyDatas": ["AAAA", "AAAB"], "signedIdentity": {"type": "exactRepository", "dockerRepository": "v.example/a"}}
            ],
            "keyless.example": [{"type": "sigstoreSigned", "fulcio": {"caPath": "/ca", "oidcIssuer": "https://x", "subjectEmail": "x@y"}, "rekorPublicKeyPath": "/r"}]
        },
        "oci": {"/srv/images": [{"type": "insecureAcceptAnything"}], "/srv/images/x:1": [{"type": "reject"}]},
        "docker-daemon": {"": [{"type": "insecureAcceptAnything"}]}
    }
}`

// FuzzPolicy: a policy that is taken answers for every image, and what is unknown
// is never taken.
func FuzzPolicy(f *testing.F) {
	f.Add([]byte(full))
	f.Add([]byte(by(`"keyType": "GPGKeys", "keyData": "AAAA", "signedIdentity": {"type": "matchExact"}`)))
	f.Add([]byte(`{"default": [{"type": "reject", "x": 1}]}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		p := &Policy{}
		if err := p.parse(raw); err != nil {
			if strings.ContainsAny(err.Error(), "\n\x1b") {
				t.Errorf("control characters in %q", err)
			}
			return
		}
		for _, s := range []string{"docker://x", "docker://r.example:5000/team/a:1", "oci:/srv/images/x:1", "docker-archive:/x"} {
			scope, reqs, err := p.find(parseRef(t, s))
			if err == nil && (len(reqs) == 0 || scope == "") {
				t.Errorf("%s: scope %q has %d requirements", s, scope, len(reqs))
			}
			for _, r := range reqs {
				switch {
				case r.kind == acceptAnything || r.kind == reject:
				case r.kind == signedBy && r.hasKeys() && r.unsupported == "":
				case r.kind == sigstoreSigned && (r.hasKeys() || r.unsupported != ""):
				default:
					t.Errorf("%s: requirement %+v", s, r)
				}
			}
		}
	})
}

func BenchmarkParse(b *testing.B) {
	for b.Loop() {
		if err := (&Policy{}).parse([]byte(full)); err != nil {
			b.Fatal(err)
		}
	}
}
