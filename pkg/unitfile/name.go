package unitfile

import (
	"fmt"
	"path"
	"strconv"
	"strings"
)

// The two functions of go-systemd that do this write control characters with one
// hexadecimal digit and read no byte above 0x7f, unlike systemd-escape(1).

// EscapeName escapes s for use in a unit's name, as systemd-escape(1) does.
func EscapeName(s string) string {
	var b strings.Builder
	for i := range len(s) {
		switch c := s[i]; {
		case c == '/':
			b.WriteByte('-')
		case i == 0 && c == '.', !isNameByte(c):
			fmt.Fprintf(&b, `\x%02x`, c)
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

// EscapePath escapes an absolute path for use in a unit's name, as systemd-escape
// --path does. A path that holds ".." is refused.
func EscapePath(p string) (string, error) {
	if !strings.HasPrefix(p, "/") {
		return "", fmt.Errorf("path %q is not absolute", p)
	}
	for part := range strings.SplitSeq(p, "/") {
		if part == ".." {
			return "", fmt.Errorf("path %q has a part \"..\" in it", p)
		}
	}
	p = path.Clean(p)
	if p == "/" {
		return "-", nil
	}
	return EscapeName(p[1:]), nil
}

// UnescapeName undoes EscapeName, as systemd-escape --unescape does.
func UnescapeName(s string) (string, error) {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '-':
			b.WriteByte('/')
		case c == '\\':
			if len(s)-i < 4 || s[i+1] != 'x' {
				return "", fmt.Errorf("unit name %q: bad escape", s)
			}
			n, err := strconv.ParseUint(s[i+2:i+4], 16, 8)
			if err != nil {
				return "", fmt.Errorf("unit name %q: bad escape", s)
			}
			b.WriteByte(byte(n))
			i += 3
		default:
			b.WriteByte(c)
		}
	}
	return b.String(), nil
}

// NameError says why name, its suffix included, is not the name of a unit
// (systemd.unit(5), "Description").
func NameError(name string) error {
	switch dot := strings.LastIndexByte(name, '.'); {
	case len(name) > 255:
		return fmt.Errorf("unit name of %d bytes is longer than 255", len(name))
	case dot <= 0 || !isWord(name[dot+1:], ""):
		return fmt.Errorf("unit name %q has no type", name)
	}
	for i := range len(name) {
		if c := name[i]; !isNameByte(c) && !strings.ContainsRune(`-\@`, rune(c)) {
			return fmt.Errorf("unit name %q holds %q", name, c)
		}
	}
	return nil
}

func isNameByte(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' ||
		c == ':' || c == '_' || c == '.'
}
