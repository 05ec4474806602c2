package terminal

import (
	"bytes"
	"testing"
)

func TestKeysAreRead(t *testing.T) {
	for text, want := range map[string]string{
		"":              "",
		"ctrl-p,ctrl-q": "\x10\x11",
		"ctrl-a,d":      "\x01d",
		"ctrl-@":        "\x00",
		`ctrl-\,ctrl-_`: "\x1c\x1f",
		"Q":             "Q",
	} {
		got, err := ParseKeys(text)
		if err != nil || string(got) != want {
			t.Errorf("%q: %q, %v", text, got, err)
		}
	}
	for _, bad := range []string{"ctrl-", "ctrl-P", "ab", ",", "a,", "ctrl-é", " ", "alt-x"} {
		if got, err := ParseKeys(bad); err == nil {
			t.Errorf("%q was read as %q", bad, got)
		}
	}
}

// However typed text comes in pieces, what passes is the text before the sequence.
func TestKeysAreFound(t *testing.T) {
	for _, tc := range []struct {
		keys, typed, pass string
		complete          bool
	}{
		{"\x10\x11", "abc", "abc", false},
		{"\x10\x11", "ab\x10\x11rest", "ab", true},
		{"\x10\x11", "ab\x10x\x10\x10\x11", "ab\x10x\x10", true},
		{"\x10\x11", "a\x10", "a", false},
		{"aab", "aaab", "a", true},
		{"abab!", "ababab!", "ab", true},
		{"", "x\x10\x11", "x\x10\x11", false},
	} {
		for size := 1; size <= len(tc.typed); size++ {
			k := Keys{Sequence: []byte(tc.keys)}
			var pass []byte
			complete := false
			for rest := []byte(tc.typed); len(rest) > 0 && !complete; {
				n := min(size, len(rest))
				var p []byte
				p, complete = k.Filter(rest[:n])
				pass, rest = append(pass, p...), rest[n:]
			}
			if complete != tc.complete || string(pass) != tc.pass {
				t.Errorf("%q in %q, %d at a time: %q, %v", tc.keys, tc.typed, size, pass, complete)
			}
		}
	}
}

func FuzzKeys(f *testing.F) {
	f.Add([]byte("aab"), []byte("aaaab"))
	f.Fuzz(func(t *testing.T, keys, typed []byte) {
		k := Keys{Sequence: keys}
		pass, complete := k.Filter(typed)
		before, _, found := bytes.Cut(typed, keys)
		found = found && len(keys) > 0
		switch {
		case complete != found:
			t.Errorf("%q in %q: complete %v", keys, typed, complete)
		case found && !bytes.Equal(pass, before):
			t.Errorf("%q in %q: passed %q", keys, typed, pass)
		case !found && !bytes.Equal(append(pass, k.held...), typed):
			t.Errorf("%q in %q: passed %q and holds %q", keys, typed, pass, k.held)
		}
	})
}
