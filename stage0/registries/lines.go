package registries

import (
	"errors"
	"fmt"
	"strings"
)

// lines tells the line of each key, as "registry[1].mirror[0].location". The TOML
// package does not, for keys that it has no field for. And it needs time and
// memory in the square of how deep keys are nested, so that depth is limited
// here, before it sees a file.
func lines(text string) (map[string]int, error) {
	s := &scanner{text: text, line: 1, at: make(map[string]int), tables: make(map[string]int)}
	s.text = strings.TrimPrefix(s.text, "\ufeff")
	for s.skip(true); s.more(); s.skip(true) {
		if err := s.statement(); err != nil {
			return nil, &lineError{s.line, err}
		}
	}
	return s.at, nil
}

type lineError struct {
	line int
	err  error
}

func (e *lineError) Error() string { return fmt.Sprintf("line %d: %s", e.line, e.err) }

const (
	maxDepth    = 8
	maxKeyBytes = 256
	maxKeys     = 1 << 15
)

func tooDeep() error { return fmt.Errorf("nests more than %d deep", maxDepth) }

type scanner struct {
	text string
	pos  int
	line int
	// table is the path of the one whose keys come.
	table string
	// tables counts the tables of each list of tables.
	tables map[string]int
	at     map[string]int
}

func (s *scanner) more() bool { return s.pos < len(s.text) }

// peek is 0 at the end.
func (s *scanner) peek() byte {
	if !s.more() {
		return 0
	}
	return s.text[s.pos]
}

func (s *scanner) take(c byte) bool {
	if s.peek() != c || !s.more() {
		return false
	}
	s.advance(1)
	return true
}

func (s *scanner) advance(n int) {
	n = min(n, len(s.text)-s.pos)
	s.line += strings.Count(s.text[s.pos:s.pos+n], "\n")
	s.pos += n
}

// skip passes space and, where they may stand, comments and ends of lines.
func (s *scanner) skip(lines bool) {
	for s.more() {
		switch c := s.peek(); {
		case c == ' ' || c == '\t' || c == '\r':
			s.advance(1)
		case c == '\n' && lines:
			s.advance(1)
		case c == '#' && lines:
			s.until("\n")
		default:
			return
		}
	}
}

// until passes everything before one of the characters.
func (s *scanner) until(chars string) {
	n := strings.IndexAny(s.text[s.pos:], chars)
	if n < 0 {
		n = len(s.text) - s.pos
	}
	s.advance(n)
}

// statement passes a table's name or a key and its value.
func (s *scanner) statement() error {
	if s.take('[') {
		list := s.take('[')
		line := s.line
		parts, err := s.key()
		if err != nil {
			return err
		}
		if !s.take(']') || list && !s.take(']') {
			return errors.New("a table's name does not end")
		}
		if s.table, err = s.tablePath(parts, list, line); err != nil {
			return err
		}
	} else if err := s.pair(s.table, 0); err != nil {
		return err
	}
	s.skip(false)
	if c := s.peek(); s.more() && c != '\n' && c != '#' {
		return fmt.Errorf("unexpected %q", c)
	}
	return nil
}

// tablePath puts the numbers of the tables it is in into a table's path.
func (s *scanner) tablePath(parts []string, list bool, line int) (string, error) {
	path := ""
	for i, part := range parts {
		path = join(path, part)
		if list && i == len(parts)-1 {
			s.tables[path]++
		}
		if n := s.tables[path]; n > 0 {
			path = fmt.Sprintf("%s[%d]", path, n-1)
		}
		if err := s.mark(path, line); err != nil {
			return "", err
		}
	}
	return path, nil
}

// mark notes where a key, or a table, comes first.
func (s *scanner) mark(path string, line int) error {
	if _, twice := s.at[path]; twice {
		return nil
	}
	if len(s.at) == maxKeys {
		return fmt.Errorf("more than %d keys", maxKeys)
	}
	s.at[path] = line
	return nil
}

// pair passes "key = value" in the table of that path.
func (s *scanner) pair(table string, depth int) error {
	line := s.line
	parts, err := s.key()
	if err != nil {
		return err
	}
	if !s.take('=') {
		return errors.New("a key without a value")
	}
	path := table
	for _, part := range parts {
		path = join(path, part)
		if err := s.mark(path, line); err != nil {
			return err
		}
	}
	s.skip(false)
	return s.value(path, depth+len(parts))
}

// key passes a possibly dotted key and the space around it.
func (s *scanner) key() ([]string, error) {
	var parts []string
	for {
		s.skip(false)
		part, err := s.keyPart()
		if err != nil {
			return nil, err
		}
		if parts = append(parts, part); len(parts) > maxDepth {
			return nil, tooDeep()
		}
		s.skip(false)
		if !s.take('.') {
			return parts, nil
		}
	}
}

func (s *scanner) keyPart() (string, error) {
	start := s.pos
	if c := s.peek(); c == '"' || c == '\'' {
		if err := s.quoted(); err != nil {
			return "", err
		}
	} else {
		for isBare(s.peek()) {
			s.advance(1)
		}
	}
	switch part := s.text[start:s.pos]; {
	case part == "":
		return "", errors.New("a key is missing")
	case len(part) > maxKeyBytes:
		return "", fmt.Errorf("a key is longer than %d bytes", maxKeyBytes)
	default:
		return strings.Trim(part, "\"'"), nil
	}
}

// value passes a value of any kind.
func (s *scanner) value(path string, depth int) error {
	if depth > maxDepth {
		return tooDeep()
	}
	switch s.peek() {
	case '"', '\'':
		return s.quoted()
	case '[':
		return s.sequence('[', ']', func(i int) error {
			element := path
			if c := s.peek(); c == '{' || c == '[' {
				element = fmt.Sprintf("%s[%d]", path, i)
			}
			if err := s.mark(element, s.line); err != nil {
				return err
			}
			return s.value(element, depth+1)
		})
	case '{':
		return s.sequence('{', '}', func(int) error { return s.pair(path, depth+1) })
	}
	start := s.pos
	s.until(",]}#\n")
	if s.pos == start {
		return errors.New("a value is missing")
	}
	return nil
}

// sequence passes what stands between two brackets with commas between.
func (s *scanner) sequence(open, end byte, element func(int) error) error {
	s.take(open)
	for i := 0; ; i++ {
		if s.skip(true); s.take(end) {
			return nil
		}
		if err := element(i); err != nil {
			return err
		}
		s.skip(true)
		if s.take(end) {
			return nil
		}
		if !s.take(',') {
			return fmt.Errorf("%q or a comma is missing", end)
		}
	}
}

// quoted passes a string in quotes of any of the four kinds.
func (s *scanner) quoted() error {
	quote := s.peek()
	end := strings.Repeat(string(quote), 3)
	long := strings.HasPrefix(s.text[s.pos:], end)
	if !long {
		end = end[:1]
	}
	for s.advance(len(end)); s.more(); s.advance(1) {
		switch {
		case strings.HasPrefix(s.text[s.pos:], end):
			s.advance(len(end))
			// A long string may end in two more quotes, its own.
			for i := 0; long && i < 2 && s.take(quote); i++ {
			}
			return nil
		case s.peek() == '\\' && quote == '"':
			s.advance(1)
		case s.peek() == '\n' && !long:
			return errors.New("a string does not end")
		}
	}
	return errors.New("a string does not end")
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

// isBare knows what a key may be made of without quotes.
func isBare(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '-' || c == '_'
}
