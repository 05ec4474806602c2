package appargs

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/pflag"

	"github.com/raket/raket/pkg/appspec"
)

const (
	argsFollow = "--"
	argsEnd    = "---"
)

// Verb is which command's arguments are parsed.
type Verb int

// The verbs that take images.
const (
	Run Verb = iota
	// Prepare refuses what is decided only at the start of a pod.
	Prepare
	// Sandbox takes no images, and is otherwise as Run.
	Sandbox
	// Add takes the UUID of a pod, and one image.
	Add
	// Update takes the UUID of a pod, the name of an app of its, and one image.
	Update
)

// words is how many words stand before the image.
func (v Verb) words() int {
	switch v {
	case Add:
		return 1
	case Update:
		return 2
	}
	return 0
}

// Options are what Parse needs beside the arguments. The zero value parses
// the arguments of run.
type Options struct {
	Verb Verb
	// Globals are flags known to every command, which may stand among the
	// others. May be nil.
	Globals *pflag.FlagSet
}

// Parse reads the arguments of raket run or raket prepare. The error is
// pflag.ErrHelp where --help or -h was among them; any other says what is wrong
// in one line.
func Parse(args []string, opts Options) (Pod, error) {
	p := parser{verb: opts.Verb, flags: newFlags(opts)}
	if err := p.parse(args); err != nil {
		return Pod{}, err
	}
	if err := p.pod.check(opts.Verb); err != nil {
		return Pod{}, err
	}
	return p.pod, nil
}

// parser walks the arguments from left to right.
type parser struct {
	verb  Verb
	flags map[string]flag
	pod   Pod
}

// app is the one whose flags are being read, nil before the first image.
func (p *parser) app() *App {
	if len(p.pod.Apps) == 0 {
		return nil
	}
	return &p.pod.Apps[len(p.pod.Apps)-1]
}

