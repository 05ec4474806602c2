package strictjson

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestParseRefuses(t *testing.T) {
	for name, tt := range map[string]struct{ in, want string }{
		"nothing":                          {"", "line 1: not JSON: unexpected end of JSON input"},
		"two documents":                    {"{}\n{}", "line 2: not JSON: invalid character '{' after top-level value"},
		"a key that stands twice":          {"{\"a\": 1,\n\"a\": 2}", "line 2: key a: stands twice"},
		"one that is escaped the 2nd time": {`{"a": 1, "\u0061": 2}`, "line 1: key a: stands twice"},
		"a key twice far inside":           {"{\"x\": {\"docker\": [{}, {\n\"y z\": 1, \"y z\": 2}]}}", `line 2: key x.docker[1]."y z": stands twice`},
		"bytes that are no text":           {"\"\xff\"", "line 1: not UTF-8"},
		"a deep document":                  {strings.Repeat("[", 40) + strings.Repeat("]", 40), "line 1: key " + "[0][0][0][0][0][0][0][0][0][0][0][0][0][0][0][0]: nested deeper than 16"},
		"a comma at the end":               {"[1,\n]", "line 2: not JSON: invalid character ']' looking for beginning of value"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := Parse([]byte(tt.in)); err == nil || err.Error() != tt.want {
				t.Errorf("got %v, want %s", err, tt.want)
			}
		})
	}
}

func TestValuesKnowTheirPlaceAndKind(t *testing.T) {
	v, err := Parse([]byte("{\n \"a\": [true,\n  \"x\"], \"A\": null, \"\": -7, \"e\": \"\", \"f\": 1.5, \"host:1/\\u001b\": {}}"))
	if err != nil {
		t.Fatal(err)
	}
	members, err := v.Object()
	if err != nil || len(members) != 6 {
		t.Fatalf("%d members, %v", len(members), err)
	}
	list, err := members[0].Value.Array()
	if err != nil || len(list) != 2 {
		t.Fatalf("%d items, %v", len(list), err)
	}
	if s, err := list[1].Text(); s != "x" || err != nil || list[1].Line != 3 || list[1].Path != "a[1]" {
		t.Errorf("%q at line %d, %s, %v", s, list[1].Line, list[1].Path, err)
	}
	if !members[1].Value.Null() || members[0].Value.Null() {
		t.Error("null is not told from others")
	}
	if n, err := members[2].Value.Int(); n != -7 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	for what, tt := range map[string]struct {
		err  error
		want string
	}{
		"a word as object":   {second(list[1].Object()), "line 3: key a[1]: must be an object"},
		"an object as list":  {second(v.Array()), "line 1: must be an array"},
		"a list as text":     {second(members[0].Value.Text()), "line 2: key a: must be a string"},
		"no text":            {second(members[3].Value.Text()), "line 3: key e: must not be empty"},
		"a fraction":         {second(members[4].Value.Int()), "line 3: key f: must be a whole number of 64 bits"},
		"control characters": {second(members[5].Value.Int()), `line 3: key "host:1/\x1b": must be a number`},
	} {
		if tt.err == nil || tt.err.Error() != tt.want {
			t.Errorf("%s: got %v, want %s", what, tt.err, tt.want)
		}
	}
}

func second[T any](_ T, err error) error { return err }

// FuzzParse: what is taken is JSON, and its members are those that
// encoding/json sees, each once.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{`{"a": [1, {"b": null}], "A": "x"}`, `{"a": 1, "a": 2}`, "[", "1e400", "\"\\ud800\"", "[[]]"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		v, err := Parse(raw)
		if err != nil {
			if strings.ContainsAny(err.Error(), "\n\x1b") {
				t.Errorf("control characters in %q", err)
			}
			return
		}
		if !json.Valid(raw) {
			t.Fatal("took what is no JSON")
		}
		members, err := v.Object()
		if err != nil {
			return
		}
		var other map[string]json.RawMessage
		if err := json.Unmarshal(raw, &other); err != nil {
			t.Fatal(err)
		}
		if len(other) != len(members) {
			t.Errorf("%d members, encoding/json has %d", len(members), len(other))
		}
	})
}
