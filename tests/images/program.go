package images

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path"
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
	return Build(ctx, ".", "github.com/raket/raket/tests/images/cmd/"+name, "usr/bin/"+name)
}

// Build builds a package that the module which dir is in has, or takes from another, as a
// static binary, and returns it as an entry of this name. On a machine without Go it is in
// $RAKET_TEST_PROGRAMS already.
func Build(ctx context.Context, dir, pkg, name string) (Entry, error) {
	if built := os.Getenv("RAKET_TEST_PROGRAMS"); built != "" {
		e := FileFrom(name, filepath.Join(built, path.Base(pkg)), 0o755)
		return e, e.err
	}
	tmp, err := os.MkdirTemp("", "raket-images-*")
	if err != nil {
		return Entry{}, fmt.Errorf("build %s: %w", name, err)
	}
	defer os.RemoveAll(tmp)
	binary := filepath.Join(tmp, "program")
	// No version control stamp: the binary must be the same for the same source.
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w", "-o", binary, pkg)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+runtime.GOARCH)
	if out, err := cmd.CombinedOutput(); err != nil {
		return Entry{}, fmt.Errorf("build %s: %w: %s", name, err, strings.TrimSpace(string(out)))
	}
	e := FileFrom(name, binary, 0o755)
	return e, e.err
}