func (p *parser) parse(args []string) error {
	for len(args) > 0 {
		arg := args[0]
		args = args[1:]
		var err error
		switch {
		case arg == argsFollow:
			args, err = p.takeArgs(args)
		case arg == argsEnd:
			return errors.New("\"---\" ends the arguments of an app, and there was no \"--\" before it: leave it out")
		case arg == "-h" || arg == "--help":
			return pflag.ErrHelp
		case arg == "-i", arg == "-it", arg == "-ti":
			args, err = p.takeFlag("interactive", args)
		case strings.HasPrefix(arg, "--"):
			args, err = p.takeFlag(arg[2:], args)
		case strings.HasPrefix(arg, "-"):
			args, err = p.takeShort(arg, args)
		case len(p.pod.Words) < p.verb.words():
			p.pod.Words = append(p.pod.Words, arg)
		case arg == "":
			return errors.New("empty image name")
		case p.verb == Sandbox:
			return fmt.Errorf("a sandbox begins without apps, and %q is an image: raket app add adds it", arg)
		case p.verb.words() > 0 && len(p.pod.Apps) > 0:
			return fmt.Errorf("one image at a time, and %q is a second one", arg)
		default:
			p.pod.Apps = append(p.pod.Apps, App{Image: arg})
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// takeArgs takes what stands between "--" and "---".
func (p *parser) takeArgs(args []string) (rest []string, err error) {
	app := p.app()
	if app == nil {
		return nil, errors.New("\"--\" must follow an image")
	}
	if app.Override.Args != nil {
		return nil, fmt.Errorf("second \"--\" for %q", app.Image)
	}
	app.Override.Args = []string{}
	for i, arg := range args {
		if arg == argsEnd {
			return args[i+1:], nil
		}
		app.Override.Args = append(app.Override.Args, arg)
	}
	return nil, nil
}

// UnknownFlagError says that there is no such flag.
type UnknownFlagError struct {
	Flag string // with its hyphens; of a single one, with what is written behind it
}

func (e *UnknownFlagError) Error() string { return fmt.Sprintf("unknown flag %q", e.Flag) }

// takeFlag takes one flag, and its value from args where it has one there.
func (p *parser) takeFlag(word string, args []string) (rest []string, err error) {
	name, value, hasValue := strings.Cut(word, "=")
	f, known := p.flags[name]
	if !known {
		return nil, &UnknownFlagError{"--" + name}
	}
	if f.refusal != "" {
		return nil, fmt.Errorf("--%s is not supported: %s", name, f.refusal)
	}
	switch {
	case hasValue:
	case f.bare != "":
		value = f.bare
	case len(args) == 0:
		return nil, fmt.Errorf("--%s needs a value", name)
	default:
		value, args = args[0], args[1:]
	}
	app := p.app()
	switch {
	case f.global != nil:
		err = f.global.Value.Set(value)
		f.global.Changed = true
	case f.app != nil && app != nil:
		err = f.app(app, value)
	case f.pod != nil:
		err = f.pod(&p.pod, value)
	default:
		return nil, fmt.Errorf("--%s must follow an image", name)
	}
	if err != nil && f.secret {
		return nil, fmt.Errorf("bad value for --%s: %w", name, err)
	}
	if err != nil {
		return nil, badValue(name, value, err)
	}
	return args, nil
}

// badValue says what is wrong with a value, and says the value once.
func badValue(name, value string, err error) error {
	why := err.Error()
	if _, after, twice := strings.Cut(why, strconv.Quote(value)+": "); twice {
		why = after
	}
	return fmt.Errorf("bad value %q for --%s: %s", value, name, why)
}

// check is for what no single word shows.
func (p *Pod) check(v Verb) error {
	if err := p.checkInteractive(); err != nil {
		return err
	}
	if v == Sandbox {
		return p.checkVolumes(false)
	}
	if n := len(p.Words); n < v.words() {
		return fmt.Errorf("%s is missing", [...]string{"UUID", "APP"}[n])
	}
	if p.Manifest != "" {
		return p.checkManifest()
	}
	if len(p.Apps) == 0 {
		return ErrNoImage
	}
	names := make(map[string]string)
	for _, a := range p.Apps {
		if a.Override.CapsRetain != nil && a.Override.CapsRemove != nil {
			return fmt.Errorf("--caps-retain and --caps-remove are both given for %q", a.Image)
		}
		if a.Override.Seccomp != nil && a.SeccompProfile != "" {
			return fmt.Errorf("--seccomp and --seccomp-profile are both given for %q", a.Image)
		}
		if err := p.checkCredentials(a); err != nil {
			return err
		}
		if err := appspec.New().Apply(a.Override); err != nil {
			return fmt.Errorf("%q: %w", a.Image, err)
		}
		if a.Name == "" {
			continue
		}
		if other, taken := names[a.Name]; taken {
			return fmt.Errorf("app name %q is given to both %q and %q", a.Name, other, a.Image)
		}
		names[a.Name] = a.Image
	}
	if err := p.checkLife(v.words() > 0); err != nil {
		return err
	}
	return p.checkVolumes(v.words() > 0)
}

// checkVolumes refuses a volume that is defined twice, and a mount of one that
// is not defined at all, unless the pod may have it: it would be empty, and nobody would know.
func (p *Pod) checkVolumes(inPod bool) error {
	defined := make(map[string]bool)
	for _, v := range p.Volumes {
		if name := v.Name.String(); defined[name] {
			return fmt.Errorf("volume %q is defined twice", name)
		} else {
			defined[name] = true
		}
	}
	mounts := p.Mounts
	for _, a := range p.Apps {
		mounts = append(mounts[:len(mounts):len(mounts)], a.Mounts...)
	}
	for _, m := range mounts {
		if !inPod && !defined[m.Volume] {
			return fmt.Errorf("--mount of volume %q, which no --volume defines", m.Volume)
		}
	}
	return nil
}

// ErrNoImage says that there is nothing to run.
var ErrNoImage = errors.New("no image given")

// checkManifest refuses, as rkt did, what a pod manifest says itself.
func (p *Pod) checkManifest() error {
	for _, said := range []struct {
		flag string
		is   bool
	}{
		{"an image", len(p.Apps) > 0},
		{"--volume", len(p.Volumes) > 0},
		{"--mount", len(p.Mounts) > 0},
		{"--annotation", len(p.Annotations) > 0},
		{"--port", len(p.Ports) > 0},
		{"--publish-all", p.PublishAll},
		{"--set-env", len(p.Env) > 0},
		{"--set-env-file", len(p.EnvFiles) > 0},
		{"--inherit-env", p.InheritEnv},
	} {
		if said.is {
			return fmt.Errorf("--pod-manifest excludes %s: the manifest says it", said.flag)
		}
	}
	return nil
}
