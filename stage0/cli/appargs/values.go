package appargs

import (
	"errors"
	"fmt"
	"net/netip"
	"path"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/sys/unix"
)

var errEmpty = errors.New("must not be empty")

// setWord takes what may hold anything but control characters.
func setWord(into *string, v string) error {
	w, err := parseWord(v)
	*into = w
	return err
}

func parseWord(v string) (string, error) {
	if v == "" {
		return "", errEmpty
	}
	return v, checkText(v)
}

// checkText refuses what could end a line in some file.
func checkText(v string) error {
	if !utf8.ValidString(v) {
		return errors.New("is not UTF-8")
	}
	if strings.ContainsFunc(v, unicode.IsControl) {
		return errors.New("has a control character")
	}
	return nil
}

func setPath(into *string, v string) error { return setWord(into, v) }

func setAbsolute(into *string, v string) error {
	if !path.IsAbs(v) {
		return errors.New("must be an absolute path")
	}
	return setWord(into, v)
}

func appendParsed[T any](into *[]T, parse func(string) (T, error), v string) error {
	t, err := parse(v)
	if err == nil {
		*into = append(*into, t)
	}
	return err
}

func appendWords(into *[]string, v string) error {
	for word := range strings.SplitSeq(v, ",") {
		if err := appendParsed(into, parseWord, word); err != nil {
			return err
		}
	}
	return nil
}

// maxNameLen is that of a label in DNS, so that names can be host names.
const maxNameLen = 63

// setAppName takes an appc AC Name (appc spec, "AC Name Type"): lower case
// letters, digits and single hyphens between them.
func setAppName(into *string, v string) error {
	*into = v
	return checkACName(v)
}

func checkACName(v string) error {
	ok := v != "" && len(v) <= maxNameLen && v[0] != '-' && v[len(v)-1] != '-' &&
		!strings.Contains(v, "--") &&
		!strings.ContainsFunc(v, func(r rune) bool {
			return !(r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '-')
		})
	if !ok {
		return errors.New("a name is made of lower case letters, digits and single hyphens between them, 63 at most")
	}
	return nil
}

func setHostname(r *RunOptions, v string) error {
	r.Hostname = v
	for label := range strings.SplitSeq(v, ".") {
		if err := checkACName(strings.ToLower(strings.ReplaceAll(label, "--", "-"))); err != nil {
			return errors.New("is not a host name")
		}
	}
	if len(v) > unixHostnameMax {
		return fmt.Errorf("is longer than %d characters", unixHostnameMax)
	}
	return nil
}

// unixHostnameMax is the kernel's __NEW_UTS_LEN.
const unixHostnameMax = 64

func parseKeyValue(v string) (KeyValue, error) {
	k, value, ok := strings.Cut(v, "=")
	if !ok || k == "" {
		return KeyValue{}, errors.New("must be NAME=VALUE")
	}
	return KeyValue{k, value}, nil
}

// parseEnv lets a value hold anything but NUL: it is passed on as data.
func parseEnv(v string) (KeyValue, error) {
	kv, err := parseKeyValue(v)
	if err == nil && strings.ContainsRune(v, 0) {
		err = errors.New("has a NUL character")
	}
	if err == nil {
		err = checkText(kv.Key)
	}
	return kv, err
}

func appendAnnotation(into *[]KeyValue, v string) error {
	return appendParsed(into, func(v string) (KeyValue, error) {
		kv, err := parseKeyValue(v)
		if err == nil {
			err = checkText(v)
		}
		return kv, err
	}, v)
}

