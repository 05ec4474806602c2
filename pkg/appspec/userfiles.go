package appspec

import (
	"errors"
	"fmt"
	"iter"
	"strconv"
	"strings"
)

// MaxUserFileBytes bounds an image's passwd and group files.
const MaxUserFileBytes = 4 << 20

// maxGroups is the kernel's NGROUPS_MAX.
const maxGroups = 65536

// UserFiles are an image's own user database. Nil means the image has none.
type UserFiles struct {
	Passwd []byte // /etc/passwd
	Group  []byte // /etc/group
}

// passwdEntry is a line of passwd(5) that can be used.
type passwdEntry struct {
	name        string
	uid, gid    uint32
	home, shell string
}

// groupEntry is a line of group(5) that can be used.
type groupEntry struct {
	name    string
	gid     uint32
	members string // separated by commas
}

// entries yields the well-formed lines of passwd(5). Others are passed over, as
// the C library does: one bad line of an image must not lock out the others.
func (f UserFiles) entries() iter.Seq[passwdEntry] {
	return func(yield func(passwdEntry) bool) {
		for line := range strings.Lines(string(f.Passwd)) {
			field := strings.Split(strings.TrimRight(line, "\r\n"), ":")
			if len(field) < 4 || field[0] == "" || field[0][0] == '#' {
				continue
			}
			uid, err1 := parseID(field[2])
			gid, err2 := parseID(field[3])
			if err1 != nil || err2 != nil {
				continue
			}
			e := passwdEntry{name: field[0], uid: uid, gid: gid}
			if len(field) > 5 {
				e.home = field[5]
			}
			if len(field) > 6 {
				e.shell = field[6]
			}
			if !yield(e) {
				return
			}
		}
	}
}

// groups yields the well-formed lines of group(5).
func (f UserFiles) groups() iter.Seq[groupEntry] {
	return func(yield func(groupEntry) bool) {
		for line := range strings.Lines(string(f.Group)) {
			field := strings.SplitN(strings.TrimRight(line, "\r\n"), ":", 4)
			if len(field) < 3 || field[0] == "" || field[0][0] == '#' {
				continue
			}
			gid, err := parseID(field[2])
			if err != nil {
				continue
			}
			e := groupEntry{name: field[0], gid: gid}
			if len(field) > 3 {
				e.members = field[3]
			}
			if !yield(e) {
				return
			}
		}
	}
}

func (e groupEntry) has(user string) bool {
	for m := range strings.SplitSeq(e.members, ",") {
		if m == user {
			return true
		}
	}
	return false
}

func (f UserFiles) check() error {
	if len(f.Passwd) > MaxUserFileBytes {
		return fmt.Errorf("/etc/passwd of %d bytes, at most %d are read", len(f.Passwd), MaxUserFileBytes)
	}
	if len(f.Group) > MaxUserFileBytes {
		return fmt.Errorf("/etc/group of %d bytes, at most %d are read", len(f.Group), MaxUserFileBytes)
	}
	return nil
}

// parseID reads a user or group number: decimal digits, no sign. The two numbers
// that mean "no change" to the kernel, 2³²-1 and 2¹⁶-1, are none.
func parseID(s string) (uint32, error) {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return 0, errors.New("not a number")
		}
	}
	n, err := strconv.ParseUint(s, 10, 32)
	if err != nil {
		return 0, errors.New("not a number of 32 bits")
	}
	if n == 1<<32-1 || n == 1<<16-1 {
		return 0, fmt.Errorf("%d is reserved", n)
	}
	return uint32(n), nil
}

func isNumber(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}
