package openpgp

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

// limit bounds signed messages in tests.
const limit = 4096

// recorded is a file of testdata: keys and signatures of content, made once, since
// each process that fuzzes must have the same.
func recorded(t testing.TB, name string) []byte {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// FuzzReadKeys: what is read can be printed and read again, and be shown.
func FuzzReadKeys(f *testing.F) {
	for _, name := range []string{"key.gpg", "key.asc", "revoked.gpg", "v6.gpg"} {
		f.Add(recorded(f, name))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		k, err := ReadKeys(raw)
		if err != nil {
			return
		}
		keys := k.Keys()
		if len(keys) == 0 || len(keys) != len(k.Fingerprints()) {
			t.Fatalf("%d keys, %d fingerprints", len(keys), len(k.Fingerprints()))
		}
		for _, key := range keys {
			for _, id := range key.UserIDs {
				if id != printable(id) {
					t.Errorf("user ID %q is not fit to print", id)
				}
			}
			out, err := k.Armored(key.Fingerprint)
			if err != nil {
				t.Fatalf("%s can't be printed: %v", key.Fingerprint, err)
			}
			again, err := ReadKeys(out)
			if err != nil {
				t.Fatalf("%s can't be read again: %v", key.Fingerprint, err)
			}
			if got := again.Fingerprints(); len(got) != 1 || got[0] != key.Fingerprint {
				t.Errorf("%s is read as %s", key.Fingerprint, got)
			}
		}
	})
}

// FuzzVerify: nothing is good but what was signed, whatever the signature is
// changed to.
func FuzzVerify(f *testing.F) {
	k := mustRead(f, recorded(f, "key.gpg"))
	signature, message := recorded(f, "content.sig"), recorded(f, "message.gpg")
	if _, err := VerifyDetached(bytes.NewReader(content), signature, k); err != nil {
		f.Fatal(err)
	}
	if _, _, err := VerifyMessage(message, limit, k); err != nil {
		f.Fatal(err)
	}
	f.Add(content, signature)
	f.Add([]byte("another"), signature)
	f.Add(bytes.ReplaceAll(content, []byte("\r\n"), []byte("\n")), signature)
	f.Add(content, message)
	f.Fuzz(func(t *testing.T, signed, signature []byte) {
		if _, err := VerifyDetached(bytes.NewReader(signed), signature, k); err == nil && !bytes.Equal(signed, content) {
			t.Errorf("%q was never signed", signed)
		}
		if got, _, err := VerifyMessage(signature, limit, k); err == nil && !bytes.Equal(got, content) {
			t.Errorf("%q was never signed", got)
		}
	})
}
