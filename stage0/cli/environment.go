package cli

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/raket/raket/stage0/cli/appargs"
)

// environment is what all apps get: below the images' own, and above it.
func environment(p appargs.Pod) (below, above []string, err error) {
	if p.InheritEnv {
		below = os.Environ()
	}
	for _, path := range p.EnvFiles {
		lines, err := readEnvFile(path)
		if err != nil {
			return nil, nil, err
		}
		above = append(above, lines...)
	}
	for _, kv := range p.Env {
		above = append(above, kv.Key+"="+kv.Value)
	}
	return below, above, nil
}

// maxEnvFileBytes is the kernel's limit for all arguments and environment.
const maxEnvFileBytes = 2 << 20

// readEnvFile reads NAME=VALUE lines. Empty ones and those that begin with # or ;
// are left out, as in rkt.
func readEnvFile(path string) ([]string, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read environment: %w", err)
	}
	defer f.Close()
	limited := &io.LimitedReader{R: f, N: maxEnvFileBytes + 1}
	scan := bufio.NewScanner(limited)
	scan.Buffer(nil, maxEnvFileBytes)
	var env []string
	for n := 1; scan.Scan(); n++ {
		line := strings.TrimSuffix(scan.Text(), "\r")
		if line == "" || line[0] == '#' || line[0] == ';' {
			continue
		}
		if name, _, ok := strings.Cut(line, "="); !ok || name == "" || strings.ContainsRune(line, 0) {
			return nil, fmt.Errorf("read environment: %s:%d: want NAME=VALUE", path, n)
		}
		env = append(env, line)
	}
	if err := scan.Err(); err != nil {
		return nil, fmt.Errorf("read environment: %s: %w", path, err)
	}
	if limited.N <= 0 {
		return nil, fmt.Errorf("read environment: %s is larger than %d MiB", path, maxEnvFileBytes>>20)
	}
	return env, nil
}
