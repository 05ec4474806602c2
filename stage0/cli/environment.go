package cli

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/raket/raket/pkg/appspec"
	"github.com/raket/raket/pkg/boundedfile"
	"github.com/raket/raket/stage0/cli/appargs"
)

// addEnvironment gives every app what --inherit-env, --set-env-file, --set-env and
// --environment-file say, below what its own flags do.
func addEnvironment(p *appargs.Pod) error {
	var inherited, set []string
	if p.InheritEnv {
		inherited = slices.DeleteFunc(os.Environ(), ofServiceManager)
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
		own := set[:len(set):len(set)]
		for _, path := range p.Apps[i].EnvFiles {
			env, err := readEnvFile(path)
			if err != nil {
				return fmt.Errorf("read environment: %w", err)
			}
			own = append(own, env...)
		}
		o.Env = append(own, o.Env...)
	}
	return nil
}

// ofServiceManager reports whether a variable is between the host's systemd and this
// process (systemd.exec(5), "Environment Variables Set or Propagated by the Service
// Manager"): in an app it would be about files and descriptors that it has not got.
func ofServiceManager(assignment string) bool {
	switch name, _, _ := strings.Cut(assignment, "="); name {
	case "CREDENTIALS_DIRECTORY", "NOTIFY_SOCKET", "LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES", "WATCHDOG_PID", "WATCHDOG_USEC",
		"INVOCATION_ID", "JOURNAL_STREAM", "MANAGERPID", "MAINPID", "SYSTEMD_EXEC_PID", "MEMORY_PRESSURE_WATCH", "MEMORY_PRESSURE_WRITE",
		"RUNTIME_DIRECTORY", "STATE_DIRECTORY", "CACHE_DIRECTORY", "LOGS_DIRECTORY", "CONFIGURATION_DIRECTORY":
		return true
	}
	return false
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
