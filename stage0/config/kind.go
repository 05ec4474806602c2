package config

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"path/filepath"
	"slices"
)

const (
	kindKey    = "rktKind"
	versionKey = "rktVersion"
	onlyV1     = "v1"
)

// kind is a kind of configuration and its keys.
type kind struct {
	name string
	// keys say where a key's value goes and what is wrong with it.
	keys map[string]func(*Config, string) error
	// needs are keys that another key asks for.
	needs map[string]string
}

func kinds() []kind {
	return []kind{
		{
			name: "paths",
			keys: map[string]func(*Config, string) error{
				"data":          func(c *Config, v string) error { return setAbsolute(&c.Paths.Data, v) },
				"stage1-images": func(c *Config, v string) error { return setAbsolute(&c.Paths.Stage1Images, v) },
			},
		},
		{
			name: "stage1",
			keys: map[string]func(*Config, string) error{
				"name":     func(c *Config, v string) error { c.Stage1.Name = v; return nil },
				"version":  func(c *Config, v string) error { c.Stage1.Version = v; return nil },
				"location": func(c *Config, v string) error { return setAbsolute(&c.Stage1.Location, v) },
			},
			needs: map[string]string{"version": "name"},
		},
	}
}

// readDocument puts one file into the layer.
func (l *layer) readDocument(path string, raw []byte, k kind) error {
	doc, err := parseObject(raw)
	if err != nil {
		return err
	}
	said := make(map[string]string)
	for _, key := range slices.Sorted(maps.Keys(doc)) {
		var value string
		if err := json.Unmarshal(doc[key], &value); err != nil {
			return fmt.Errorf("key %q: must be a string", key)
		}
		if value == "" {
			return fmt.Errorf("key %q: must not be empty", key)
		}
		said[key] = value
	}
	if err := checkHeader(said, k); err != nil {
		return err
	}
	for _, key := range slices.Sorted(maps.Keys(said)) {
		if key == kindKey || key == versionKey {
			continue
		}
		set, known := k.keys[key]
		if !known {
			return fmt.Errorf("key %q: kind %s has no such key", key, k.name)
		}
		if other, twice := l.setBy[k.name+"."+key]; twice {
			return fmt.Errorf("key %q: %s sets it already", key, other)
		}
		l.setBy[k.name+"."+key] = path
		if need := k.needs[key]; need != "" && said[need] == "" {
			return fmt.Errorf("key %q: key %q must stand beside it", key, need)
		}
		if err := set(&l.cfg, said[key]); err != nil {
			return fmt.Errorf("key %q: %w", key, err)
		}
	}
	return nil
}

func checkHeader(said map[string]string, k kind) error {
	switch kind, version := said[kindKey], said[versionKey]; {
	case kind == "":
		return fmt.Errorf("key %q is missing", kindKey)
	case version == "":
		return fmt.Errorf("key %q is missing", versionKey)
	case kind != k.name:
		return fmt.Errorf("key %q: kind %q does not belong into a directory %s.d", kindKey, kind, k.name)
	case version != onlyV1:
		return fmt.Errorf("key %q: unknown version %q, want %q", versionKey, version, onlyV1)
	}
	return nil
}

// parseObject reads one JSON object and nothing else. Unlike encoding/json
// it refuses a key that comes twice, and takes upper and lower case for what
// they are.
func parseObject(raw []byte) (map[string]json.RawMessage, error) {
	dec := json.NewDecoder(bytes.NewReader(raw))
	open, err := dec.Token()
	if err != nil {
		return nil, notJSON(err)
	}
	if open != json.Delim('{') {
		return nil, errors.New("must be a JSON object")
	}
	doc := make(map[string]json.RawMessage)
	for dec.More() {
		token, err := dec.Token()
		if err != nil {
			return nil, notJSON(err)
		}
		key, ok := token.(string)
		if !ok {
			return nil, fmt.Errorf("%v is not a key", token)
		}
		if _, twice := doc[key]; twice {
			return nil, fmt.Errorf("key %q: stands twice", key)
		}
		var value json.RawMessage
		if err := dec.Decode(&value); err != nil {
			return nil, fmt.Errorf("key %q: %w", key, notJSON(err))
		}
		doc[key] = value
	}
	if _, err := dec.Token(); err != nil {
		return nil, notJSON(err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("has something behind the JSON object")
	}
	return doc, nil
}

func notJSON(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errors.New("not JSON: ends too early")
	}
	return fmt.Errorf("not JSON: %w", err)
}

func setAbsolute(into *string, v string) error {
	if !filepath.IsAbs(v) {
		return fmt.Errorf("%q is not an absolute path", v)
	}
	*into = filepath.Clean(v)
	return nil
}
