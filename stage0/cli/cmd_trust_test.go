package cli

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/raket/raket/stage0/trust/openpgp"
)

// fakeWeb has the pages of $FAKE/web/HOST/PATH, and discovers what is in
// $FAKE/discovered.json. The keystore of the scripts is the real one.
type fakeWeb struct{ f *fakes }

func (w fakeWeb) Discover(_ context.Context, name string, allowHTTP bool) ([]string, error) {
	found, err := load[map[string][]string](w.f, "discovered.json")
	if err != nil {
		return nil, err
	}
	if len(found[name]) == 0 {
		return nil, fmt.Errorf("discover keys of %q: no page has any", name)
	}
	return found[name], w.f.call("discover", []any{name, allowHTTP})
}

func (w fakeWeb) FetchKey(_ context.Context, url string, allowHTTP bool) ([]byte, error) {
	if err := w.f.call("fetch-key", []any{url, allowHTTP}); err != nil {
		return nil, err
	}
	_, path, _ := strings.Cut(url, "://")
	return os.ReadFile(filepath.Join(w.f.dir, "web", path))
}

func TestKeyTextIsShortAndKeepsTheFingerprintInView(t *testing.T) {
	k := openpgp.Key{Fingerprint: strings.Repeat("0123456789", 4), Algorithm: "RSA", Bits: 4096}
	for i := range 1000 {
		k.UserIDs = append(k.UserIDs, fmt.Sprint("name ", i))
		k.Subkeys = append(k.Subkeys, openpgp.Subkey{Fingerprint: k.Fingerprint})
	}
	text := keyText(k)
	if !strings.HasPrefix(text, "gpg key fingerprint is: 0123 4567 8901 2345 6789  0123 4567 8901 2345 6789\n    RSA 4096 bits, created 0001-01-01, expires never\n") {
		t.Errorf("it begins\n%.200s", text)
	}
	if n := strings.Count(text, "\n"); n > 24 {
		t.Errorf("%d lines do not fit on a terminal", n)
	}
}
