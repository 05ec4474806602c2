package keystore

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/raket/raket/pkg/image"
	"github.com/raket/raket/stage0/trust/openpgp"
	"github.com/raket/raket/stage0/trust/openpgp/gpgtest"
)

var aci = []byte("an ACI, which nothing here reads")

// dirs makes the layers' directories from "LAYER/PATH", with KEY in a path for the
// key's file name.
func dirs(t testing.TB, key string, files map[string][]byte) Dirs {
	t.Helper()
	root := t.TempDir()
	for name, content := range files {
		path := filepath.Join(root, strings.ReplaceAll(name, "KEY", strings.ToLower(key)))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return Dirs{System: filepath.Join(root, "sys"), Local: filepath.Join(root, "local"), User: filepath.Join(root, "user")}
}

// TestWhatAKeyIsTrustedFor asks all three questions of each store: when an image comes, when
// its name is known, and at use.
func TestWhatAKeyIsTrustedFor(t *testing.T) {
	h := gpgtest.New(t)
	fpr := h.Key("Release", "ed25519", "never")
	signature := h.Sign(fpr, aci)
	key := h.Export(fpr)
	h.Revoke(fpr)
	revoked := h.Export(fpr)
	mask := []byte{}
	const app = "example.com/app"
	for name, tt := range map[string]struct {
		files map[string][]byte
		image string
		want  bool
	}{
		"nothing at all":                                    {nil, app, false},
		"a key of the root":                                 {map[string][]byte{"sys/root.d/KEY": key}, app, true},
		"a key of the very name":                            {map[string][]byte{"local/prefix.d/example.com/app/KEY": key}, app, true},
		"a key of a name above it":                          {map[string][]byte{"user/prefix.d/example.com/KEY": key}, app, true},
		"a key of a name below it":                          {map[string][]byte{"local/prefix.d/example.com/app/db/KEY": key}, app, false},
		"a key of another domain":                           {map[string][]byte{"local/prefix.d/example.org/KEY": key}, app, false},
		"a key of a name that the name begins with":         {map[string][]byte{"local/prefix.d/example.com/ap/KEY": key}, app, false},
		"a key of a domain that the name begins with":       {map[string][]byte{"local/prefix.d/example.co/KEY": key}, app, false},
		"the same place masked by a later layer":            {map[string][]byte{"sys/root.d/KEY": key, "local/root.d/KEY": mask}, app, false},
		"masked, and trusted again by a later layer":        {map[string][]byte{"sys/root.d/KEY": key, "local/root.d/KEY": mask, "user/root.d/KEY": key}, app, true},
		"a mask in an earlier layer":                        {map[string][]byte{"sys/root.d/KEY": mask, "local/root.d/KEY": key}, app, true},
		"a key of the root, masked for the name":            {map[string][]byte{"sys/root.d/KEY": key, "local/prefix.d/example.com/app/KEY": mask}, app, false},
		"a key of the root, masked above the name":          {map[string][]byte{"sys/root.d/KEY": key, "local/prefix.d/example.com/KEY": mask}, app, false},
		"a key of the root, masked for others":              {map[string][]byte{"sys/root.d/KEY": key, "local/prefix.d/example.org/KEY": mask}, app, true},
		"masked in the root, trusted for the name":          {map[string][]byte{"sys/prefix.d/example.com/KEY": key, "local/root.d/KEY": mask}, app, true},
		"masked above, trusted for the name in one layer":   {map[string][]byte{"local/prefix.d/example.com/KEY": mask, "local/prefix.d/example.com/app/KEY": key}, app, true},
		"trusted for the name, masked above in a later one": {map[string][]byte{"sys/prefix.d/example.com/app/KEY": key, "local/prefix.d/example.com/KEY": mask}, app, false},
		"revoked in the file":                               {map[string][]byte{"sys/root.d/KEY": revoked}, app, false},
		"revoked in one of two files":                       {map[string][]byte{"sys/root.d/KEY": revoked, "local/prefix.d/example.com/KEY": key}, app, false},
		"revoked in a file that a later layer replaces":     {map[string][]byte{"sys/root.d/KEY": revoked, "local/root.d/KEY": key}, app, true},
		"below a directory of the root":                     {map[string][]byte{"sys/root.d/sub/KEY": key}, app, false},
		"in the directory of prefixes itself":               {map[string][]byte{"sys/prefix.d/KEY": key}, app, false},
		"a name that climbs":                                {map[string][]byte{"local/prefix.d/example.com/KEY": key}, "example.com/../example.com/app", false},
		"a name that is empty":                              {map[string][]byte{"sys/root.d/KEY": key}, "", false},
	} {
		t.Run(name, func(t *testing.T) {
			s := Open(dirs(t, fpr, tt.files))
			ev := image.Evidence{Kind: image.OpenPGP, Key: fpr, Signer: "Release", Identity: tt.image}
			got, err := verify(s, tt.image, signature)
			if (err == nil) != tt.want {
				t.Errorf("when it comes: %v, want trust %v", err, tt.want)
			}
			if tt.want {
				got.Signed = ev.Signed
				if diff := cmp.Diff(ev, got); diff != "" {
					t.Errorf("evidence (-want +got):\n%s", diff)
				}
			}
			if err := s.Accepts(tt.image, []image.Evidence{ev}); (err == nil) != tt.want {
				t.Errorf("at use: %v, want trust %v", err, tt.want)
			}
		})
	}
}

func verify(s *Store, name string, signature []byte) (image.Evidence, error) {
	signed, err := s.VerifyACI(bytes.NewReader(aci), signature)
	if err != nil {
		return image.Evidence{}, err
	}
	return signed.For(name)
}

func TestRefusalsSayWhatToDo(t *testing.T) {
	h := gpgtest.New(t)
	fpr := h.Key("Release", "ed25519", "never")
	signature, key := h.Sign(fpr, aci), h.Export(fpr)
	dir := dirs(t, fpr, map[string][]byte{
		"local/prefix.d/example.org/KEY": key, "local/prefix.d/example.net/x/KEY": key, "sys/prefix.d/example.net/x/KEY": key,
	})
	s := Open(dir)
	for name, tt := range map[string]struct {
		err        error
		kind       error
		text, hint string
	}{
		"a key for other names": {
			second(verify(s, "example.com/app", signature)), ErrNotTrusted,
			"key " + fpr + ` is not trusted for "example.com/app", but for example.net/x, example.org`,
			"if its owner may sign it: raket trust --prefix=example.com/app KEYFILE",
		},
		"a key nobody trusts": {
			second(verify(Open(Dirs{}), "example.com/app", signature)), openpgp.ErrUnknownKey,
			"signed by key " + fpr + ", which is not trusted", "if you know the key: raket trust --prefix=NAME KEYFILE",
		},
		"no signature at use": {
			s.Accepts("example.org", []image.Evidence{{Kind: image.Override}}), ErrNotTrusted,
			`no OpenPGP signature of "example.org" was checked when it came`,
			"fetch it again with its signature, or do without by --insecure-options=image",
		},
		"a record that is damaged": {
			s.Accepts("example.org", []image.Evidence{{Kind: image.OpenPGP, Key: "../" + fpr}}), ErrNotTrusted,
			`"../` + fpr + `" is not a key's fingerprint`, "",
		},
		"a name that is none": {second(verify(s, "Example.com", signature)), nil, `"Example.com" is not an appc name, as example.com/app`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			if tt.err == nil || tt.err.Error() != tt.text || (tt.kind != nil && !errors.Is(tt.err, tt.kind)) {
				t.Errorf("got  %v\nwant %s", tt.err, tt.text)
			}
			var hinted interface{ Hint() string }
			if errors.As(tt.err, &hinted) && hinted.Hint() != tt.hint {
				t.Errorf("got the hint %q, want %q", hinted.Hint(), tt.hint)
			}
		})
	}
	t.Run("one of several signatures is enough", func(t *testing.T) {
		evidence := []image.Evidence{{Kind: image.OpenPGP, Key: strings.Repeat("0", 40)}, {Kind: image.Override}, {Kind: image.OpenPGP, Key: fpr}}
		if err := s.Accepts("example.org/y", evidence); err != nil {
			t.Error(err)
		}
	})
}

