package approot

import (
	"os"
	"path/filepath"

	"github.com/raket/raket/pkg/appspec"
	"github.com/raket/raket/pkg/stageabi"
)

// ReadSpec reads the spec of an app of the pod in dir.
func ReadSpec(dir, app string) (*appspec.Spec, error) {
	b, err := os.ReadFile(filepath.Join(stageabi.AppPath(dir, app), stageabi.SpecFile))
	if err != nil {
		return nil, err
	}
	return appspec.Parse(b)
}

// CommandEnv is the environment of a command that a user enters an app with: the
// app's, and the user's terminal.
func CommandEnv(spec *appspec.Spec) []string {
	env := spec.Process.Env
	if term := os.Getenv("TERM"); term != "" {
		env = append(env, "TERM="+term)
	}
	return env
}

// LookPath finds a program by the PATH of env in the root that the calling
// thread is in. The error is a *appspec.NotFoundError.
func LookPath(env []string, name string) (string, error) {
	search, _ := appspec.LookupEnv(env, "PATH")
	return appspec.LookPath(search, func(path string) bool {
		st, err := os.Stat(path)
		return err == nil && st.Mode().IsRegular() && st.Mode()&0o111 != 0
	}, name, "/")
}
