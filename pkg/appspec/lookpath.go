package appspec

import (
	"fmt"
	"path"
	"strings"
)

// NotFoundError says that an app's executable is not in its image. A launcher
// exits with status 203 for it, as systemd does for a failed exec.
type NotFoundError struct {
	Exec string // as the image or the user gave it
	Path string // the PATH that was searched; empty if Exec has a slash
}

func (e *NotFoundError) Error() string {
	if e.Path == "" {
		return fmt.Sprintf("exec %q not found in image, or not executable", e.Exec)
	}
	return fmt.Sprintf("exec %q not found in image: not in PATH %s", e.Exec, e.Path)
}

// LookPath makes argv[0] an absolute path inside the app's root, as a shell in
// working directory cwd would find it: by searchPath if it has no slash, from cwd
// if it is relative. Symlinks stay: a program may go by the name it is called.
// executable says whether an absolute path, its symlinks resolved inside the root,
// is an executable file. The error is a *NotFoundError.
func LookPath(searchPath string, executable func(path string) bool, argv0, cwd string) (string, error) {
	if argv0 == "" {
		return "", &NotFoundError{Exec: argv0}
	}
	if cwd == "" {
		cwd = "/"
	}
	if strings.Contains(argv0, "/") {
		p := cleanJoin(cwd, argv0)
		if strings.HasSuffix(argv0, "/") || !executable(p) {
			return "", &NotFoundError{Exec: argv0}
		}
		return p, nil
	}
	for dir := range strings.SplitSeq(searchPath, ":") {
		// An empty element is the working directory (POSIX, "PATH").
		if p := cleanJoin(cleanJoin(cwd, dir), argv0); executable(p) {
			return p, nil
		}
	}
	return "", &NotFoundError{Exec: argv0, Path: searchPath}
}

// cleanJoin is p seen from dir. Cleaning ".." without looking at symlinks may
// name another file than the kernel would; the caller's check is on the cleaned
// path, and that one is executed.
func cleanJoin(dir, p string) string {
	if path.IsAbs(p) {
		return path.Clean(p)
	}
	return path.Join("/", dir, p)
}
