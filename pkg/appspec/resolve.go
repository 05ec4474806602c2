package appspec

import (
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// Root is what Resolve has to know of an app's root file system. Paths are
// absolute and clean; symlinks are to be resolved inside the root.
type Root struct {
	Users UserFiles
	// Owner returns a file's owner, for users given as a path; nil refuses these.
	Owner func(path string) (uid, gid uint32, err error)
	// Executable reports whether a path is an executable file. Nil takes the
	// command as it is, if it is an absolute path.
	Executable func(path string) bool
	// Open opens a regular file, to see what the kernel needs to execute it; nil
	// leaves that to the kernel.
	Open func(path string) (File, error)
	// OtherFormats reports whether the kernel may execute more than ELF files and
	// scripts (binfmt_misc); nil is no.
	OtherFormats func() bool
	// Directory is nil for a directory, and otherwise why path is none, wrapping
	// fs.ErrNotExist for what is not there. Nil takes the working directory as it is.
	Directory func(path string) error
}

// ErrNoCommand says that neither the image nor the override names a command.
var ErrNoCommand = errors.New("image has no command")

// Resolve binds the app to its root: users become numbers, the executables of the
// command and of the handlers absolute paths, and what the environment lacks of
// PATH, HOME, USER, LOGNAME and SHELL is set. The result is complete, and the app
// must not be used again.
//
// Errors: ErrNoCommand, *NotFoundError, *NotRunnableError, *WorkDirError, and those of ResolveUser, Check and Refused.
func (a *App) Resolve(root Root) (*Spec, error) {
	p := a.Spec.Process
	user, err := ResolveUser(root.Users, UserRequest{
		User: a.User, Group: a.Group, Supplementary: a.Supplementary, Owner: root.Owner,
	})
	if err != nil {
		return nil, err
	}
	umask := p.User.Umask
	p.User = user.User
	p.User.Umask = umask
	if p.Capabilities, err = a.capabilities(user.UID); err != nil {
		return nil, err
	}
	if err := a.readProfile(p.Capabilities.Bounding); err != nil {
		return nil, err
	}
	a.completeEnv(user)
	if err := a.resolveStreams(); err != nil {
		return nil, err
	}

	if err := a.checkWorkDir(root); err != nil {
		return nil, err
	}
	argv := append(append([]string{}, a.Entrypoint...), a.Cmd...)
	if len(argv) == 0 {
		return nil, ErrNoCommand
	}
	if argv, err = a.lookArgv(root, argv); err != nil {
		return nil, err
	}
	p.Args = argv
	if err := a.setHandlers(root); err != nil {
		return nil, err
	}
	if err := a.resolveHealth(root); err != nil {
		return nil, err
	}
	if len(a.Ignored) > 0 {
		a.Spec.Annotations[AnnotationIgnoredIsolators] = strings.Join(a.Ignored, " ")
	}
	if err := Check(a.Spec); err != nil {
		return nil, err
	}
	if err := Refused(a.Spec); err != nil {
		return nil, err
	}
	return a.Spec, a.defaultSeccomp(p.Capabilities.Bounding)
}

// completeEnv sets what login(1) and the appc specification ("Execution
// Environment") promise, a word for the launcher included. systemd would set it too, but from the pod's passwd, not
// from the app's.
func (a *App) completeEnv(user ResolvedUser) {
	name := user.Name
	switch {
	case name == "" && user.UID == 0:
		name = "root"
	case name == "":
		name = formatID(user.UID)
	}
	defaults := []string{"PATH=" + DefaultPath, "HOME=" + user.Home, "USER=" + name, "LOGNAME=" + name, "SHELL=" + user.Shell, "container=raket"}
	p := a.Spec.Process
	for _, kv := range defaults {
		name, _, _ := strings.Cut(kv, "=")
		if _, ok := LookupEnv(p.Env, name); !ok {
			p.Env = append(p.Env, kv)
		}
	}
}

func (a *App) lookArgv(root Root, argv []string) ([]string, error) {
	if root.Executable == nil {
		if !path.IsAbs(argv[0]) {
			return nil, &NotFoundError{Exec: argv[0]}
		}
		return argv, nil
	}
	searchPath, _ := LookupEnv(a.Spec.Process.Env, "PATH")
	file, err := LookPath(searchPath, root.Executable, argv[0], a.Spec.Process.Cwd)
	if err != nil {
		return nil, err
	}
	if err := root.checkRunnable(file, a.Spec.Process.Cwd); err != nil {
		return nil, err
	}
	return append([]string{file}, argv[1:]...), nil
}

func (a *App) setHandlers(root Root) error {
	for _, argv := range a.PreStart {
		argv, err := a.lookArgv(root, argv)
		if err != nil {
			return fmt.Errorf("pre-start handler: %w", err)
		}
		if a.Spec.Hooks == nil {
			a.Spec.Hooks = &specs.Hooks{}
		}
		a.Spec.Hooks.StartContainer = append(a.Spec.Hooks.StartContainer,
			specs.Hook{Path: argv[0], Args: argv, Env: a.Spec.Process.Env})
	}
	var post [][]string
	for _, argv := range a.PostStop {
		argv, err := a.lookArgv(root, argv)
		if err != nil {
			return fmt.Errorf("post-stop handler: %w", err)
		}
		post = append(post, argv)
	}
	if post == nil {
		return nil
	}
	text, err := json.Marshal(post)
	if err != nil {
		return err
	}
	a.Spec.Annotations[AnnotationPostStop] = string(text)
	return nil
}

// Handlers returns the command lines to run before the app starts and after it has
// stopped, with the app's root, user and environment: hooks.startContainer and the
// annotation io.raket.post-stop. The first word of each is an absolute path.
func Handlers(spec *Spec) (preStart, postStop [][]string, err error) {
	if spec.Hooks != nil {
		for _, h := range spec.Hooks.StartContainer {
			// A hook's args[0] is the name it is called by, its path the file.
			argv := []string{h.Path}
			if len(h.Args) > 1 {
				argv = append(argv, h.Args[1:]...)
			}
			preStart = append(preStart, argv)
		}
	}
	text, ok := spec.Annotations[AnnotationPostStop]
	if !ok {
		return preStart, nil, nil
	}
	if err := json.Unmarshal([]byte(text), &postStop); err != nil {
		return nil, nil, fmt.Errorf("annotation %s: %w", AnnotationPostStop, err)
	}
	for _, argv := range postStop {
		if len(argv) == 0 || !path.IsAbs(argv[0]) {
			return nil, nil, fmt.Errorf("annotation %s: %q is not a command", AnnotationPostStop, argv)
		}
		if err := checkProcess(argv, nil); err != nil {
			return nil, nil, fmt.Errorf("annotation %s: %w", AnnotationPostStop, err)
		}
	}
	return preStart, postStop, nil
}
