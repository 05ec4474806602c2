package appspec

import (
	"errors"
	"fmt"
	"runtime"

	"github.com/raket/raket/pkg/seccomp"
)

// CallFilter is where an app's system call filter comes from, if its spec has none
// of its own: it depends on the capabilities, which are known at last by Resolve.
type CallFilter struct {
	Kind    CallFilterKind
	Profile []byte // with FilterProfile: JSON
}

// CallSet is a filter that names system calls, as rkt's.
type CallSet = seccomp.Set

// ParseCallSet reads rkt's --seccomp.
func ParseCallSet(text string) (CallSet, error) { return seccomp.ParseSet(text) }

// MaxProfileBytes bounds a profile.
const MaxProfileBytes = seccomp.MaxProfileBytes

// CallFilterKind is a kind of CallFilter.
type CallFilterKind int

// The kinds.
const (
	FilterNone    CallFilterKind = iota // no filter but the pod's
	FilterDefault                       // Docker's default profile: a denied call fails with EPERM
	FilterKill                          // the same, but SIGSYS ends who makes a denied call, as with rkt
	FilterProfile                       // a profile of Docker's or the runtime-spec's form
)

// applySeccomp replaces the system call filter.
func (a *App) applySeccomp(o Override) error {
	switch {
	case o.Seccomp != nil && o.Filter != nil:
		return errors.New("system calls are limited both by a set and by a profile")
	case o.Seccomp != nil:
		return a.setCalls(*o.Seccomp)
	case o.Filter != nil:
		if o.Filter.Kind == FilterProfile {
			if err := CheckProfile(o.Filter.Profile); err != nil {
				return err
			}
		}
		a.Spec.Linux.Seccomp, a.Filter = nil, *o.Filter
	}
	return nil
}

// CheckProfile says what is wrong with a profile, as far as it is for an app
// without capabilities.
func CheckProfile(profile []byte) error {
	f, err := seccomp.Profile(profile, nil)
	if err == nil {
		_, err = seccomp.Compile(f, runtime.GOARCH)
	}
	return err
}

// setCalls gives the app the filter of a set.
func (a *App) setCalls(s seccomp.Set) error {
	f, err := s.Filter()
	if err != nil {
		return err
	}
	a.Spec.Linux.Seccomp, a.Filter = f, CallFilter{}
	if s.IsEmptyRemoval() {
		a.Spec.Linux.Seccomp, a.Filter = nil, CallFilter{Kind: FilterKill}
	}
	return nil
}

// readProfile makes the filter of a profile.
func (a *App) readProfile(capabilities []string) (err error) {
	if a.Spec.Linux.Seccomp == nil && a.Filter.Kind == FilterProfile {
		a.Spec.Linux.Seccomp, err = seccomp.Profile(a.Filter.Profile, capabilities)
	}
	return err
}

// defaultSeccomp makes the default filter, which is known to be one that can be
// compiled. One that systemd makes of a property stands in its place.
func (a *App) defaultSeccomp(capabilities []string) (err error) {
	_, own := a.Spec.Annotations[PropertyPrefix+"SystemCallFilter"]
	if own || a.Spec.Linux.Seccomp != nil {
		return nil
	}
	switch a.Filter.Kind {
	case FilterDefault:
		a.Spec.Linux.Seccomp, err = seccomp.Default(capabilities)
	case FilterKill:
		a.Spec.Linux.Seccomp, err = seccomp.DefaultKill(capabilities)
	}
	return err
}

// refusedSeccomp says what of a filter the kernel cannot do.
func refusedSeccomp(spec *Spec) error {
	if spec.Linux == nil || spec.Linux.Seccomp == nil {
		return nil
	}
	if _, err := seccomp.Compile(spec.Linux.Seccomp, runtime.GOARCH); err != nil {
		return fmt.Errorf("linux.seccomp: %w", err)
	}
	return nil
}
