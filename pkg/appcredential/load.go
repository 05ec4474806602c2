package appcredential

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/raket/raket/pkg/boundedfile"
)

// MaxBytes bounds what one app's credentials have together, as systemd does.
const MaxBytes = 1 << 20

// Credential is one that was found.
type Credential struct {
	ID    string
	Value []byte
}

// String keeps values out of what is printed.
func (c Credential) String() string { return c.ID }

// GoString does too.
func (c Credential) GoString() string { return c.ID }

// Sources are where credentials are looked for by name.
type Sources struct {
	// Dirs are directories of credentials, the first that has one wins. Those that
	// are not there are passed over.
	Dirs  []string
	Stdin io.Reader
}

// HostSources are this process's own credentials and the host's stores, as systemd
// searches them (systemd.exec(5), "LoadCredential=").
func HostSources() Sources {
	s := Sources{Stdin: os.Stdin}
	if dir := os.Getenv("CREDENTIALS_DIRECTORY"); dir != "" {
		s.Dirs = append(s.Dirs, dir)
	}
	s.Dirs = append(s.Dirs, "/etc/credstore", "/run/credstore", "/usr/lib/credstore")
	return s
}

// Find returns the credentials that wishes lead to, sorted by ID. set has the values
// of those of kind Set; they stand in for others of their name that are not there. What
// is imported never replaces what is named.
func (s Sources) Find(wishes []Wish, set map[string][]byte) ([]Credential, error) {
	f := finder{Sources: s, found: map[string][]byte{}, set: set}
	// systemd's order.
	for _, kind := range [...]Kind{Load, Set, Import} {
		for _, w := range wishes {
			if w.Kind != kind {
				continue
			}
			if err := f.find(w); err != nil {
				return nil, err
			}
		}
	}
	var all []Credential
	total := 0
	for id, value := range f.found {
		if total += len(value); total > MaxBytes {
			return nil, tooMuch(id)
		}
		all = append(all, Credential{id, value})
	}
	slices.SortFunc(all, func(a, b Credential) int { return cmp.Compare(a.ID, b.ID) })
	return all, nil
}

func tooMuch(id string) error {
	return fmt.Errorf("credential %s: more than %d KiB, the most that an app's credentials have together", id, MaxBytes>>10)
}

type finder struct {
	Sources
	found, set map[string][]byte
}

func (f *finder) find(w Wish) error {
	switch w.Kind {
	case Import:
		return f.glob(w.ID)
	case Set:
		value, ok := f.set[w.ID]
		if !ok {
			return fmt.Errorf("credential %s: its value was not kept: say it again by --set-credential", w.ID)
		}
		if _, have := f.found[w.ID]; !have {
			f.found[w.ID] = value
		}
		return nil
	}
	if _, twice := f.found[w.ID]; twice {
		return fmt.Errorf("credential %s: it is given twice", w.ID)
	}
	_, fallback := f.set[w.ID]
	err := f.load(w)
	if fallback && errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("credential %s: %w", w.ID, err)
	}
	return nil
}

func (f *finder) load(w Wish) (err error) {
	switch {
	case w.From == Stdin:
		value, err := io.ReadAll(io.LimitReader(f.Stdin, MaxBytes+1))
		f.found[w.ID] = value
		return err
	case path.IsAbs(w.From):
		st, err := os.Stat(w.From)
		if err != nil {
			return err
		}
		if st.IsDir() {
			return f.directory(w)
		}
		f.found[w.ID], err = boundedfile.Read(w.From, MaxBytes)
		return err
	}
	for _, dir := range f.Dirs {
		value, err := boundedfile.Read(filepath.Join(dir, w.From), MaxBytes)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		f.found[w.ID] = value
		return err
	}
	return &missing{w.From, f.Dirs}
}

// missing is a credential that no directory has.
type missing struct {
	name string
	dirs []string
}

func (e *missing) Error() string {
	return fmt.Sprintf("no credential %q in %s (LoadCredential= in the host's unit hands one to raket)", e.name, strings.Join(e.dirs, ", "))
}
func (e *missing) Unwrap() error { return fs.ErrNotExist }

// directory takes each file of a directory as ID_NAME, as systemd does.
func (f *finder) directory(w Wish) error {
	entries, err := os.ReadDir(w.From)
	if err != nil {
		return err
	}
	for _, e := range entries {
		name := filepath.Join(w.From, e.Name())
		if strings.HasPrefix(e.Name(), ".") {
			continue // how others hide what is being replaced
		}
		// A link is as good as a file: where secrets rotate, that is what there is.
		st, err := os.Stat(name)
		if err != nil {
			return err
		}
		if !st.Mode().IsRegular() {
			return fmt.Errorf("%s is not a file", name)
		}
		id := w.ID + "_" + e.Name()
		if err := checkID(id); err != nil {
			return fmt.Errorf("%q: %w", name, err)
		}
		if f.found[id], err = boundedfile.Read(name, MaxBytes); err != nil {
			return err
		}
	}
	return nil
}

func (f *finder) glob(pattern string) error {
	for _, dir := range f.Dirs {
		entries, err := os.ReadDir(dir)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return fmt.Errorf("credentials %s: %w", pattern, err)
		}
		for _, e := range entries {
			match, err := path.Match(pattern, e.Name())
			if err != nil || !match || checkID(e.Name()) != nil {
				continue
			}
			if _, have := f.found[e.Name()]; have {
				continue
			}
			if f.found[e.Name()], err = boundedfile.Read(filepath.Join(dir, e.Name()), MaxBytes); err != nil {
				return fmt.Errorf("credential %s: %w", e.Name(), err)
			}
		}
	}
	return nil
}
