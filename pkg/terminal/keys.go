package terminal

import (
	"bytes"
	"fmt"
	"strings"
)

// DefaultDetachKeys are those that podman and docker have.
const DefaultDetachKeys = "ctrl-p,ctrl-q"

// ParseKeys reads a sequence of keys: letters and "ctrl-X", with commas between. The empty
// text is no sequence.
func ParseKeys(text string) ([]byte, error) {
	if text == "" {
		return nil, nil
	}
	var keys []byte
	for word := range strings.SplitSeq(text, ",") {
		name, ctrl := strings.CutPrefix(word, "ctrl-")
		switch {
		case ctrl && len(name) == 1 && name[0] >= 'a' && name[0] <= 'z':
			keys = append(keys, name[0]-'a'+1)
		case ctrl && len(name) == 1 && strings.Contains(`@[\]^_`, name):
			keys = append(keys, name[0]-'@')
		case !ctrl && len(name) == 1 && name[0] > ' ' && name[0] < 0x7f:
			keys = append(keys, name[0])
		default:
			return nil, fmt.Errorf("%q is no key: want a character, or ctrl- and one of a-z @ [ \\ ] ^ _, as in %s", word, DefaultDetachKeys)
		}
	}
	return keys, nil
}

// Keys looks for a sequence of keys in what is typed.
type Keys struct {
	Sequence []byte // empty for none
	held     []byte // its beginning, so far
}

// Filter returns what of the typed bytes is not part of the sequence, with what was held
// back before, and whether the sequence is complete: then the rest is lost.
func (k *Keys) Filter(typed []byte) (pass []byte, complete bool) {
	if len(k.Sequence) == 0 {
		return typed, false
	}
	for _, c := range typed {
		k.held = append(k.held, c)
		for !bytes.HasPrefix(k.Sequence, k.held) {
			pass = append(pass, k.held[0])
			k.held = k.held[1:]
		}
		if len(k.held) == len(k.Sequence) {
			k.held = nil
			return pass, true
		}
	}
	return pass, false
}
