package image

import (
	"strings"
)

// The grammars below are those of the OCI distribution specification ("Pulling
// manifests"), matched by hand: a regular expression is compiled at every
// start of the program.

func isLowerAlnum(c byte) bool { return c >= 'a' && c <= 'z' || c >= '0' && c <= '9' }

func isWord(c byte) bool { return isLowerAlnum(c) || c >= 'A' && c <= 'Z' || c == '_' }

func isHex(s string) bool {
	for i := range len(s) {
		if c := s[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return s != ""
}

// isTag matches [A-Za-z0-9_][A-Za-z0-9._-]{0,127}.
func isTag(s string) bool {
	if s == "" || len(s) > maxTagLen || !isWord(s[0]) {
		return false
	}
	for i := range len(s) {
		if c := s[i]; !isWord(c) && c != '.' && c != '-' {
			return false
		}
	}
	return true
}

// isRepository matches components, joined by slashes, of lower case letters
// and digits with ".", "_", "__" or dashes between them.
func isRepository(s string) bool {
	if s == "" || len(s) > maxRepoLen {
		return false
	}
	for part := range strings.SplitSeq(s, "/") {
		if !isComponent(part) {
			return false
		}
	}
	return true
}

func isComponent(s string) bool {
	if s == "" || !isLowerAlnum(s[0]) || !isLowerAlnum(s[len(s)-1]) {
		return false
	}
	for i := 0; i < len(s); {
		if isLowerAlnum(s[i]) {
			i++
			continue
		}
		j := i
		for j < len(s) && !isLowerAlnum(s[j]) {
			j++
		}
		sep := s[i:j]
		if sep != "." && sep != "_" && sep != "__" && strings.Trim(sep, "-") != "" {
			return false
		}
		i = j
	}
	return true
}

// isHost matches a DNS name, an IPv4 address or a bracketed IPv6 address,
// with an optional port.
func isHost(s string) bool {
	if rest, ok := strings.CutPrefix(s, "["); ok {
		addr, port, ok := strings.Cut(rest, "]")
		if !ok || addr == "" || strings.Trim(addr, "0123456789abcdefABCDEF:.") != "" {
			return false
		}
		return port == "" || port[0] == ':' && isPort(port[1:])
	}
	host, port, hasPort := strings.Cut(s, ":")
	if hasPort && !isPort(port) {
		return false
	}
	for label := range strings.SplitSeq(host, ".") {
		if label == "" || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		for i := range len(label) {
			if c := label[i]; !isWord(c) && c != '-' || c == '_' {
				return false
			}
		}
	}
	return true
}

func isPort(s string) bool {
	return s != "" && len(s) <= 5 && strings.Trim(s, "0123456789") == ""
}

// hasControl reports ASCII control characters, which no reference needs and
// which would confuse terminals and tables.
func hasControl(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c == 0x7f {
			return true
		}
	}
	return false
}
