package registries

import (
	"errors"
	"strings"

	"github.com/raket/raket/pkg/image"
)

// alias is a full name and where it was given. An empty value takes an alias away.
type alias struct {
	place
	value string
}

func (t table) aliases() (map[string]alias, error) {
	v, there := t.keys["aliases"]
	if !there {
		return nil, nil
	}
	keys, ok := v.(map[string]any)
	if !ok {
		return nil, t.wrong("aliases", "must be a table")
	}
	sub := table{file: t.file, path: join(t.path, "aliases"), keys: keys, at: t.at}
	list := make(map[string]alias, len(keys))
	for short := range keys {
		value, err := sub.text(short)
		if err != nil {
			return nil, err
		}
		if bare, ok := cutShort(short); !ok || bare != short {
			return nil, sub.wrong(short, "is not a short name without tag and digest")
		}
		a := alias{place{t.file, sub.line(short)}, value}
		if value != "" {
			n, err := parseName(value)
			if err == nil && (n.path == "" || n.suffix != "") {
				err = errors.New("is not a full name without tag and digest")
			}
			if err != nil {
				return nil, sub.wrong(short, "%q %w", value, err)
			}
		}
		list[short] = a
	}
	return list, nil
}

// cutShort takes tag and digest off a name that has no registry. It is not ok
// where the name has one, or is none at all.
func cutShort(short string) (bare string, ok bool) {
	first, _, hasPath := strings.Cut(short, "/")
	if hasPath && (strings.ContainsAny(first, ".:") || first == "localhost") {
		return "", false
	}
	// A host that nobody has makes a full name of it.
	ref, err := image.Parse("docker://short.invalid/" + short)
	if err != nil || ref.Registry != "short.invalid" {
		return "", false
	}
	return ref.Repository, true
}

// Alias is the full name that a short one, as "nginx" or "team/web:1", stands for.
// It is false where the name is not short or has no alias.
func (c *Config) Alias(short string) (image.Ref, bool, error) {
	bare, ok := cutShort(short)
	if !ok || c == nil {
		return image.Ref{}, false, nil
	}
	a, ok := c.aliases[bare]
	if !ok {
		return image.Ref{}, false, nil
	}
	ref, err := image.Parse("docker://" + a.value + strings.TrimPrefix(short, bare))
	if err != nil {
		return image.Ref{}, false, &FileError{File: a.file, Line: a.line, What: err.Error()}
	}
	return ref, true, nil
}

// ShortName refuses a short name without an alias: its *ShortNameError names what
// the search list makes of it. It is nil for other names.
func (c *Config) ShortName(name string) error {
	if _, ok := cutShort(name); !ok {
		return nil
	}
	e := &ShortNameError{Name: name}
	search := []string{"docker.io"}
	if c != nil && c.search != nil {
		search = c.search
	}
	for _, host := range search {
		if ref, err := image.Parse("docker://" + host + "/" + name); err == nil {
			e.Candidates = append(e.Candidates, ref.String())
		}
	}
	return e
}
