package appspec

import (
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Override is what flags, a pod manifest or a pod file say about one app. A zero
// field leaves the app as it is; each list replaces, unless it says otherwise.
type Override struct {
	Exec []string // replaces the entrypoint, and drops the image's Cmd
	Args []string // replaces the Cmd; not nil and empty: none

	User          string
	Group         string
	Supplementary []string

	// Env are assignments NAME=value; the last of a name wins, and the image's
	// are replaced. InheritEnv is set only where nothing else sets the name.
	Env        []string
	InheritEnv []string

	WorkingDir     string // absolute
	ReadonlyRootfs *bool
	Hostname       string
	Streams        Streams // each that is not "" replaces the app's

	// CapsRetain replaces the capability set; not nil and empty: none. CapsRemove
	// is taken off what the app would have. Not both.
	CapsRetain []string
	CapsRemove []string

	// Seccomp or Filter replaces the system call filter; not both.
	Seccomp *CallSet
	Filter  *CallFilter

	NoNewPrivileges *bool
	Rlimits         []Rlimit // each replaces the one of its type
	OOMScoreAdj     *int     // -1000 to 1000
	Limits

	Annotations map[string]string // added
	Properties  []Property        // systemd directives, in order; a name's values replace the ones it had

	Type        string // systemd's Type=: simple, exec, notify …
	Restart     string // systemd's Restart=: no, on-failure, always …
	StopSignal  string // name or number
	StopTimeout *time.Duration

	Life   Life // each list that is not empty replaces
	Health HealthOverride
}

// Apply changes the app as o says. On an error the app is half changed, and of no
// use any more.
func (a *App) Apply(o Override) error {
	if err := a.applyCommand(o); err != nil {
		return err
	}
	if err := a.applyIdentity(o); err != nil {
		return err
	}
	if err := a.applyLimits(o); err != nil {
		return err
	}
	if err := a.applySeccomp(o); err != nil {
		return err
	}
	if err := a.applyStreams(o); err != nil {
		return err
	}
	return a.applyAnnotations(o)
}

func (a *App) applyCommand(o Override) error {
	if len(o.Exec) > 0 {
		a.Entrypoint, a.Cmd = slices.Clone(o.Exec), nil
	}
	if o.Args != nil {
		a.Cmd = slices.Clone(o.Args)
	}
	p := a.Spec.Process
	for _, kv := range slices.Concat(o.InheritEnv, o.Env) {
		if err := CheckEnv(kv); err != nil {
			return err
		}
	}
	p.Env = MergeEnv(o.InheritEnv, p.Env, o.Env)
	if o.WorkingDir != "" {
		if !path.IsAbs(o.WorkingDir) || strings.ContainsFunc(o.WorkingDir, isControl) {
			return fmt.Errorf("working directory %q is not an absolute path", o.WorkingDir)
		}
		p.Cwd, a.workDirSaid = path.Clean(o.WorkingDir), true
	}
	if o.ReadonlyRootfs != nil {
		a.Spec.Root.Readonly = *o.ReadonlyRootfs
	}
	if o.Hostname != "" {
		if err := checkHostname(o.Hostname); err != nil {
			return err
		}
		a.Spec.Hostname = o.Hostname
	}
	return nil
}

func (a *App) applyIdentity(o Override) error {
	if o.User != "" {
		a.User = o.User
		if !strings.HasPrefix(o.User, "/") && strings.Contains(o.User, ":") {
			a.Group = ""
		}
	}
	if o.Group != "" {
		a.Group = o.Group
	}
	if o.Supplementary != nil {
		a.Supplementary = slices.Clone(o.Supplementary)
	}
	if o.CapsRetain != nil && o.CapsRemove != nil {
		return errors.New("capabilities are given both to retain and to remove")
	}
	if o.CapsRetain != nil {
		set, err := parseCapabilities(o.CapsRetain)
		if err != nil {
			return err
		}
		a.CapsRetain, a.CapsRemove = set, nil
	}
	// Taken off what the image asks for and not off the default, as rkt did: to
	// remove a capability must never give one.
	set, err := parseCapabilities(o.CapsRemove)
	if err != nil {
		return err
	}
	a.CapsRemove = append(a.CapsRemove, set...)
	if o.NoNewPrivileges != nil {
		a.Spec.Process.NoNewPrivileges = *o.NoNewPrivileges
	}
	return nil
}

func (a *App) applyLimits(o Override) error {
	p := a.Spec.Process
	for _, l := range o.Rlimits {
		if err := checkRlimit(l); err != nil {
			return err
		}
		p.Rlimits = slices.DeleteFunc(p.Rlimits, func(have Rlimit) bool { return have.Type == l.Type })
		p.Rlimits = append(p.Rlimits, l)
	}
	if o.OOMScoreAdj != nil {
		if err := a.setOOMScoreAdj(*o.OOMScoreAdj); err != nil {
			return err
		}
	}
	return a.applyResources(o.Limits)
}

func (a *App) applyAnnotations(o Override) error {
	for name, value := range o.Annotations {
		if name == "" {
			return errors.New("annotation without a name")
		}
		if err := a.applyNotify([]appcPair{{name, value}}); err != nil {
			return err
		}
	}
	maps.Copy(a.Spec.Annotations, o.Annotations)
	if o.Type != "" {
		a.setProperty("Type", o.Type)
	}
	if o.Restart != "" {
		a.setProperty("Restart", o.Restart)
	}
	if o.StopSignal != "" {
		sig, err := parseSignal(o.StopSignal)
		if err != nil {
			return err
		}
		a.setProperty("KillSignal", sig)
	}
	if o.StopTimeout != nil {
		// systemd takes 0 for "never", other launchers for "at once".
		if *o.StopTimeout < time.Millisecond {
			return fmt.Errorf("stop timeout of %v: the shortest is 1ms", *o.StopTimeout)
		}
		a.setProperty("TimeoutStopSec", strconv.FormatInt(o.StopTimeout.Milliseconds(), 10)+"ms")
	}
	given := map[string]bool{}
	for _, p := range o.Properties {
		if err := p.check(); err != nil {
			return err
		}
		value := p.Value
		if given[p.Name] {
			value = a.Spec.Annotations[PropertyPrefix+p.Name] + "\n" + value
		}
		given[p.Name] = true
		a.setProperty(p.Name, value)
	}
	if err := a.applyLife(o.Life); err != nil {
		return err
	}
	if err := a.applyHealth(o.Health); err != nil {
		return err
	}
	_, err := Properties(a.Spec)
	return err
}

// checkHostname holds a host name to what the kernel takes (64 bytes) and RFC 1123
// allows.
func checkHostname(name string) error {
	const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-."
	if len(name) > 64 || strings.Trim(name, letters) != "" || strings.HasPrefix(name, "-") || strings.HasPrefix(name, ".") ||
		strings.Contains(name, "..") {
		return fmt.Errorf("hostname %q: want at most 64 letters, digits, hyphens and dots", name)
	}
	return nil
}
