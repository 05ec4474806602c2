package registries

import "fmt"

// FileError is a file whose content is wrong.
type FileError struct {
	File string
	// Line counts from 1.
	Line int
	// What is wrong, with the key.
	What string

	hint string
}

func (e *FileError) Error() string { return fmt.Sprintf("%s:%d: %s", e.File, e.Line, e.What) }

// Hint says what to write in its place. May be empty.
func (e *FileError) Hint() string { return e.hint }

// BlockedError is an image that may not be pulled.
type BlockedError struct {
	// Image is its full name, Prefix the one that forbids it.
	Image  string
	Prefix string
	// File and Line say where.
	File string
	Line int
}

func (e *BlockedError) Error() string {
	return fmt.Sprintf("image %s is blocked: %s:%d blocks %q", e.Image, e.File, e.Line, e.Prefix)
}

// Hint says whom to ask.
func (e *BlockedError) Hint() string {
	return fmt.Sprintf("images below %s come back with blocked = false in %s", e.Prefix, e.File)
}

// ShortNameError is a name without a registry, and without an alias.
type ShortNameError struct {
	Name string
	// Candidates are full names that it might stand for. May be empty.
	Candidates []string
}

const shownCandidates = 4

func (e *ShortNameError) Error() string {
	text := fmt.Sprintf("%q is a short name, which could be anybody's", e.Name)
	if len(e.Candidates) == 0 {
		return text
	}
	text += ": is it "
	for i, c := range e.Candidates {
		switch {
		case i == shownCandidates:
			return text + fmt.Sprintf(" or one of %d others?", len(e.Candidates)-i)
		case i > 0 && i == len(e.Candidates)-1:
			text += " or "
		case i > 0:
			text += ", "
		}
		text += c
	}
	return text + "?"
}

// Hint says how to write it.
func (e *ShortNameError) Hint() string {
	full := "docker://HOST/NAME"
	if len(e.Candidates) > 0 {
		full = e.Candidates[0]
	}
	return fmt.Sprintf("write the registry too, as %s, or give it an alias in the table [aliases] of registries.conf", full)
}
