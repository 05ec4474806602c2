package keystore

import (
	"encoding/hex"
	"fmt"
	"strings"
)

// checkName holds a name to appc's grammar of identifiers (spec, "AC Identifier
// Type"): lower case letters and digits, in groups parted by one of "-._~/". So it
// is also a relative path that stays below where it begins.
func checkName(name string) error {
	parted := true // the last byte was a separator, or there was none
	for i := range len(name) {
		switch c := name[i]; {
		case c >= 'a' && c <= 'z' || c >= '0' && c <= '9':
			parted = false
		case strings.IndexByte("-._~/", c) >= 0 && !parted:
			parted = true
		default:
			return badName(name)
		}
	}
	if parted || len(name) > maxNameBytes {
		return badName(name)
	}
	return nil
}

// maxNameBytes bounds how many prefixes are looked for.
const maxNameBytes = 1024

func badName(name string) error {
	const shown = 80
	if len(name) > shown {
		name = name[:shown] + "…"
	}
	return fmt.Errorf("%q is not an appc name, as example.com/app", name)
}

// prefixesOf lists the prefixes that speak for a name, wide ones first and the root's
// before all.
func prefixesOf(name string) []string {
	all := []string{""}
	for i := range len(name) {
		if name[i] == '/' {
			all = append(all, name[:i])
		}
	}
	return append(all, name)
}

// ParseFingerprint reads a key's fingerprint as people write it: 40 or 64 hex
// digits, possibly in groups and with 0x before them. It returns them in upper
// case.
func ParseFingerprint(s string) (string, error) {
	fpr := strings.ToUpper(strings.Join(strings.Fields(s), ""))
	fpr = strings.TrimPrefix(fpr, "0X")
	if !isFingerprint(fpr) {
		return "", fmt.Errorf("%q is not a fingerprint of 40 or 64 hex digits", s)
	}
	return fpr, nil
}

func isFingerprint(s string) bool {
	const v4, v6 = 40, 64
	_, err := hex.DecodeString(s)
	return err == nil && (len(s) == v4 || len(s) == v6)
}

// fileName is what the key's file is called.
func fileName(fpr string) string { return strings.ToLower(fpr) }
