package podmanifest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// maxDepth is far beyond any manifest's nesting.
const maxDepth = 64

// checkKeys refuses objects in which a field stands twice, in whatever case:
// encoding/json takes all of them one after the other, so that appc's types would
// see values that the check before them did not.
func checkKeys(text []byte) error {
	return (&keyChecker{json.NewDecoder(bytes.NewReader(text))}).value("", false, 0)
}

type keyChecker struct{ dec *json.Decoder }

// value reads one value. In a free object keys are data: case tells them apart.
func (c *keyChecker) value(path string, free bool, depth int) error {
	tok, err := c.dec.Token()
	if err != nil {
		return err
	}
	if depth > maxDepth {
		return fmt.Errorf("%s: more than %d levels deep", path, maxDepth)
	}
	switch tok {
	case json.Delim('{'):
		err = c.object(path, free, depth)
	case json.Delim('['):
		for i := 0; c.dec.More() && err == nil; i++ {
			err = c.value(fmt.Sprintf("%s[%d]", path, i), false, depth+1)
		}
	default:
		return nil
	}
	if err != nil {
		return err
	}
	_, err = c.dec.Token() // the closing bracket
	return err
}

func (c *keyChecker) object(path string, free bool, depth int) error {
	seen := map[string]bool{}
	for c.dec.More() {
		tok, err := c.dec.Token()
		if err != nil {
			return err
		}
		key, _ := tok.(string)
		at := strings.TrimPrefix(path+"."+key, ".")
		id := key
		if !free {
			id = fold(key)
		}
		if seen[id] {
			return fmt.Errorf("%s: a second time", at)
		}
		seen[id] = true
		isFree := slices.Contains([]string{"userannotations", "userlabels"}, fold(key))
		if err := c.value(at, isFree, depth+1); err != nil {
			return err
		}
	}
	return nil
}

// fold maps names that encoding/json takes for the same to one: upper case first,
// for the Kelvin sign and the long s have the letters K and S there.
func fold(key string) string { return strings.ToLower(strings.ToUpper(key)) }
