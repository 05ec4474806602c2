package policy

import (
	"fmt"

	"github.com/raket/raket/stage0/trust/openpgp"
	"github.com/raket/raket/stage0/trust/sigstore"
)

// maxSigstoreKeyBytes bounds a PEM file.
const maxSigstoreKeyBytes = 64 << 10

// openpgpKeys reads the keys of a requirement.
func (r requirement) openpgpKeys() (openpgp.Keyring, error) {
	var rings []openpgp.Keyring
	err := r.eachKey(openpgp.MaxKeysBytes, func(raw []byte) error {
		ring, err := openpgp.ReadKeys(raw)
		rings = append(rings, ring)
		return err
	})
	if err != nil {
		return openpgp.Keyring{}, err
	}
	return openpgp.Keyring{}.Merge(rings...), nil
}

// sigstoreKeys reads the keys of a requirement.
func (r requirement) sigstoreKeys() ([]sigstore.Key, error) {
	var keys []sigstore.Key
	err := r.eachKey(maxSigstoreKeyBytes, func(raw []byte) error {
		key, err := sigstore.ParseKey(raw)
		keys = append(keys, key)
		return err
	})
	return keys, err
}

// eachKey has all keys read. One that can't be is an error, even where another
// would do: the policy would not be what its author thinks.
func (r requirement) eachKey(most int64, read func([]byte) error) error {
	for _, path := range r.paths {
		raw, err := readFile(path, most)
		if err == nil {
			err = read(raw)
		}
		if err != nil {
			return fmt.Errorf("key %s: %w", path, err)
		}
	}
	for i, raw := range r.data {
		if err := read(raw); err != nil {
			return fmt.Errorf("key data %d: %w", i+1, err)
		}
	}
	return nil
}