// parseProperty looks at the name only; whether systemd has such a directive
// and may be given this value is for those who write the unit.
func parseProperty(v string) (KeyValue, error) {
	kv, err := parseKeyValue(v)
	if err != nil {
		return kv, err
	}
	letters := func(r rune) bool { return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' }
	if strings.ContainsFunc(kv.Key, func(r rune) bool { return !letters(r) && (r < '0' || r > '9') }) {
		return kv, fmt.Errorf("%q is not the name of a directive", kv.Key)
	}
	return kv, checkText(kv.Value)
}

func appendCaps(into *[]string, v string) error {
	caps := append([]string{}, *into...)
	for word := range strings.SplitSeq(v, ",") {
		name := strings.ToUpper(strings.TrimSpace(word))
		if name == "" {
			continue
		}
		if !strings.HasPrefix(name, "CAP_") {
			name = "CAP_" + name
		}
		if !slices.Contains(capabilities(), name) {
			return fmt.Errorf("%q is not a capability", word)
		}
		caps = append(caps, name)
	}
	slices.Sort(caps)
	*into = slices.Compact(caps)
	return nil
}

// setSignal takes SIGTERM, TERM, 15, SIGRTMIN+3.
func setSignal(into *string, v string) error {
	const rtmin, rtmax = 34, 64
	name := strings.ToUpper(v)
	if n, err := strconv.ParseUint(v, 10, 8); err == nil {
		name = unix.SignalName(unix.Signal(n))
		if n >= rtmin && n <= rtmax {
			name = fmt.Sprintf("SIGRTMIN+%d", n-rtmin)
		}
	} else if !strings.HasPrefix(name, "SIG") {
		name = "SIG" + name
	}
	if offset, isRT := strings.CutPrefix(name, "SIGRTMIN+"); isRT {
		n, err := strconv.ParseUint(offset, 10, 8)
		if err != nil || n > rtmax-rtmin {
			return errors.New("is not a signal")
		}
		*into = fmt.Sprintf("SIGRTMIN+%d", n)
		return nil
	}
	if unix.SignalNum(name) == 0 {
		return errors.New("is not a signal")
	}
	*into = name
	return nil
}

func parseRlimit(v string) (Rlimit, error) {
	kv, err := parseKeyValue(v)
	if err != nil {
		return Rlimit{}, errors.New("must be NAME=SOFT[:HARD]")
	}
	name := strings.ToUpper(kv.Key)
	if !strings.HasPrefix(name, "RLIMIT_") {
		name = "RLIMIT_" + name
	}
	if !slices.Contains(rlimits(), name) {
		return Rlimit{}, fmt.Errorf("%q is not a resource limit", kv.Key)
	}
	soft, hard, both := strings.Cut(kv.Value, ":")
	if !both {
		hard = soft
	}
	r := Rlimit{Type: name}
	if r.Soft, err = parseLimit(soft); err != nil {
		return Rlimit{}, err
	}
	if r.Hard, err = parseLimit(hard); err != nil {
		return Rlimit{}, err
	}
	if r.Soft > r.Hard {
		return Rlimit{}, errors.New("the soft limit is above the hard one")
	}
	return r, nil
}

func parseLimit(v string) (uint64, error) {
	if v == "unlimited" || v == "infinity" || v == "-1" {
		return RlimitInfinity, nil
	}
	n, err := strconv.ParseUint(v, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%q is neither a number nor unlimited", v)
	}
	return n, nil
}

func addDNS(r *RunOptions, v string) error {
	word := v == "host" || v == "none"
	if len(r.DNS) > 0 && (word || r.DNS[0] == "host" || r.DNS[0] == "none") {
		return errors.New("host and none stand alone")
	}
	if _, err := netip.ParseAddr(v); err != nil && !word {
		return errors.New("must be an address, host or none")
	}
	r.DNS = append(r.DNS, v)
	return nil
}

func addHosts(r *RunOptions, v string) error {
	if v == "host" {
		r.HostsFromHost = true
		return nil
	}
	kv, err := parseKeyValue(v)
	if err != nil {
		return errors.New("must be ADDRESS=NAME or host")
	}
	if _, err := netip.ParseAddr(kv.Key); err != nil {
		return fmt.Errorf("%q is not an address", kv.Key)
	}
	var names []string
	if err := appendWords(&names, kv.Value); err != nil {
		return err
	}
	if slices.ContainsFunc(names, func(n string) bool { return strings.ContainsAny(n, " \t#") }) {
		return errors.New("a name has a space or \"#\" in it")
	}
	r.Hosts = append(r.Hosts, HostsEntry{IP: kv.Key, Names: names})
	return nil
}
