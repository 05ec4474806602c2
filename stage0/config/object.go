package config

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

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

// stringOf is the value of a key that must be there and say something.
func stringOf(doc map[string]json.RawMessage, key string) (string, error) {
	raw, there := doc[key]
	if !there {
		return "", fmt.Errorf("key %q is missing", key)
	}
	var value *string
	if err := json.Unmarshal(raw, &value); err != nil || value == nil {
		return "", fmt.Errorf("key %q: must be a string", key)
	}
	if *value == "" {
		return "", fmt.Errorf("key %q: must not be empty", key)
	}
	return *value, nil
}

// stringsOf is the value of a key that must be there, a list that is not empty.
func stringsOf(doc map[string]json.RawMessage, key string) ([]string, error) {
	raw, there := doc[key]
	if !there {
		return nil, fmt.Errorf("key %q is missing", key)
	}
	var values []*string
	if err := json.Unmarshal(raw, &values); err != nil {
		return nil, fmt.Errorf("key %q: must be a list of strings", key)
	}
	if len(values) == 0 {
		return nil, fmt.Errorf("key %q: must not be empty", key)
	}
	list := make([]string, len(values))
	for i, v := range values {
		if v == nil {
			return nil, fmt.Errorf("key %q: must be a list of strings", key)
		}
		list[i] = *v
	}
	return list, nil
}
