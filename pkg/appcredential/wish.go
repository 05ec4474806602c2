package appcredential

import (
	"errors"
	"fmt"
	"path"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Wish says where a credential comes from.
type Wish struct {
	Kind Kind
	// ID is the credential's name, which is a file's. Of Import it is a pattern, as
	// path.Match has it.
	ID string
	// From, of Load, is an absolute path, the name of a credential, or Stdin.
	From string
}

// Kind is a kind of wish.
type Kind string

// The kinds, after systemd's LoadCredential=, ImportCredential= and SetCredential=.
const (
	Load   Kind = "load"
	Import Kind = "import"
	Set    Kind = "set" // its value is not in the wish
)

// Stdin as a source is the standard input, to its end.
const Stdin = "-"

// ParseLoad reads ID[:FROM], systemd's LoadCredential=.
func ParseLoad(text string) (Wish, error) {
	id, from, given := strings.Cut(text, ":")
	if !given {
		from = id
	}
	if err := checkID(id); err != nil {
		return Wish{}, err
	}
	switch {
	case from == Stdin:
	case !utf8.ValidString(from) || strings.ContainsFunc(from, unicode.IsControl):
		return Wish{}, errors.New("the path has a control character or is not UTF-8")
	case path.IsAbs(from):
		from = path.Clean(from)
	case strings.Contains(from, "/"):
		return Wish{}, fmt.Errorf("%q is neither an absolute path nor the name of a credential", from)
	default:
		if err := checkID(from); err != nil {
			return Wish{}, err
		}
	}
	return Wish{Load, id, from}, nil
}

// ParseSet reads ID:VALUE, systemd's SetCredential=, but takes the value as it is.
// No error has any of the value in it.
func ParseSet(text string) (Wish, []byte, error) {
	id, value, given := strings.Cut(text, ":")
	if !given {
		return Wish{}, nil, errors.New("want ID:VALUE")
	}
	if err := checkID(id); err != nil {
		return Wish{}, nil, err
	}
	if len(value) > MaxBytes {
		return Wish{}, nil, tooMuch(id)
	}
	return Wish{Kind: Set, ID: id}, []byte(value), nil
}

// ParseImport reads a pattern, systemd's ImportCredential=.
func ParseImport(pattern string) (Wish, error) {
	if _, err := path.Match(pattern, "x"); err != nil {
		return Wish{}, errors.New("is not a pattern")
	}
	return Wish{Kind: Import, ID: pattern}, checkID(pattern)
}

// String is the wish as Parse reads it.
func (w Wish) String() string {
	text := string(w.Kind) + "=" + w.ID
	if w.Kind == Load {
		text += ":" + w.From
	}
	return text
}

// Parse reads what String made.
func Parse(text string) (Wish, error) {
	kind, rest, _ := strings.Cut(text, "=")
	switch Kind(kind) {
	case Load:
		return ParseLoad(rest)
	case Import:
		return ParseImport(rest)
	case Set:
		return Wish{Kind: Set, ID: rest}, checkID(rest)
	}
	return Wish{}, fmt.Errorf("credential %q: of no kind that is known", text)
}

// ParseAll reads a list of what String made.
func ParseAll(texts []string) ([]Wish, error) {
	var wishes []Wish
	for _, t := range texts {
		w, err := Parse(t)
		if err != nil {
			return nil, err
		}
		wishes = append(wishes, w)
	}
	return wishes, nil
}

// checkID holds the name of a credential to what a file's can be. The error does not
// repeat it: a value may have been written in its place.
func checkID(id string) error {
	const most = 255
	switch {
	case id == "":
		return errors.New("a credential needs a name")
	case id == "." || id == ".." || len(id) > most || strings.ContainsAny(id, "/:") || !utf8.ValidString(id) || strings.ContainsFunc(id, unicode.IsControl):
		return fmt.Errorf("a credential's name is that of a file: at most %d bytes, without \"/\", \":\" and control characters", most)
	}
	return nil
}
