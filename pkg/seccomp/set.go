package seccomp

import (
	_ "embed"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// Set is a filter as appc and rkt have them: system calls that are kept, or
// that are taken away.
type Set struct {
	Retain bool   // what is listed is allowed, and no more; else denied, and no more
	Errno  string // how a denied call fails, as "EPERM"; empty: SIGSYS ends the process
	// Names are those of system calls and groups: @appc.io/all, @appc.io/empty,
	// @docker/default-whitelist, @docker/default-blacklist, the same of @rkt, and
	// @systemd/ with the name of one of systemd's.
	Names []string
}

// ParseSet reads rkt's --seccomp: "mode=retain|remove,errno=NAME,CALL,@GROUP…", in
// any order; the mode is retain where none is given.
func ParseSet(text string) (Set, error) {
	s := Set{Retain: true}
	seen := map[string]bool{}
	for word := range strings.SplitSeq(text, ",") {
		key, value, isPair := strings.Cut(word, "=")
		switch {
		case !isPair:
			s.Names = append(s.Names, word)
			continue
		case seen[key]:
			return s, fmt.Errorf("%s is given twice", key)
		case key == "mode" && (value == "retain" || value == "remove"):
			s.Retain = value == "retain"
		case key == "mode":
			return s, fmt.Errorf("mode %q is neither retain nor remove", value)
		case key == "errno":
			s.Errno = value
			if value == "" {
				return s, errors.New("errno is empty")
			}
		default:
			return s, fmt.Errorf("%q: want mode=, errno= or names of system calls", word)
		}
		seen[key] = true
	}
	_, err := s.Filter()
	return s, err
}

// IsEmptyRemoval reports whether the set says no more than remove-set
// @appc.io/empty, with which an app of rkt's has the default filter.
func (s Set) IsEmptyRemoval() bool {
	return !s.Retain && len(s.Names) > 0 && !slices.ContainsFunc(s.Names, func(n string) bool { return n != "@appc.io/empty" })
}

// Filter returns the filter of the set for this machine; nil where it allows
// everything. As with systemd, which rkt's apps had their filters from, its group
// @default is always in what is retained: a program could not even end without.
func (s Set) Filter() (*specs.LinuxSeccomp, error) {
	if len(s.Names) == 0 {
		return nil, errors.New("the set is empty")
	}
	action, ret := specs.ActKillProcess, (*uint)(nil)
	if s.Errno != "" {
		n, err := errnoNumber(s.Errno)
		if err != nil {
			return nil, err
		}
		action, ret = specs.ActErrno, &n
	}
	var rules []specs.LinuxSyscall
	var names []string
	for _, n := range s.Names {
		switch {
		case n == "@appc.io/empty":
		case n == "@appc.io/all" && s.Retain:
			return nil, nil
		case n == "@appc.io/all":
			return nil, fmt.Errorf("%s is removed: nothing can run", n)
		case strings.HasPrefix(n, "@"):
			list, more, err := group(n, s.Retain)
			if err != nil {
				return nil, err
			}
			names, rules = append(names, list...), append(rules, more...)
		default:
			if _, known := lookup(n); !known {
				return nil, fmt.Errorf("no architecture has a system call %q", n)
			}
			names = append(names, n)
		}
	}
	f := &specs.LinuxSeccomp{DefaultAction: specs.ActAllow, Architectures: architectures(runtime.GOARCH)}
	rule := specs.LinuxSyscall{Action: action, ErrnoRet: ret}
	if s.Retain {
		basics, err := systemdGroup("default")
		if err != nil {
			return nil, err
		}
		names = append(names, basics...)
		f.DefaultAction, f.DefaultErrnoRet = action, ret
		rule.Action, rule.ErrnoRet = specs.ActAllow, nil
	}
	slices.Sort(names)
	if rule.Names = slices.Compact(names); len(rule.Names) > 0 {
		f.Syscalls = append(f.Syscalls, rule)
	}
	f.Syscalls = append(f.Syscalls, rules...)
	return f, nil
}

// group returns the system calls of a group, and rules for those of which it has
// a part only.
func group(name string, retain bool) ([]string, []specs.LinuxSyscall, error) {
	scope, rest, _ := strings.Cut(name, "/")
	switch {
	case scope == "@systemd" && rest == "default-whitelist": // rkt's name for it
		list, err := systemdGroup("default")
		return list, nil, err
	case scope == "@systemd":
		list, err := systemdGroup(rest)
		return list, nil, err
	case (scope == "@rkt" || scope == "@docker") && rest == "default-whitelist":
		return whitelist(retain)
	case (scope == "@rkt" || scope == "@docker") && rest == "default-blacklist":
		list, err := blacklist()
		return list, nil, err
	}
	return nil, nil, fmt.Errorf("there is no set %q", name)
}

// defaultCapabilities are of apps of which nobody says otherwise, as far as
// Docker's profile asks.
var defaultCapabilities = []string{"CAP_SYS_CHROOT"}

// whitelist is what Docker's profile lets an app do that has the default
// capabilities. rkt had a copy of 2016, with which programs of today would not
// start. For who removes it, there are no parts of system calls.
func whitelist(retain bool) ([]string, []specs.LinuxSyscall, error) {
	f, err := Default(defaultCapabilities)
	if err != nil {
		return nil, nil, err
	}
	var names []string
	var rules []specs.LinuxSyscall
	for _, r := range f.Syscalls {
		switch {
		case r.Action == specs.ActAllow && (len(r.Args) == 0 || !retain):
			names = append(names, r.Names...)
		case retain:
			rules = append(rules, r)
		}
	}
	return names, rules, nil
}

// blacklist is what Docker's profile has no rule for. Those which it allows with
// some arguments only (clone, personality, socket) are not in it, as they were not
// in rkt's.
func blacklist() ([]string, error) {
	f, err := Default(defaultCapabilities)
	if err != nil {
		return nil, err
	}
	named := map[string]bool{}
	for _, r := range f.Syscalls {
		for _, n := range r.Names {
			named[n] = true
		}
	}
	var list []string
	for _, c := range calls {
		if !named[c.name] && c.numbers != (numbers{-1, -1, -1, -1}) {
			list = append(list, c.name)
		}
	}
	return list, nil
}

//go:embed systemd.txt
var systemdGroups string

// systemdGroup returns the system calls of a group of systemd's, and of the groups
// in it.
func systemdGroup(name string) ([]string, error) {
	var list []string
	seen := map[string]bool{}
	todo := []string{name}
	for len(todo) > 0 {
		name, todo = todo[0], todo[1:]
		if seen[name] {
			continue
		}
		seen[name] = true
		_, text, ok := strings.Cut(systemdGroups, "\n@"+name+" ")
		if !ok || name == "" || strings.ContainsAny(name, " \n") {
			return nil, fmt.Errorf("there is no set %q", "@systemd/"+name)
		}
		text, _, _ = strings.Cut(text, "\n@")
		for word := range strings.FieldsSeq(text) {
			if g, isGroup := strings.CutPrefix(word, "@"); isGroup {
				todo = append(todo, g)
			} else {
				list = append(list, word)
			}
		}
	}
	return list, nil
}

func errnoNumber(name string) (uint, error) {
	for n := unix.Errno(1); n < 256; n++ {
		if unix.ErrnoName(n) == name {
			return uint(n), nil
		}
	}
	switch name { // second names
	case "EOPNOTSUPP":
		return uint(unix.EOPNOTSUPP), nil
	case "EWOULDBLOCK":
		return uint(unix.EWOULDBLOCK), nil
	}
	return 0, fmt.Errorf("errno %q: no such error", name)
}
