package keystore

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/raket/raket/pkg/atomicfile"
	"github.com/raket/raket/stage0/trust/openpgp"
)

// Entry is a key and what it is trusted for.
type Entry struct {
	// Prefix is "" for a key of the root.
	Prefix string
	// Fingerprint is in upper case; "" where the file's name is none.
	Fingerprint string
	// Key is what is known of it; the zero value of a mask and where Err is set.
	Key   openpgp.Key
	Layer Layer
	Path  string
	// Masked says that the file is a mask.
	Masked bool
	// Err is why the file can't be used.
	Err error
}

// List has an entry for every key and prefix, the root's first; of a key that
// several layers have for one prefix the last one's. A key that is listed may be
// masked for some of the names below its prefix by another entry.
func (s *Store) List() ([]Entry, error) {
	files, err := s.files()
	if err != nil {
		return nil, err
	}
	var all []Entry
	for _, f := range files {
		e := Entry{Prefix: f.prefix, Fingerprint: f.fpr, Layer: f.layer, Path: f.path, Masked: f.mask}
		if !f.mask {
			ring, err := f.read()
			if e.Err = err; err == nil {
				e.Key = ring.Keys()[0]
			}
		}
		all = append(all, e)
	}
	slices.SortFunc(all, func(a, b Entry) int {
		return cmp.Or(cmp.Compare(a.Prefix, b.Prefix), cmp.Compare(a.Fingerprint, b.Fingerprint), cmp.Compare(a.Path, b.Path))
	})
	return all, nil
}

// Has reports whether the key is trusted for the prefix itself, by a file there.
func (s *Store) Has(prefix, fpr string) bool {
	has := false
	for _, l := range s.layers {
		if fi, err := os.Stat(l.path(prefix, fpr)); err == nil {
			has = fi.Size() > 0 && !fi.IsDir()
		}
	}
	return has
}

// Masked reports whether an empty file has the key not be trusted for the prefix,
// or for a wider one, whatever stands beside it.
func (s *Store) Masked(prefix, fpr string) bool {
	for _, l := range s.layers {
		for _, p := range prefixesOf(prefix) {
			if fi, err := os.Stat(l.path(p, fpr)); err == nil && fi.Mode().IsRegular() && fi.Size() == 0 {
				return true
			}
		}
	}
	return false
}

func (s *Store) local() (layer, error) {
	i := slices.IndexFunc(s.layers, func(l layer) bool { return l.name == Local })
	if i < 0 {
		return layer{}, errors.New("there is no directory for the host's own keys")
	}
	return s.layers[i], nil
}

// Add trusts a key for a prefix, "" being the root, in the local layer. The raw key
// must be one. Where it is trusted for the prefix already, what was known of it is
// kept: so a newer copy adds user IDs, a later expiry or a revocation. A key
// of which nothing would be accepted is refused, but for a revocation of one that is
// there. The file is whole whenever anybody looks.
func (s *Store) Add(prefix string, key []byte) (path, fpr string, err error) {
	path, fpr, err = s.add(prefix, key)
	if err != nil {
		return "", "", fmt.Errorf("trust key: %w", err)
	}
	return path, fpr, nil
}

func (s *Store) add(prefix string, key []byte) (path, fpr string, err error) {
	if prefix != "" {
		if err := checkName(prefix); err != nil {
			return "", "", err
		}
	}
	ring, err := openpgp.ReadKeys(key)
	if err != nil {
		return "", "", err
	}
	if n := ring.Len(); n != 1 {
		return "", "", fmt.Errorf("there are %d keys, not one", n)
	}
	l, err := s.local()
	if err != nil {
		return "", "", err
	}
	k := ring.Keys()[0]
	fpr = k.Fingerprint
	if k.Refused != "" && !(k.Revoked && s.Has(prefix, fpr)) {
		return "", "", fmt.Errorf("key %s: %s", fpr, k.Refused)
	}
	for _, l := range s.layers {
		f := file{path: l.path(prefix, fpr), fpr: fpr}
		if old, err := f.read(); err == nil {
			ring = ring.Merge(old)
		}
	}
	raw, err := ring.Armored(fpr)
	if err != nil {
		return "", "", err
	}
	path = l.path(prefix, fpr)
	return path, fpr, write(path, raw)
}

// write writes a file that everybody may read, as keys are public.
func write(path string, raw []byte) error {
	const dirMode, fileMode = 0o755, 0o644
	if err := os.MkdirAll(filepath.Dir(path), dirMode); err != nil {
		return err
	}
	return atomicfile.WriteFile(path, raw, fileMode)
}

// Remove ends the trust in a key for a prefix, "" being the root, in the local layer:
// the file there is removed, and where the vendor has one a mask is left in its
// place. It returns the path of the file that was removed or of the mask. The
// error is fs.ErrNotExist where there is no such key.
func (s *Store) Remove(prefix, fpr string) (path string, masked bool, err error) {
	path, masked, err = s.remove(prefix, fpr)
	if err != nil {
		return "", false, fmt.Errorf("remove key %s: %w", fpr, err)
	}
	return path, masked, nil
}

func (s *Store) remove(prefix, fpr string) (path string, masked bool, err error) {
	if prefix != "" {
		if err := checkName(prefix); err != nil {
			return "", false, err
		}
	}
	l, err := s.local()
	if err != nil {
		return "", false, err
	}
	if !s.Has(prefix, fpr) {
		return "", false, fmt.Errorf("it is not trusted there: %w", fs.ErrNotExist)
	}
	path = l.path(prefix, fpr)
	// The vendor's, that is: a user's directory is not ours to change.
	for _, other := range s.layers {
		fi, err := os.Stat(other.path(prefix, fpr))
		if err != nil || fi.Size() == 0 || fi.IsDir() || other.name == Local {
			continue
		}
		if other.name == User {
			return "", false, fmt.Errorf("it is trusted by %s, which is not the host's to remove", other.path(prefix, fpr))
		}
		return path, true, write(path, nil)
	}
	if err := os.Remove(path); err != nil {
		return "", false, err
	}
	return path, false, atomicfile.SyncDir(filepath.Dir(path))
}