func second[T any](_ T, err error) error { return err }

func TestFilesThatCantBeUsed(t *testing.T) {
	h := gpgtest.New(t)
	fpr := h.Key("Release", "ed25519", "never")
	other := h.Key("Other", "ed25519", "never")
	signature := h.Sign(fpr, aci)
	for name, tt := range map[string]struct {
		file string
		make func(path string) error
		want string
	}{
		"a name that is no fingerprint": {"root.d/release.gpg", content(h.Export(fpr)), "is not named by a fingerprint"},
		"a name in upper case":          {"root.d/" + fpr, content(h.Export(fpr)), "is not named by a fingerprint"},
		"another key's name":            {"root.d/KEY", content(h.Export(other)), "has the key " + other + ", which is not its name"},
		"two keys":                      {"root.d/KEY", content(h.Export(fpr, other)), "has the key " + other},
		"no key":                        {"root.d/KEY", content([]byte("hello")), "neither armored nor binary"},
		"a private key":                 {"root.d/KEY", content(h.Run(nil, "--export-secret-keys", fpr)), "it is a private key"},
		"far too large":                 {"root.d/KEY", content(make([]byte, openpgp.MaxKeysBytes+1)), "larger than 1024 KiB"},
		"a pipe":                        {"root.d/KEY", func(path string) error { return syscall.Mkfifo(path, 0o600) }, "is not a file"},
	} {
		t.Run(name, func(t *testing.T) {
			d := dirs(t, fpr, map[string][]byte{"sys/root.d/" + strings.ToLower(other): h.Export(other)})
			path := filepath.Join(d.Local, strings.ReplaceAll(tt.file, "KEY", strings.ToLower(fpr)))
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := tt.make(path); err != nil {
				t.Fatal(err)
			}
			s := Open(d)
			_, err := s.VerifyACI(bytes.NewReader(aci), signature)
			if err == nil || !errors.Is(err, openpgp.ErrUnknownKey) || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %s and %q", err, path, tt.want)
			}
			if _, err := s.VerifyACI(bytes.NewReader(aci), h.Sign(other, aci)); err != nil {
				t.Errorf("another key suffers: %v", err)
			}
			entries, err := s.List()
			if err != nil || len(entries) != 2 {
				t.Fatalf("listed %v, %v", entries, err)
			}
			for _, e := range entries {
				if e.Path == path && e.Err == nil {
					t.Error("the list says nothing of it")
				}
			}
		})
	}
}

