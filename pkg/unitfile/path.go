package unitfile

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// Bind is one bind mount of a unit.
type Bind struct {
	Source string // absolute path, seen from the service manager
	Target string // absolute path in the unit's root; empty: as Source
	// Recursive also binds what is mounted below Source.
	Recursive bool
	// IgnoreMissing makes a missing Source no error.
	IgnoreMissing bool
}

func (b Bind) value() (string, error) {
	target := b.Target
	if target == "" {
		target = b.Source
	}
	for _, p := range []string{b.Source, target} {
		if err := pathError(p); err != nil {
			return "", err
		}
	}
	source, option := b.Source, "norbind"
	if b.IgnoreMissing {
		source = "-" + source
	}
	if b.Recursive {
		option = "rbind"
	}
	return quotePath(source) + ":" + quotePath(target) + ":" + option, nil
}

func pathList(paths []string) (string, error) {
	quoted := make([]string, len(paths))
	for i, p := range paths {
		bare := strings.TrimPrefix(strings.TrimPrefix(p, "-"), "+")
		if err := pathError(bare); err != nil {
			return "", err
		}
		quoted[i] = quotePath(p)
	}
	return strings.Join(quoted, " "), nil
}

// pathError says why systemd would not take path as it is.
func pathError(path string) error {
	switch {
	case !strings.HasPrefix(path, "/"):
		return fmt.Errorf("path %q is not absolute", path)
	case len(path) > 4095:
		return fmt.Errorf("path of %d bytes is longer than 4095: %w", len(path), ErrInexpressible)
	case !utf8.ValidString(path):
		return fmt.Errorf("path %q is not UTF-8: %w", path, ErrInexpressible)
	}
	for _, r := range path {
		if r < ' ' || r == 0x7f {
			return fmt.Errorf("path %q holds a control character: %w", path, ErrInexpressible)
		}
	}
	for part := range strings.SplitSeq(path, "/") {
		if part == ".." {
			return fmt.Errorf("path %q has a part \"..\" in it", path)
		}
		if len(part) > 255 {
			return fmt.Errorf("path %q holds a name longer than 255 bytes: %w", path, ErrInexpressible)
		}
	}
	return nil
}

// quotePath quotes for lists of paths, which systemd splits without C unescaping:
// there a backslash only takes the next character literally, and a colon inside
// quotes separates nothing.
func quotePath(path string) string {
	path = strings.ReplaceAll(path, `\`, `\\`)
	path = strings.ReplaceAll(path, `"`, `\"`)
	return escapeSpecifiers(`"` + path + `"`)
}
