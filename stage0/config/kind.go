package config

import (
	"encoding/json"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
)

const (
	kindKey    = "rktKind"
	versionKey = "rktVersion"
	onlyV1     = "v1"
)

// directory is one of a layer's, with the kinds that may stand in it.
type directory struct {
	name  string
	kinds []kind
}

func directories() []directory {
	return []directory{
		{"auth.d", []kind{{"auth", readAuth}, {"dockerAuth", readDockerAuth}}},
		{"paths.d", []kind{{"paths", readPaths}}},
		{"stage1.d", []kind{{"stage1", readStage1}}},
	}
}

// kind is a kind of configuration and what reads a document of it, whose kind and
// version are known to be right.
type kind struct {
	name string
	read func(*layer, document) error
}

// document is one file's object.
type document struct {
	path string
	kind string
	keys map[string]json.RawMessage
}

// readDocument puts one file into the layer.
func (l *layer) readDocument(path string, raw []byte, d directory) error {
	keys, err := parseObject(raw)
	if err != nil {
		return err
	}
	doc := document{path: path, keys: keys}
	if doc.kind, err = stringOf(keys, kindKey); err != nil {
		return err
	}
	version, err := stringOf(keys, versionKey)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(d.kinds, func(k kind) bool { return k.name == doc.kind })
	switch {
	case i < 0:
		return fmt.Errorf("key %q: kind %q does not belong into a directory %s", kindKey, doc.kind, d.name)
	case version != onlyV1:
		return fmt.Errorf("key %q: unknown version %q, want %q", versionKey, version, onlyV1)
	}
	return d.kinds[i].read(l, doc)
}

// onlyKeys refuses keys that the kind has not.
func (d document) onlyKeys(known ...string) error {
	for _, key := range slices.Sorted(maps.Keys(d.keys)) {
		if key != kindKey && key != versionKey && !slices.Contains(known, key) {
			return fmt.Errorf("key %q: kind %s has no such key", key, d.kind)
		}
	}
	return nil
}

// set notes who set what, and refuses a second one in this layer.
func (l *layer) set(what, path string) error {
	if other, twice := l.setBy[what]; twice {
		return fmt.Errorf("%s sets it already", other)
	}
	l.setBy[what] = path
	return nil
}

// readStrings reads a kind whose keys are strings that come one by one.
func (l *layer) readStrings(d document, keys map[string]func(string) error) error {
	if err := d.onlyKeys(slices.Collect(maps.Keys(keys))...); err != nil {
		return err
	}
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		if _, there := d.keys[key]; !there {
			continue
		}
		value, err := stringOf(d.keys, key)
		if err != nil {
			return err
		}
		if err := l.set(d.kind+"."+key, d.path); err != nil {
			return fmt.Errorf("key %q: %w", key, err)
		}
		if err := keys[key](value); err != nil {
			return fmt.Errorf("key %q: %w", key, err)
		}
	}
	return nil
}

func readPaths(l *layer, d document) error {
	p := &l.cfg.Paths
	return l.readStrings(d, map[string]func(string) error{
		"data":          func(v string) error { return setAbsolute(&p.Data, v) },
		"cni-plugins":   func(v string) error { return setAbsolute(&p.CNIPlugins, v) },
		"stage1-images": func(v string) error { return setAbsolute(&p.Stage1Images, v) },
	})
}

func readStage1(l *layer, d document) error {
	s := &l.cfg.Stage1
	return l.readStrings(d, map[string]func(string) error{
		"name":     func(v string) error { s.Name = v; return nil },
		"location": func(v string) error { return setAbsolute(&s.Location, v) },
		"version": func(v string) error {
			if d.keys["name"] == nil {
				return fmt.Errorf("key %q must stand beside it", "name")
			}
			s.Version = v
			return nil
		},
	})
}

func setAbsolute(into *string, v string) error {
	if !filepath.IsAbs(v) {
		return fmt.Errorf("%q is not an absolute path", v)
	}
	*into = filepath.Clean(v)
	return nil
}
