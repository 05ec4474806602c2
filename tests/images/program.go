package images

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
)

// CacheDir is where things are kept between runs: $RAKET_TEST_CACHE, /var/cache/raket-test,
// or for an ordinary user the user's cache directory.
func CacheDir() (string, error) {
	if dir := os.Getenv("RAKET_TEST_CACHE"); dir != "" {
		return dir, nil
	}
	if os.Geteuid() == 0 {
		return "/var/cache/raket-test", nil
	}
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("find a cache directory: %w", err)
	}
	return filepath.Join(dir, "raket-test"), nil
}

// Program builds one of the programs in cmd/ (shipper, reloader, notify) as a static binary
// and returns it as an entry usr/bin/NAME.
func Program(ctx context.Context, name string) (Entry, error) {
	dir, err := os.MkdirTemp("", "raket-images-*")
	if err != nil {
		return Entry{}, fmt.Errorf("build %s: %w", name, err)
	}
	defer os.RemoveAll(dir)
	binary := filepath.Join(dir, name)
	// No version control stamp: the binary must be the same for the same source.
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w", "-o", binary, "./cmd/"+name)
	cmd.Dir = sourceDir()
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+runtime.GOARCH)
	if out, err := cmd.CombinedOutput(); err != nil {
		return Entry{}, fmt.Errorf("build %s: %w: %s", name, err, strings.TrimSpace(string(out)))
	}
	e := FileFrom("usr/bin/"+name, binary, 0o755)
	return e, e.err
}

// sourceDir is this package's directory, where go build has to run. With -trimpath the
// compiled-in path is none; tests run somewhere below the module's root.
func sourceDir() string {
	if _, file, _, ok := runtime.Caller(0); ok && filepath.IsAbs(file) {
		return filepath.Dir(file)
	}
	dir, err := os.Getwd()
	if err != nil {
		return "."
	}
	for ; dir != "/"; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return filepath.Join(dir, "tests/images")
		}
	}
	return "."
}