func content(raw []byte) func(string) error {
	return func(path string) error { return os.WriteFile(path, raw, 0o644) }
}

func TestAddAndRemove(t *testing.T) {
	h := gpgtest.New(t)
	fpr := h.Key("Release", "ed25519", "1y")
	old := h.Export(fpr)
	d := dirs(t, fpr, nil)
	s := Open(d)
	lower := strings.ToLower(fpr)
	inApp, inRoot := filepath.Join(d.Local, "prefix.d/example.com/app", lower), filepath.Join(d.Local, "root.d", lower)
	for prefix, want := range map[string]string{"": inRoot, "example.com/app": inApp} {
		path, got, err := s.Add(prefix, old)
		if err != nil || path != want || got != fpr {
			t.Fatalf("added %q %q %v, want %q", path, got, err, want)
		}
		if fi, err := os.Stat(path); err != nil || fi.Mode().Perm() != 0o644 {
			t.Errorf("the file's mode is %v, %v", fi.Mode(), err)
		}
		if fi, err := os.Stat(filepath.Dir(path)); err != nil || fi.Mode().Perm() != 0o755 {
			t.Errorf("the directory's mode is %v, %v", fi.Mode(), err)
		}
	}
	entries, err := s.List()
	var got []string
	for _, e := range entries {
		got = append(got, fmt.Sprint(e.Prefix, " ", e.Layer, " ", e.Key.UserIDs, " ", !e.Key.Expires.IsZero(), " ", e.Fingerprint == fpr, " ", e.Err))
	}
	if diff := cmp.Diff([]string{" local [Release] true true <nil>", "example.com/app local [Release] true true <nil>"}, got); diff != "" || err != nil {
		t.Errorf("list (-want +got):\n%s%v", diff, err)
	}

	// The key's owner puts off its expiry, then revokes it; an old copy undoes neither.
	h.Run(nil, "--quick-set-expire", fpr, "0")
	if _, _, err := s.Add("", h.Export(fpr)); err != nil {
		t.Fatal(err)
	}
	if entries, _ := s.List(); !entries[0].Key.Expires.IsZero() {
		t.Error("the newer self-signature is not in the file")
	}
	h.Revoke(fpr)
	if _, _, err := s.Add("example.net", h.Export(fpr)); err == nil || !strings.Contains(err.Error(), "revoked") {
		t.Errorf("a revoked key is trusted anew: %v", err)
	}
	for _, raw := range [][]byte{h.Export(fpr), old} {
		if _, _, err := s.Add("", raw); err != nil {
			t.Fatal(err)
		}
		if entries, _ := s.List(); !entries[0].Key.Revoked {
			t.Error("the revocation is not in the file")
		}
	}

	if _, _, err := s.Remove("example.net", fpr); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("removed what is not there: %v", err)
	}
	if path, masked, err := s.Remove("", fpr); err != nil || masked || path != inRoot {
		t.Errorf("removed %q %v %v", path, masked, err)
	}
	if _, err := os.Lstat(inRoot); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the file is there still: %v", err)
	}
}

