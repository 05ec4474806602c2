package unitfile

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

func escapeSpecifiers(s string) string { return strings.ReplaceAll(s, "%", "%%") }

// lineError says why value cannot stand after KEY= as it is.
func lineError(value string) error {
	if !utf8.ValidString(value) {
		return fmt.Errorf("value %q is not UTF-8: %w", value, ErrInexpressible)
	}
	for _, r := range value {
		if r < ' ' || r == 0x7f {
			return fmt.Errorf("value %q holds a control character: %w", value, ErrInexpressible)
		}
	}
	// systemd strips white space (other readers Unicode's too), and joins a line that
	// ends in a backslash with the next one.
	if strings.TrimSpace(value) != value {
		return fmt.Errorf("value %q begins or ends with white space: %w", value, ErrInexpressible)
	}
	if strings.HasSuffix(value, `\`) {
		return fmt.Errorf("value %q ends with a backslash: %w", value, ErrInexpressible)
	}
	return nil
}

// isWord reports whether s is made of letters, digits and the extra characters,
// and begins with a letter.
func isWord(s, extra string) bool {
	for i := range len(s) {
		switch c := s[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z':
		case i > 0 && ('0' <= c && c <= '9' || strings.IndexByte(extra, c) >= 0):
		default:
			return false
		}
	}
	return s != ""
}

// quote puts s in double quotes with C escapes, so that extract_first_word with
// EXTRACT_UNQUOTE|EXTRACT_CUNESCAPE gives s back. Bytes that are no UTF-8 are
// escaped one by one, for systemd drops lines that are no UTF-8.
func quote(s string) string {
	var b strings.Builder
	b.Grow(len(s) + 2)
	b.WriteByte('"')
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && size == 1, r < ' ', r == 0x7f:
			writeByteEscape(&b, s[i])
		case r == '"', r == '\\':
			b.WriteByte('\\')
			b.WriteByte(s[i])
		default:
			b.WriteString(s[i : i+size])
		}
		i += size
	}
	b.WriteByte('"')
	return b.String()
}

func writeByteEscape(b *strings.Builder, c byte) {
	switch c {
	case '\n':
		b.WriteString(`\n`)
	case '\t':
		b.WriteString(`\t`)
	case '\r':
		b.WriteString(`\r`)
	default:
		fmt.Fprintf(b, `\x%02x`, c)
	}
}

// joinQuoted quotes words for one line. In a command line a dollar sign starts a
// variable, which dollars says to escape.
func joinQuoted(words []string, dollars bool) (string, error) {
	quoted := make([]string, len(words))
	for i, w := range words {
		if strings.IndexByte(w, 0) >= 0 {
			return "", fmt.Errorf("word %q holds a NUL byte: %w", w, ErrInexpressible)
		}
		q := escapeSpecifiers(quote(w))
		if dollars {
			q = strings.ReplaceAll(q, "$", "$$")
		}
		quoted[i] = q
	}
	return strings.Join(quoted, " "), nil
}

func execValue(prefix string, argv []string) (string, error) {
	if strings.Trim(prefix, "@-:+!") != "" {
		return "", fmt.Errorf("executable prefix %q: only @, -, :, + and ! are", prefix)
	}
	if len(argv) == 0 {
		return "", errors.New("empty command line")
	}
	if strings.Contains(prefix, "@") && len(argv) < 2 {
		return "", errors.New("executable prefix @ without a name for the process")
	}
	if err := ExecutableError(argv[0]); err != nil {
		return "", err
	}
	// The path is never expanded, so its dollar signs stay as they are; and with
	// the prefix ":" nothing is.
	args, err := joinQuoted(argv[1:], !strings.Contains(prefix, ":"))
	if err != nil {
		return "", err
	}
	value := prefix + escapeSpecifiers(quote(argv[0]))
	if args != "" {
		value += " " + args
	}
	return value, nil
}

// ExecutableError says why path cannot be the executable of a command line:
// systemd wants a clean absolute path without quotes, backslashes and control
// characters (string_is_safe in its sources).
func ExecutableError(path string) error {
	if err := pathError(path); err != nil {
		return err
	}
	if strings.HasSuffix(path, "/") {
		return fmt.Errorf("executable %q is a directory: %w", path, ErrInexpressible)
	}
	if strings.ContainsAny(path, `"'\`) {
		return fmt.Errorf("executable %q holds a quote or a backslash: %w", path, ErrInexpressible)
	}
	return nil
}

// EnvError says why Environment= cannot hold name=value: systemd takes only names
// of letters, digits and underscores that begin with no digit, and values in UTF-8
// without NUL (env_name_is_valid, env_value_is_valid in its sources).
func EnvError(name, value string) error {
	for i := range len(name) {
		switch c := name[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', c == '_':
		case i > 0 && '0' <= c && c <= '9':
		default:
			return fmt.Errorf("environment variable name %q: %w", name, ErrInexpressible)
		}
	}
	if name == "" {
		return errors.New("environment variable without a name")
	}
	if !utf8.ValidString(value) || strings.IndexByte(value, 0) >= 0 {
		return fmt.Errorf("value %q of environment variable %s: %w", value, name, ErrInexpressible)
	}
	return nil
}
