package ownoutput

import (
	"bytes"
	"path"
	"slices"
	"strings"
)

var names = []string{"/dev/stdout", "/dev/stderr", "/dev/fd/1", "/dev/fd/2", "/proc/self/fd/1", "/proc/self/fd/2"}

// Is reports whether a path, which need not be clean, is one of the names.
func Is(name string) bool { return slices.Contains(names, path.Clean(name)) }

// In reports whether a text has one of the names, as a whole path: "/srv/dev/stdout" is
// another file.
func In(text string) bool {
	for _, n := range names {
		for rest := text; ; {
			i := strings.Index(rest, n)
			if i < 0 {
				break
			}
			before, after := rest[:i], rest[i+len(n):]
			if (before == "" || !inPath(before[len(before)-1])) && (after == "" || !inPath(after[0])) {
				return true
			}
			rest = after
		}
	}
	return false
}

// inPath reports whether a byte beside a path makes it a longer one.
func inPath(c byte) bool {
	return c == '/' || c == '_' || c == '.' || c == '-' ||
		'0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}

// InConfig is In for a configuration file: lines that begin with '#' or ';' do not count.
func InConfig(text []byte) bool {
	if !bytes.Contains(text, []byte("/std")) && !bytes.Contains(text, []byte("/fd/")) {
		return false
	}
	for line := range bytes.Lines(text) {
		line = bytes.TrimSpace(line)
		if len(line) > 0 && line[0] != '#' && line[0] != ';' && In(string(line)) {
			return true
		}
	}
	return false
}