func TestRemoveOfWhatTheVendorTrusts(t *testing.T) {
	h := gpgtest.New(t)
	fpr := h.Key("Release", "ed25519", "never")
	key := h.Export(fpr)
	d := dirs(t, fpr, map[string][]byte{"sys/root.d/KEY": key, "local/root.d/KEY": key})
	s := Open(d)
	path, masked, err := s.Remove("", fpr)
	if err != nil || !masked || path != filepath.Join(d.Local, "root.d", strings.ToLower(fpr)) {
		t.Fatalf("removed %q %v %v", path, masked, err)
	}
	if _, err := verify(s, "example.com/app", h.Sign(fpr, aci)); err == nil {
		t.Error("it is trusted still")
	}
	entries, err := s.List()
	if err != nil || len(entries) != 1 || !entries[0].Masked {
		t.Errorf("listed %+v, %v", entries, err)
	}
	if _, _, err := s.Add("", key); err != nil || !s.Has("", fpr) {
		t.Errorf("can't be trusted again: %v", err)
	}
	d.Local = ""
	if _, _, err := Open(d).Add("", key); err == nil {
		t.Error("added nowhere")
	}
}

func TestAddRefuses(t *testing.T) {
	h := gpgtest.New(t)
	a, b, dsa := h.Key("a", "ed25519", "never"), h.Key("b", "ed25519", "never"), h.Key("dsa", "dsa2048", "never")
	s := Open(dirs(t, a, nil))
	for name, tt := range map[string]struct {
		prefix string
		key    []byte
		want   string
	}{
		"two keys at once":        {"example.com", h.Export(a, b), "there are 2 keys, not one"},
		"a key of a weak kind":    {"example.com", h.Export(dsa), "DSA keys are not accepted"},
		"no key":                  {"example.com", []byte("x"), "neither armored nor binary"},
		"a prefix that climbs":    {"../../etc", h.Export(a), "is not an appc name"},
		"a prefix with a slash":   {"example.com/", h.Export(a), "is not an appc name"},
		"a prefix with a scheme":  {"https://example.com", h.Export(a), "is not an appc name"},
		"a prefix with a newline": {"example.com\n", h.Export(a), "is not an appc name"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, _, err := s.Add(tt.prefix, tt.key); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}

func TestParseFingerprint(t *testing.T) {
	want := "8B86DE38890DDB7291867B025210BD8888182190"
	for _, s := range []string{want, strings.ToLower(want), "8B86 DE38 890D DB72 9186  7B02 5210 BD88 8818 2190", "0x" + want} {
		if got, err := ParseFingerprint(s); err != nil || got != want {
			t.Errorf("%q: got %q, %v", s, got, err)
		}
	}
	for _, s := range []string{"", want[1:], want + "0", strings.Repeat("g", 40), want + "/"} {
		if got, err := ParseFingerprint(s); err == nil {
			t.Errorf("%q: got %q", s, got)
		}
	}
}

// FuzzCheckName holds what is joined to paths to staying below where it begins.
func FuzzCheckName(f *testing.F) {
	for _, seed := range []string{"example.com/app", "a", "../x", "a//b", "a/./b", "a/..", "/a", "a\x00", "a~b_c"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, name string) {
		if checkName(name) != nil {
			return
		}
		if !filepath.IsLocal(name) || filepath.Clean(name) != name {
			t.Errorf("%q is not a plain path", name)
		}
		all := prefixesOf(name)
		if all[0] != "" || all[len(all)-1] != name {
			t.Errorf("%q has the prefixes %q", name, all)
		}
	})
}

// BenchmarkAccepts is what a use of an image costs: its budget is a millisecond.
func BenchmarkAccepts(b *testing.B) {
	h := gpgtest.New(b)
	fpr := h.Key("Release", "rsa4096", "never")
	h.Subkey(fpr, "rsa4096", "1y")
	d := dirs(b, fpr, map[string][]byte{"local/prefix.d/example.com/KEY": h.Export(fpr)})
	s := Open(d)
	evidence := []image.Evidence{{Kind: image.OpenPGP, Key: fpr}}
	for b.Loop() {
		if err := s.Accepts("example.com/team/app", evidence); err != nil {
			b.Fatal(err)
		}
	}
}
