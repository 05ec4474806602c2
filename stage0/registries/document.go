package registries

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/BurntSushi/toml"
)

// file is one file's word. Nil lists were not there.
type file struct {
	search     []string
	helpers    []string
	registries []registry
	aliases    map[string]alias
}

// place is where something is said.
type place struct {
	file string
	line int
}

// parse reads a registries.conf. Errors are *FileError.
func parse(path string, raw []byte) (file, error) {
	at, err := lines(string(raw))
	if err != nil {
		bad := &FileError{File: path, Line: 1, What: err.Error()}
		if l := (*lineError)(nil); errors.As(err, &l) {
			bad.Line, bad.What = l.line, l.err.Error()
		}
		return file{}, bad
	}
	top := table{file: path, at: at}
	if _, err := toml.Decode(string(raw), &top.keys); err != nil {
		bad := &FileError{File: path, Line: 1, What: err.Error()}
		if p := (toml.ParseError{}); errors.As(err, &p) {
			bad.Line, bad.What = p.Position.Line, p.Message
		}
		return file{}, bad
	}
	return top.read()
}

// read takes the global settings and all tables.
func (t table) read() (file, error) {
	if _, v1 := t.keys["registries"]; v1 {
		bad := t.wrong("registries", "this is version 1 of the format, want version 2")
		bad.hint = `[registries.search] becomes unqualified-search-registries = [HOST, …]; each host of [registries.insecure] and ` +
			`[registries.block] becomes a [[registry]] with location = HOST and insecure = true or blocked = true`
		return file{}, bad
	}
	// The helper of another program's layer store has no meaning here.
	err := t.only("unqualified-search-registries", "credential-helpers", "short-name-mode", "registry", "aliases", "additional-layer-store-auth-helper")
	if err != nil {
		return file{}, err
	}
	var f file
	if f.search, err = t.searchList(); err != nil {
		return file{}, err
	}
	if f.helpers, err = t.helperList(); err != nil {
		return file{}, err
	}
	mode, err := t.text("short-name-mode")
	if err != nil {
		return file{}, err
	}
	if !slices.Contains([]string{"", "enforcing", "permissive", "disabled"}, mode) {
		return file{}, t.wrong("short-name-mode", "unknown mode %q, want enforcing, permissive or disabled", mode)
	}
	tables, err := t.tables("registry")
	if err != nil {
		return file{}, err
	}
	seen := make(map[string]int)
	for _, sub := range tables {
		r, err := sub.registry()
		if err != nil {
			return file{}, err
		}
		if line, twice := seen[r.prefix]; twice {
			return file{}, sub.wrong("prefix", "%q has a table in line %d already", r.prefix, line)
		}
		seen[r.prefix] = r.line
		f.registries = append(f.registries, r)
	}
	f.aliases, err = t.aliases()
	return f, err
}

func (t table) searchList() ([]string, error) {
	const key = "unqualified-search-registries"
	list, err := t.list(key)
	if err != nil {
		return nil, err
	}
	for i, host := range list {
		n, err := parseName(strings.TrimSuffix(host, "/"))
		if err == nil && (n.path != "" || n.suffix != "") {
			err = errors.New("is more than a host")
		}
		if err != nil {
			return nil, t.wrong(key, "%q %w", host, err)
		}
		list[i] = n.host
	}
	return list, nil
}

// AuthFiles is the name among credential helpers that stands for the files of
// containers-auth.json(5).
const AuthFiles = "containers-auth.json"

func (t table) helperList() ([]string, error) {
	const key = "credential-helpers"
	list, err := t.list(key)
	if err != nil {
		return nil, err
	}
	for _, name := range list {
		if name == "" || strings.ContainsFunc(name, func(r rune) bool { return r == '/' || r <= ' ' || r == 0x7f }) {
			return nil, t.wrong(key, "%q is not a helper's name", name)
		}
	}
	return list, nil
}

// table is a table of a file with the path of its keys.
type table struct {
	file string
	path string
	keys map[string]any
	at   map[string]int
}

// line is the key's own, or that of what it stands in.
func (t table) line(key string) int {
	for path := join(t.path, key); path != ""; {
		if line := t.at[path]; line != 0 {
			return line
		}
		path = path[:max(0, strings.LastIndexAny(path, ".["))]
	}
	return 1
}

// wrong is an error about a key of the table, or about the table where there
// is no key.
func (t table) wrong(key, format string, args ...any) *FileError {
	return &FileError{File: t.file, Line: t.line(key), What: fmt.Sprintf("key %q: %s", key, fmt.Errorf(format, args...))}
}

func (t table) only(known ...string) error {
	for _, key := range slices.SortedFunc(maps.Keys(t.keys), func(a, b string) int { return t.line(a) - t.line(b) }) {
		if !slices.Contains(known, key) {
			return t.wrong(key, "unknown")
		}
	}
	return nil
}

func (t table) text(key string) (string, error) {
	v, there := t.keys[key]
	s, ok := v.(string)
	if there && !ok {
		return "", t.wrong(key, "must be a string")
	}
	return s, nil
}

func (t table) truth(key string) (bool, error) {
	v, there := t.keys[key]
	b, ok := v.(bool)
	if there && !ok {
		return false, t.wrong(key, "must be true or false")
	}
	return b, nil
}

// list is nil where there is none.
func (t table) list(key string) ([]string, error) {
	v, there := t.keys[key]
	if !there {
		return nil, nil
	}
	values, ok := v.([]any)
	if !ok {
		return nil, t.wrong(key, "must be a list of strings")
	}
	list := make([]string, 0, len(values))
	for _, v := range values {
		s, ok := v.(string)
		if !ok {
			return nil, t.wrong(key, "must be a list of strings")
		}
		list = append(list, s)
	}
	return list, nil
}

// tables are those of a list, in either spelling.
func (t table) tables(key string) ([]table, error) {
	v, there := t.keys[key]
	if !there {
		return nil, nil
	}
	maps, ok := v.([]map[string]any)
	if values, inline := v.([]any); inline {
		ok = true
		for _, v := range values {
			m, isTable := v.(map[string]any)
			ok = ok && isTable
			maps = append(maps, m)
		}
	}
	if !ok {
		return nil, t.wrong(key, "must be a list of tables, as [[%s]]", key)
	}
	list := make([]table, len(maps))
	for i, m := range maps {
		list[i] = table{file: t.file, path: fmt.Sprintf("%s[%d]", join(t.path, key), i), keys: m, at: t.at}
	}
	return list, nil
}
