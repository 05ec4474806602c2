package cli

import (
	"context"
	"path/filepath"

	"github.com/raket/raket/stage0/trust/keystore"
	"github.com/raket/raket/stage0/trust/keystore/keyfetch"
)

// trustedKeys are the OpenPGP keys that ACIs are checked with. A prefix of "" is
// the root.
type trustedKeys interface {
	List() ([]keystore.Entry, error)
	// Has reports whether the key is trusted for the prefix itself.
	Has(prefix, fingerprint string) bool
	// Masked reports whether a file says that the key is not to be trusted for the
	// prefix, or for a wider one.
	Masked(prefix, fingerprint string) bool
	// Add trusts one key.
	Add(prefix string, key []byte) (path, fingerprint string, err error)
	// Remove ends that trust; masked says that the vendor's word was overruled
	// by the file at path.
	Remove(prefix, fingerprint string) (path string, masked bool, err error)
}

// keyWeb is where keys are found and fetched.
type keyWeb interface {
	// Discover returns URLs, at least one.
	Discover(ctx context.Context, name string, allowHTTP bool) ([]string, error)
	FetchKey(ctx context.Context, url string, allowHTTP bool) ([]byte, error)
}

// openKeystore names the directories trustedkeys of the layers of configuration.
func openKeystore(s settings) *keystore.Store {
	below := func(dir string) string {
		if dir == "" {
			return ""
		}
		return filepath.Join(dir, "trustedkeys")
	}
	return keystore.Open(keystore.Dirs{
		System: below(s.ConfigDirs.System), Local: below(s.ConfigDirs.Local), User: below(s.ConfigDirs.User),
	})
}

// web is the real one.
type web struct{}

func (web) Discover(ctx context.Context, name string, allowHTTP bool) ([]string, error) {
	return (&keyfetch.Client{AllowHTTP: allowHTTP}).Discover(ctx, name)
}

func (web) FetchKey(ctx context.Context, url string, allowHTTP bool) ([]byte, error) {
	return (&keyfetch.Client{AllowHTTP: allowHTTP}).FetchKey(ctx, url)
}
