package bare

import "unsafe"

// Str is a text with a zero byte at its end, which is part of its length. The
// empty one is no text at all: a null pointer to the kernel.
type Str string

// Ptr is how the kernel gets it.
func (s Str) Ptr() *byte { return unsafe.StringData(string(s)) }

// Text is the text without the zero byte.
func (s Str) Text() string {
	if s == "" {
		return ""
	}
	return string(s[:len(s)-1])
}

// At is the text at p, which a zero byte ends.
func At(p *byte) Str {
	n := 0
	for *(*byte)(unsafe.Add(unsafe.Pointer(p), n)) != 0 {
		n++
	}
	return Str(unsafe.String(p, n+1))
}

// After is what follows prefix in s, if s begins with it.
func (s Str) After(prefix string) (Str, bool) {
	if len(s) > len(prefix) && string(s[:len(prefix)]) == prefix {
		return s[len(prefix):], true
	}
	return "", false
}

// Uint reads digits of a base up to 16, and nothing else.
func (s Str) Uint(base uint64) (n uint64, ok bool) {
	const top = ^uint64(0)
	text := s.Text()
	for i := range len(text) {
		var d uint64
		switch c := text[i]; {
		case c >= '0' && c <= '9':
			d = uint64(c - '0')
		case c >= 'a' && c <= 'f':
			d = uint64(c-'a') + 10
		default:
			return 0, false
		}
		if d >= base || n > (top-d)/base {
			return 0, false
		}
		n = n*base + d
	}
	return n, text != ""
}
