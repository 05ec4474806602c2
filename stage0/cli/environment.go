package cli

import (
	"fmt"
	"os"

	"github.com/raket/raket/pkg/appspec"
	"github.com/raket/raket/pkg/boundedfile"
	"github.com/raket/raket/stage0/cli/appargs"
)

// addEnvironment gives every app what --inherit-env, --set-env-file and
// --set-env say, below what its own flags do.
func addEnvironment(p *appargs.Pod) error {
	var inherited, set []string
	if p.InheritEnv {
		inherited = os.Environ()
	}
	for _, path := range p.EnvFiles {
		env, err := readEnvFile(path)
		if err != nil {
			return fmt.Errorf("read environment: %w", err)
		}
		set = append(set, env...)
	}
	set = append(set, p.Env...)
	for i := range p.Apps {
		o := &p.Apps[i].Override
		o.InheritEnv = inherited
		o.Env = append(set[:len(set):len(set)], o.Env...)
	}
	return nil
}

// maxEnvFileBytes is the kernel's limit for all arguments and environment.
const maxEnvFileBytes = 2 << 20

func readEnvFile(path string) ([]string, error) {
	raw, err := boundedfile.Read(path, maxEnvFileBytes)
	if err != nil {
		return nil, err
	}
	env, err := appspec.ParseEnvFile(raw)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return env, nil
}
