package appspec

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// rlimitTypes are the limits that both the kernel and systemd know, as the
// runtime-spec writes them.
func rlimitTypes() []string {
	return []string{
		"RLIMIT_AS", "RLIMIT_CORE", "RLIMIT_CPU", "RLIMIT_DATA", "RLIMIT_FSIZE", "RLIMIT_LOCKS", "RLIMIT_MEMLOCK",
		"RLIMIT_MSGQUEUE", "RLIMIT_NICE", "RLIMIT_NOFILE", "RLIMIT_NPROC", "RLIMIT_RSS", "RLIMIT_RTPRIO",
		"RLIMIT_RTTIME", "RLIMIT_SIGPENDING", "RLIMIT_STACK",
	}
}

// RlimitInfinity is "no limit".
const RlimitInfinity = 1<<64 - 1

// ParseRlimit reads NAME=SOFT[:HARD], as nofile=1024:4096 or RLIMIT_CORE=unlimited;
// one number is for both.
func ParseRlimit(s string) (Rlimit, error) {
	name, value, ok := strings.Cut(s, "=")
	if !ok {
		return Rlimit{}, fmt.Errorf("rlimit %q: want NAME=SOFT[:HARD]", s)
	}
	soft, hard, both := strings.Cut(value, ":")
	if !both {
		hard = soft
	}
	l := Rlimit{Type: "RLIMIT_" + strings.TrimPrefix(strings.ToUpper(name), "RLIMIT_")}
	var err1, err2 error
	l.Soft, err1 = parseRlimitValue(soft)
	l.Hard, err2 = parseRlimitValue(hard)
	if err := cmp.Or(err1, err2); err != nil {
		return Rlimit{}, fmt.Errorf("rlimit %q: %w", s, err)
	}
	return l, checkRlimit(l)
}

func parseRlimitValue(s string) (uint64, error) {
	switch s {
	case "unlimited", "infinity", "-1":
		return RlimitInfinity, nil
	}
	n, err := strconv.ParseUint(s, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%q is neither a number nor unlimited", s)
	}
	return n, nil
}

func checkRlimit(l Rlimit) error {
	if !slices.Contains(rlimitTypes(), l.Type) {
		return fmt.Errorf("rlimit %q: no such limit", l.Type)
	}
	if l.Soft > l.Hard {
		return fmt.Errorf("rlimit %s: soft limit %d is above the hard limit %d", l.Type, l.Soft, l.Hard)
	}
	return nil
}
