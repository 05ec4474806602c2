package appspec

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// DefaultPath is the PATH of an app whose image sets none, as of all launchers of
// OCI images.
const DefaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// Bounds on what an app is executed with: the kernel takes 128 KiB a string
// (MAX_ARG_STRLEN), and a quarter of the stack's limit of 8 MiB in all.
const (
	maxStringBytes  = 128<<10 - 1
	maxProcessBytes = 2 << 20
)

// CheckEnv says what is wrong with an environment assignment NAME=value: no name, a
// NUL byte, control characters in the name, text that is not UTF-8 (an app spec is
// JSON), or a length the kernel refuses. Names are otherwise free, as in POSIX; what systemd cannot hold is for
// the writer of units to pass some other way.
func CheckEnv(assignment string) error {
	name, _, ok := strings.Cut(assignment, "=")
	switch {
	case !ok:
		return fmt.Errorf("environment variable %q: want NAME=value", assignment)
	case name == "":
		return fmt.Errorf("environment variable %q: no name", assignment)
	case !utf8.ValidString(name) || strings.ContainsFunc(name, isControlOrSpace):
		return fmt.Errorf("environment variable %q: bad name", assignment)
	case strings.IndexByte(assignment, 0) >= 0:
		return fmt.Errorf("environment variable %s: value holds a NUL byte", name)
	case !utf8.ValidString(assignment):
		return fmt.Errorf("environment variable %s: value is not UTF-8", name)
	case len(assignment) > maxStringBytes:
		return fmt.Errorf("environment variable %s: %d bytes, the kernel takes %d", name, len(assignment), maxStringBytes)
	}
	return nil
}

func isControlOrSpace(r rune) bool { return r <= ' ' || r == 0x7f }

// MergeEnv puts layers of assignments NAME=value on one another: a later layer
// wins, and in a layer the last of a name. Names keep the place where they
// first stood.
//
// The layers of an app, lowest first: --inherit-env, image, pod manifest,
// --set-env-file, --set-env, the app's own --environment.
func MergeEnv(layers ...[]string) []string {
	var merged []string
	at := map[string]int{}
	for _, layer := range layers {
		for _, kv := range layer {
			name, _, _ := strings.Cut(kv, "=")
			if i, ok := at[name]; ok {
				merged[i] = kv
				continue
			}
			at[name] = len(merged)
			merged = append(merged, kv)
		}
	}
	return merged
}

// LookupEnv returns the value of a name in a list of assignments.
func LookupEnv(env []string, name string) (string, bool) {
	for i := len(env) - 1; i >= 0; i-- {
		if v, ok := strings.CutPrefix(env[i], name+"="); ok {
			return v, true
		}
	}
	return "", false
}

// ParseEnvFile reads a --set-env-file: a NAME=value on each line, taken literally;
// empty lines and lines that begin with # are skipped. Errors name the line.
func ParseEnvFile(text []byte) ([]string, error) {
	var env []string
	n := 0
	for line := range strings.Lines(string(text)) {
		n++
		line = strings.TrimSuffix(strings.TrimSuffix(line, "\n"), "\r")
		trimmed := strings.TrimLeft(line, " \t")
		if trimmed == "" || trimmed[0] == '#' {
			continue
		}
		// What is no assignment may be the rest of a secret.
		if name, _, ok := strings.Cut(trimmed, "="); !ok || name == "" {
			return nil, fmt.Errorf("line %d: want NAME=value", n)
		}
		if err := CheckEnv(trimmed); err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
		env = append(env, trimmed)
	}
	return env, nil
}

// checkProcess bounds what an app is executed with.
func checkProcess(argv, env []string) error {
	total := 0
	for _, a := range argv {
		if strings.IndexByte(a, 0) >= 0 {
			return fmt.Errorf("argument %q holds a NUL byte", a)
		}
		// An app spec is JSON, which would change it.
		if !utf8.ValidString(a) {
			return fmt.Errorf("argument %q is not UTF-8", a)
		}
		if len(a) > maxStringBytes {
			return fmt.Errorf("argument of %d bytes, the kernel takes %d", len(a), maxStringBytes)
		}
		total += len(a) + 9
	}
	for _, kv := range env {
		if err := CheckEnv(kv); err != nil {
			return err
		}
		total += len(kv) + 9
	}
	if total > maxProcessBytes {
		return fmt.Errorf("command and environment of %d bytes, the kernel takes %d", total, maxProcessBytes)
	}
	return nil
}
