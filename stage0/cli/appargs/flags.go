package appargs

import (
	"cmp"
	"slices"
	"strings"

	"github.com/spf13/pflag"
)

// Scope is whom a flag is for.
type Scope int

// The scopes.
const (
	ForPod Scope = iota
	ForApp
	// ForRun is a flag of the pod that run and run-prepared take, and prepare
	// does not.
	ForRun
)

// withApp are flags of the pod that make sense of an app that is added to one.
func withApp() []string {
	return []string{"inherit-env", "mnt-volume", "mount", "no-overlay", "pull-policy", "quiet", "set-env", "set-env-file", "store-only", "volume"}
}

// Flag describes a flag for help texts and completion.
type Flag struct {
	Name string
	// Arg is what to call its value; "" for one that needs none.
	Arg   string
	Usage string
	Scope Scope
	// Words are the values to offer, where they are few.
	Words []string
	// Files says that its value is a path.
	Files bool
	// Hidden says that it changes nothing and is taken for rkt's sake.
	Hidden bool
}

// flag is a Flag with what it does. At least one of pod, app and global is set, or
// refusal.
type flag struct {
	Flag
	pod     func(*Pod, string) error
	app     func(*App, string) error
	global  *pflag.Flag
	bare    string // the value where none was written
	secret  bool   // no error repeats the value
	added   string // the usage for an app of a running pod, where that differs
	refusal string
}

// Flags describes the flags of a verb that are not hidden, those of the pod first, each part in
// alphabetical order.
func Flags(v Verb) []Flag {
	var fs []Flag
	for _, f := range slices.Concat(podFlags(), portFlags(), runFlags(), updateFlags(), appFlags(), credentialFlags(), hardenFlags(), limitFlags(), lifeFlags(), healthFlags()) {
		if f.Hidden || v == Prepare && f.Scope == ForRun || !v.takes(f) {
			continue
		}
		if v.words() > 0 {
			f.Usage, _, _ = strings.Cut(f.Usage, ofAllApps)
			f.Usage = cmp.Or(f.added, f.Usage)
		}
		fs = append(fs, f.Flag)
	}
	slices.SortFunc(fs, func(a, b Flag) int {
		if inApp := a.Scope == ForApp; inApp != (b.Scope == ForApp) {
			if inApp {
				return 1
			}
			return -1
		}
		return strings.Compare(a.Name, b.Name)
	})
	return fs
}

// newFlags has every word that may follow "--".
func newFlags(opts Options) map[string]flag {
	flags := make(map[string]flag)
	for _, f := range slices.Concat(podFlags(), portFlags(), runFlags(), updateFlags()) {
		if opts.Verb == Prepare && f.Scope == ForRun {
			f.refusal = "it is decided at the start of a pod: give it to raket run-prepared"
		}
		flags[f.Name] = f
	}
	for _, f := range appFlags() {
		if both, ok := flags[f.Name]; ok {
			f.pod = both.pod
		}
		flags[f.Name] = f
	}
	for _, f := range slices.Concat(credentialFlags(), hardenFlags(), limitFlags(), lifeFlags(), healthFlags()) {
		flags[f.Name] = f
	}
	for name, f := range flags {
		switch {
		case !opts.Verb.takes(f):
			f.refusal = notTaken(opts.Verb, f)
		case f.app != nil && opts.Verb.words() > 0 && !slices.Contains(withApp(), name):
			f.pod = nil // of a pod that runs nothing is said
		}
		flags[name] = f
	}
	for name, why := range refused() {
		flags[name] = flag{Flag: Flag{Name: name}, refusal: why}
	}
	if opts.Globals != nil {
		opts.Globals.VisitAll(func(g *pflag.Flag) {
			// Where a command has a flag of the same name, it is the nearer.
			if _, taken := flags[g.Name]; !taken {
				flags[g.Name] = flag{global: g, bare: g.NoOptDefVal}
			}
		})
	}
	return flags
}

// takes reports whether the verb has use for a flag.
func (v Verb) takes(f flag) bool {
	if slices.Contains(ofUpdate(), f.Name) {
		return v == Update
	}
	switch v {
	case Sandbox:
		return f.pod != nil && f.Name != "mnt-volume"
	case Add, Update:
		return f.app != nil && (v == Add || f.Name != "name") || slices.Contains(withApp(), f.Name)
	}
	return f.Name != "mnt-volume"
}

// ofUpdate are the flags of updateFlags.
func ofUpdate() []string { return []string{"settle", "wait"} }

// notTaken says why a verb has no use for a flag.
func notTaken(v Verb, f flag) string {
	switch {
	case slices.Contains(ofUpdate(), f.Name):
		return "it is of raket app update"
	case v == Sandbox:
		return "it is of an app: give it to raket app add"
	case v == Update && f.Name == "name":
		return "the app keeps its name"
	case f.Name == "mnt-volume":
		return "it is of an app that is added to a running pod: use --volume and --mount"
	}
	return "it is decided when a pod starts"
}

// refused are rkt's flags that raket knows and does not have, with what to
// do about it. The table in docs/rkt-features.md follows this one.
func refused() map[string]string {
	return map[string]string{
		"no-store":        "every image goes through the store; use --pull-policy=update to fetch anew",
		"user-annotation": "use --annotation",
		"user-label":      "use --annotation",
	}
}

// RunFlags defines the flags of RunOptions on fs, for run-prepared.
func RunFlags(fs *pflag.FlagSet, into *RunOptions) {
	for _, f := range runFlags() {
		described := fs.VarPF(&runValue{flag: f, into: into}, f.Name, "", f.Usage)
		described.Hidden, described.NoOptDefVal = f.Hidden, f.bare
	}
}

// runValue is a flag of RunOptions as pflag wants one.
type runValue struct {
	flag flag
	into *RunOptions
}

func (v *runValue) Set(s string) error {
	p := Pod{Run: *v.into}
	if err := v.flag.pod(&p, s); err != nil {
		return err
	}
	*v.into = p.Run
	return nil
}
func (v *runValue) String() string { return "" }
func (v *runValue) Type() string   { return v.flag.Arg }

// oneOf takes a word of a list.
func oneOf(words []string, into *string, value string) error {
	if !slices.Contains(words, value) {
		return &wordError{words}
	}
	*into = value
	return nil
}

// wordError is a word that is not of the list.
type wordError struct{ words []string }

func (e *wordError) Error() string { return "must be one of " + strings.Join(e.words, ", ") }
