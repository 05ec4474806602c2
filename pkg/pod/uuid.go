package pod

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"strings"
)

// UUID identifies a pod: 36 characters, RFC 9562 version 4, lower case.
type UUID string

// NewUUID returns a random UUID.
func NewUUID() UUID {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails (crypto/rand)
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	h := hex.EncodeToString(b[:])
	return UUID(h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:])
}

// ParseUUID accepts the full form only.
func ParseUUID(s string) (UUID, error) {
	if len(s) != 36 || !isPrefix(s) {
		return "", fmt.Errorf("%q is not a pod's UUID", s)
	}
	return UUID(s), nil
}

// Short is the UUID as tables show it: 8 characters.
func (u UUID) Short() string { return string(u)[:min(8, len(u))] }

// MachineName is the pod's name among the machines of the host, and its default
// host name.
func (u UUID) MachineName() string { return "rkt-" + string(u) }

// MachineID is the UUID as /etc/machine-id has it.
func (u UUID) MachineID() string { return strings.ReplaceAll(string(u), "-", "") }

// isPrefix reports whether s can begin a UUID.
func isPrefix(s string) bool {
	if s == "" || len(s) > 36 {
		return false
	}
	for i := range len(s) {
		c := s[i]
		switch dash := i == 8 || i == 13 || i == 18 || i == 23; {
		case dash && c != '-':
			return false
		case !dash && (c < '0' || c > '9') && (c < 'a' || c > 'f'):
			return false
		}
	}
	return true
}
