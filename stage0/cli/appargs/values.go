package appargs

import (
	"errors"
	"fmt"
	"net/netip"
	"path"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
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

func parseInto[T any](into *T, parse func(string) (T, error), v string) error {
	t, err := parse(v)
	if err == nil {
		*into = t
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
func parseEnv(v string) (string, error) {
	kv, err := parseKeyValue(v)
	if err == nil && strings.ContainsRune(v, 0) {
		err = errors.New("has a NUL character")
	}
	if err == nil {
		err = checkText(kv.Key)
	}
	return v, err
}

func parseAnnotation(v string) (KeyValue, error) {
	kv, err := parseKeyValue(v)
	if err == nil {
		err = checkText(v)
	}
	return kv, err
}

func appendAnnotation(into *[]KeyValue, v string) error {
	return appendParsed(into, parseAnnotation, v)
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
