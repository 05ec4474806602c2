package strictjson

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// maxDepth is far above what a policy or a payload needs.
const maxDepth = 16

// Value is a JSON value and where it stands. The zero Value is null.
type Value struct {
	// Line counts from 1.
	Line int
	// Path is the keys that lead to it, as in transports.docker."*.example"[0].type;
	// empty for the document itself.
	Path string

	kind    kind
	members []Member
	items   []Value
	text    string
}

// Member is one key of an object, and its value.
type Member struct {
	Key   string
	Value Value
}

type kind uint8

const (
	null kind = iota
	object
	array
	text
	number
	boolean
)

// Error is what is wrong, and where.
type Error struct {
	Line int
	Path string
	What string
}

func (e *Error) Error() string {
	if e.Path == "" {
		return fmt.Sprintf("line %d: %s", e.Line, e.What)
	}
	return fmt.Sprintf("line %d: key %s: %s", e.Line, e.Path, e.What)
}

// Errorf is an error at the value.
func (v Value) Errorf(format string, args ...any) error {
	return &Error{v.Line, v.Path, fmt.Sprintf(format, args...)}
}

// Parse reads a document of one value. The caller bounds its size. Errors are
// of type *Error.
func Parse(raw []byte) (Value, error) {
	if !utf8.Valid(raw) {
		return Value{}, &Error{1, "", "not UTF-8"}
	}
	var any json.RawMessage
	if err := json.Unmarshal(raw, &any); err != nil {
		var syntax *json.SyntaxError
		line := 1
		if errors.As(err, &syntax) {
			line += bytes.Count(raw[:min(int(syntax.Offset), len(raw))], []byte("\n"))
		}
		return Value{}, &Error{line, "", "not JSON: " + strings.TrimPrefix(err.Error(), "json: ")}
	}
	r := reader{raw: raw, dec: json.NewDecoder(bytes.NewReader(raw)), line: 1}
	r.dec.UseNumber()
	return r.value("", 0)
}

// Object has the members of an object, in their order.
func (v Value) Object() ([]Member, error) {
	if v.kind != object {
		return nil, v.Errorf("must be an object")
	}
	return v.members, nil
}

// Array has the values of an array.
func (v Value) Array() ([]Value, error) {
	if v.kind != array {
		return nil, v.Errorf("must be an array")
	}
	return v.items, nil
}

// Text has a string that is not empty.
func (v Value) Text() (string, error) {
	switch {
	case v.kind != text:
		return "", v.Errorf("must be a string")
	case v.text == "":
		return "", v.Errorf("must not be empty")
	}
	return v.text, nil
}

// Int has a number without fraction or exponent that fits 64 bits.
func (v Value) Int() (int64, error) {
	if v.kind != number {
		return 0, v.Errorf("must be a number")
	}
	n, err := strconv.ParseInt(v.text, 10, 64)
	if err != nil {
		return 0, v.Errorf("must be a whole number of 64 bits")
	}
	return n, nil
}

// Bool has a boolean.
func (v Value) Bool() (bool, error) {
	if v.kind != boolean {
		return false, v.Errorf("must be true or false")
	}
	return v.text == "true", nil
}

// Null reports the null value.
func (v Value) Null() bool { return v.kind == null }

// reader walks the tokens of a document that is known to be JSON.
type reader struct {
	raw     []byte
	dec     *json.Decoder
	line    int
	counted int
}

func (r *reader) token() (json.Token, error) {
	t, err := r.dec.Token()
	if err != nil {
		return nil, &Error{r.line, "", "not JSON: " + err.Error()}
	}
	// A token holds no line break, so its end is on its line.
	end := int(r.dec.InputOffset())
	r.line += bytes.Count(r.raw[r.counted:end], []byte("\n"))
	r.counted = end
	return t, nil
}

func (r *reader) value(path string, depth int) (Value, error) {
	t, err := r.token()
	if err != nil {
		return Value{}, err
	}
	v := Value{Line: r.line, Path: path}
	switch t := t.(type) {
	case json.Delim:
		if depth == maxDepth {
			return Value{}, v.Errorf("nested deeper than %d", maxDepth)
		}
		if t == '{' {
			v.kind = object
			err := r.object(&v, depth)
			return v, err
		}
		v.kind = array
		err := r.array(&v, depth)
		return v, err
	case string:
		v.kind, v.text = text, t
	case json.Number:
		v.kind, v.text = number, t.String()
	case bool:
		v.kind, v.text = boolean, strconv.FormatBool(t)
	}
	return v, nil
}

func (r *reader) object(v *Value, depth int) error {
	seen := make(map[string]bool)
	for r.dec.More() {
		t, err := r.token()
		if err != nil {
			return err
		}
		key, ok := t.(string)
		at := Value{Line: r.line, Path: join(v.Path, key)}
		switch {
		case !ok:
			return v.Errorf("not JSON: a key is no string")
		case seen[key]:
			return at.Errorf("stands twice")
		}
		seen[key] = true
		value, err := r.value(at.Path, depth+1)
		if err != nil {
			return err
		}
		v.members = append(v.members, Member{key, value})
	}
	_, err := r.token()
	return err
}

func (r *reader) array(v *Value, depth int) error {
	for r.dec.More() {
		item, err := r.value(v.Path+"["+strconv.Itoa(len(v.items))+"]", depth+1)
		if err != nil {
			return err
		}
		v.items = append(v.items, item)
	}
	_, err := r.token()
	return err
}

// join quotes keys that are no plain words: they may hold anything.
func join(path, key string) string {
	for i := range len(key) {
		c := key[i]
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && c != '-' && c != '_' {
			key = strconv.Quote(key)
			break
		}
	}
	if key == "" {
		key = `""`
	}
	if path == "" {
		return key
	}
	return path + "." + key
}
