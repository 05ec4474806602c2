package unitfile

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/coreos/go-systemd/v22/unit"
)

// MaxLineBytes is the longest line systemd reads (LONG_LINE_MAX, less one byte
// for the line's end).
const MaxLineBytes = 1<<20 - 1

// ErrInexpressible is in the chain of every error that says a value has no form
// in a unit file at all, as a path that holds a newline. A caller may then pass
// the value some other way.
var ErrInexpressible = errors.New("no form in a unit file")

const wordBytes = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789@_.:/~+=,-"

// File is a unit file being written. Its zero value is an empty file.
type File struct {
	section string
	opts    []*unit.UnitOption
	err     error
}

// New returns an empty unit file.
func New() *File { return &File{} }

// Section starts a section, or continues it if it was there before: systemd reads
// the parts as one.
func (f *File) Section(name string) {
	if f.err == nil && !isWord(name, "- ") {
		f.err = fmt.Errorf("section %q: not a section name", name)
	}
	f.section = name
}

// Set adds KEY=value where value is plain text for a directive that takes one string
// with specifiers (Description=, User=, StandardOutput= …): % is escaped. Directives
// that take numbers know no specifiers: a percentage goes through SetRaw. Text that systemd
// would alter is refused: control characters, white space at either end, a
// backslash at the end, invalid UTF-8. An empty value resets the directive.
func (f *File) Set(key, value string) { f.add(key, escapeSpecifiers(value)) }

// SetRaw adds KEY=value where value is already in systemd's syntax, specifiers
// and quotes included. It is held to its line: what Set refuses, SetRaw refuses.
func (f *File) SetRaw(key, value string) { f.add(key, value) }

// Units adds KEY= with a list of unit names (After=, Requires=, Sockets= …), for
// which [NameError] is nil.
func (f *File) Units(key string, names ...string) {
	for _, n := range names {
		if err := NameError(n); err != nil {
			f.addOr(key, "", err)
		}
	}
	f.add(key, strings.Join(names, " "))
}

// Words adds KEY= with a list of plain words: capabilities, system calls, numbers. Directives differ in whether they know quotes, so words with any
// but letters, digits and "@_.:/~+=,-" are refused.
func (f *File) Words(key string, words ...string) {
	for _, w := range words {
		if strings.Trim(w, wordBytes) != "" || w == "" {
			f.addOr(key, "", fmt.Errorf("%q is not a plain word: %w", w, ErrInexpressible))
		}
	}
	f.add(key, strings.Join(words, " "))
}

// Exec adds a command line (ExecStart= and its like). prefix holds systemd's
// special executable prefixes, any of "@-:+!". argv[0] is the executable: a
// clean absolute path without quotes, backslashes or control characters, for
// systemd takes no other. With "@" in prefix argv[1] is what the process sees
// as its name. Arguments may be any bytes but NUL.
func (f *File) Exec(key, prefix string, argv []string) {
	value, err := execValue(prefix, argv)
	f.addOr(key, value, err)
}

// ExecRaw is Exec with more of the command line behind argv, in systemd's syntax
// already, as a user writes it in a unit file. It is held to its line, as with SetRaw.
func (f *File) ExecRaw(key, prefix string, argv []string, rest string) {
	value, err := execValue(prefix, argv)
	f.addOr(key, strings.TrimSpace(value+" "+rest), err)
}

// Env adds KEY="name=value", for Environment=. Names and values for which
// [EnvError] is not nil are refused.
func (f *File) Env(key, name, value string) {
	if err := EnvError(name, value); err != nil {
		f.addOr(key, "", err)
		return
	}
	f.addOr(key, escapeSpecifiers(quote(name+"="+value)), nil)
}

// Path adds KEY= with one absolute path, for directives that take no list and know no
// quotes (RootDirectory=, WorkingDirectory=, RootImage= …).
func (f *File) Path(key, path string) {
	if err := pathError(path); err != nil {
		f.addOr(key, "", err)
		return
	}
	f.Set(key, path)
}

// Paths adds KEY= with a list of absolute paths (ReadOnlyPaths=, InaccessiblePaths= …),
// which are quoted: not for directives that take one path, see Path. A path may begin
// with the prefixes "-" and "+" of such lists.
func (f *File) Paths(key string, paths ...string) {
	value, err := pathList(paths)
	f.addOr(key, value, err)
}

// Bind adds one bind mount (BindPaths=, BindReadOnlyPaths=).
func (f *File) Bind(key string, b Bind) {
	value, err := b.value()
	f.addOr(key, value, err)
}

// Err returns the first error so far.
func (f *File) Err() error { return f.err }

// Bytes returns the text of the unit file, or the first error.
func (f *File) Bytes() ([]byte, error) {
	if f.err != nil {
		return nil, f.err
	}
	return io.ReadAll(unit.Serialize(f.opts))
}

// WriteTo writes the text of the unit file to w, or returns the first error
// having written nothing.
func (f *File) WriteTo(w io.Writer) (int64, error) {
	text, err := f.Bytes()
	if err != nil {
		return 0, err
	}
	n, err := w.Write(text)
	return int64(n), err
}

func (f *File) addOr(key, value string, err error) {
	if err == nil {
		f.add(key, value)
	} else if f.err == nil {
		f.err = fmt.Errorf("%s=: %w", key, err)
	}
}

// add is the one way in. It checks again what the methods above promise, so that
// a mistake in their escaping becomes an error and not a directive.
func (f *File) add(key, value string) {
	if f.err != nil {
		return
	}
	switch err := lineError(value); {
	case f.section == "":
		f.err = fmt.Errorf("%s=: no section started", key)
	case !isWord(key, "-"):
		f.err = fmt.Errorf("%q: not a directive name", key)
	case err != nil:
		f.err = fmt.Errorf("%s=: %w", key, err)
	case len(key)+1+len(value) > MaxLineBytes:
		f.err = fmt.Errorf("%s=: line of %d bytes, systemd reads %d: %w", key, len(key)+1+len(value), MaxLineBytes, ErrInexpressible)
	default:
		f.opts = append(f.opts, unit.NewUnitOption(f.section, key, value))
	}
}
