package keystore

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/raket/raket/stage0/trust/openpgp"
)

// Layer is whose word a file is.
type Layer string

// The layers, the later ones winning.
const (
	System Layer = "system"
	Local  Layer = "local"
	User   Layer = "user"
)

// Dirs are the directories trustedkeys of the layers. They need not exist, and
// an empty path is a layer that has none.
type Dirs struct {
	System string
	Local  string
	User   string
}

// Store is the keys of all layers. It holds nothing in memory: every question is
// answered by the files as they are.
type Store struct {
	layers []layer
}

type layer struct {
	name Layer
	dir  string
}

const (
	rootDir   = "root.d"
	prefixDir = "prefix.d"
)

// Open names the directories; it reads nothing.
func Open(dirs Dirs) *Store {
	s := &Store{}
	for _, l := range []layer{{System, dirs.System}, {Local, dirs.Local}, {User, dirs.User}} {
		if l.dir != "" {
			s.layers = append(s.layers, l)
		}
	}
	return s
}

func (l layer) path(prefix, fpr string) string {
	if prefix == "" {
		return filepath.Join(l.dir, rootDir, fileName(fpr))
	}
	return filepath.Join(l.dir, prefixDir, prefix, fileName(fpr))
}

// file is one key's, in one layer.
type file struct {
	layer  Layer
	path   string
	prefix string
	fpr    string // upper case; "" where the file's name is none
	mask   bool
}

// files lists what is in all layers; of two files with the same place in two layers
// the later one. Masks are among them.
func (s *Store) files() ([]file, error) {
	var all []file
	for _, l := range s.layers {
		for _, top := range []string{rootDir, prefixDir} {
			found, err := l.walk(filepath.Join(l.dir, top))
			if err != nil {
				return nil, fmt.Errorf("read trusted keys: %w", err)
			}
			for _, f := range found {
				i := slices.IndexFunc(all, func(o file) bool { return f.fpr != "" && o.prefix == f.prefix && o.fpr == f.fpr })
				if i < 0 {
					all = append(all, f)
				} else {
					all[i] = f
				}
			}
		}
	}
	return all, nil
}

func (l layer) walk(top string) ([]file, error) {
	var found []file
	err := filepath.WalkDir(top, func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) && path == top {
			return nil
		}
		if err != nil {
			return err
		}
		if d.IsDir() {
			if path != top && filepath.Base(top) == rootDir {
				return fs.SkipDir // rkt did not look there either
			}
			return nil
		}
		fi, err := os.Stat(path)
		if err != nil {
			return err
		}
		f := file{layer: l.name, path: path, mask: fi.Size() == 0 && fi.Mode().IsRegular()}
		if filepath.Base(top) == prefixDir {
			if f.prefix, err = filepath.Rel(top, filepath.Dir(path)); err != nil {
				return err
			}
		}
		if base := d.Name(); isFingerprint(base) && base == strings.ToLower(base) && f.prefix != "." {
			f.fpr = strings.ToUpper(base)
		}
		found = append(found, f)
		return nil
	})
	return found, err
}

// read reads the key of a file, and holds it to the file's name.
func (f file) read() (openpgp.Keyring, error) {
	if f.fpr == "" {
		return openpgp.Keyring{}, fmt.Errorf("%s is not named by a fingerprint in lower case, below root.d or a prefix", f.path)
	}
	raw, err := readFile(f.path)
	if err != nil {
		return openpgp.Keyring{}, err
	}
	ring, err := openpgp.ReadKeys(raw)
	if err != nil {
		return openpgp.Keyring{}, fmt.Errorf("%s: %w", f.path, err)
	}
	for _, k := range ring.Fingerprints() {
		if k != f.fpr {
			return openpgp.Keyring{}, fmt.Errorf("%s has the key %s, which is not its name", f.path, k)
		}
	}
	return ring, nil
}

// readFile reads a regular file of at most what ReadKeys takes.
func readFile(path string) ([]byte, error) {
	// Not to hang on a pipe.
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	fi, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !fi.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a file", path)
	}
	raw, err := io.ReadAll(io.LimitReader(f, openpgp.MaxKeysBytes+1))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	return raw, nil
}

// trusting lists the files by which a key is trusted for a name: none where it is
// not, or where the last word on it is a mask.
func (s *Store) trusting(name, fpr string) ([]file, error) {
	var files []file
	prefixes := prefixesOf(name)
	for _, some := range [][]string{prefixes[:1], prefixes[1:]} {
		for _, l := range s.layers {
			for _, prefix := range some {
				f := file{layer: l.name, path: l.path(prefix, fpr), prefix: prefix, fpr: fpr}
				fi, err := os.Stat(f.path)
				switch {
				case errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENOTDIR) || errors.Is(err, unix.ENAMETOOLONG):
					continue
				case err != nil:
					return nil, fmt.Errorf("read trusted keys: %w", err)
				case fi.IsDir():
					continue // of a prefix that looks like a fingerprint
				case fi.Size() == 0 && fi.Mode().IsRegular():
					files = nil
				default:
					files = slices.DeleteFunc(files, func(o file) bool { return o.prefix == prefix })
					files = append(files, f)
				}
			}
		}
	}
	return files, nil
}
