package registries

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/raket/raket/pkg/boundedfile"
)

// Config is what the files together say. A nil or zero Config says nothing: each
// registry is asked under its own name.
type Config struct {
	registries []registry
	aliases    map[string]alias
	search     []string
	helpers    []string
	// files are those that were read, in their order.
	files []string
}

// Options say what to read. The zero value reads the host's files.
type Options struct {
	// Files are places of registries.conf, the first that exists is read, and
	// the drop-ins beside it and beside the places before it. Default:
	// Files("/usr/lib/raket", "/etc/raket", "").
	Files []string
	// Getenv is asked for CONTAINERS_REGISTRIES_CONF, a file that must exist,
	// and takes the place of Files. Default: os.Getenv.
	Getenv func(string) string
}

const (
	fileName   = "registries.conf"
	dropIns    = "registries.conf.d"
	containers = "/etc/containers"
	envFile    = "CONTAINERS_REGISTRIES_CONF"

	maxFileBytes = 1 << 20
	maxDropIns   = 1024
)

// Files are the usual places of registries.conf: in the directories of raket's
// configuration, user's first, and then containers' own. Empty ones are left out.
func Files(system, local, user string) []string {
	var files []string
	for _, dir := range []string{user, local, system, containers} {
		if dir != "" {
			files = append(files, filepath.Join(dir, fileName))
		}
	}
	return files
}

// Load reads the configuration. Where there is no file it is empty. Errors are
// *FileError where a file's content is wrong.
func Load(o Options) (*Config, error) {
	if o.Getenv == nil {
		o.Getenv = os.Getenv
	}
	if o.Files == nil {
		o.Files = Files("/usr/lib/raket", "/etc/raket", "")
	}
	explicit := o.Getenv(envFile)
	if explicit != "" {
		o.Files = []string{explicit}
	}
	c, found, err := read(o.Files)
	if err == nil && explicit != "" && !found {
		err = fmt.Errorf("%s: %s does not exist", envFile, explicit)
	}
	if err != nil {
		return nil, fmt.Errorf("read registries: %w", err)
	}
	return c, nil
}

// read reads the main file, the first that there is, and then the drop-ins, those
// beside it first: what stands before the main file is above it.
func read(files []string) (*Config, bool, error) {
	c := &Config{aliases: make(map[string]alias)}
	found, places := false, files
	for i, path := range files {
		raw, err := boundedfile.Read(path, maxFileBytes)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, false, err
		}
		if err := c.add(path, raw); err != nil {
			return nil, false, err
		}
		found, places = true, files[:i+1]
		break
	}
	for _, path := range slices.Backward(places) {
		if err := c.addDropIns(filepath.Join(filepath.Dir(path), dropIns)); err != nil {
			return nil, false, err
		}
	}
	return c, found, nil
}

// addDropIns reads a directory's files in the order of their names.
func (c *Config) addDropIns(dir string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if len(entries) > maxDropIns {
		return fmt.Errorf("%s has more than %d files", dir, maxDropIns)
	}
	for _, e := range entries {
		if e.IsDir() || !strings.HasSuffix(e.Name(), ".conf") {
			continue
		}
		path := filepath.Join(dir, e.Name())
		raw, err := boundedfile.Read(path, maxFileBytes)
		if err != nil {
			return err
		}
		if err := c.add(path, raw); err != nil {
			return err
		}
	}
	return nil
}

// add puts a file over what was read before.
func (c *Config) add(path string, raw []byte) error {
	f, err := parse(path, raw)
	if err != nil {
		return err
	}
	c.files = append(c.files, path)
	if f.search != nil {
		c.search = f.search
	}
	if f.helpers != nil {
		c.helpers = f.helpers
	}
	for _, r := range f.registries {
		i := slices.IndexFunc(c.registries, func(old registry) bool { return old.prefix == r.prefix })
		if i < 0 {
			c.registries = append(c.registries, r)
			continue
		}
		c.registries[i] = r
	}
	for name, a := range f.aliases {
		if a.value == "" {
			delete(c.aliases, name)
			continue
		}
		c.aliases[name] = a
	}
	return nil
}

// CredentialHelpers are where credentials are looked for, in order: names of
// helpers, and AuthFiles for the files. Nil means that no file says so.
func (c *Config) CredentialHelpers() []string {
	if c == nil {
		return nil
	}
	return slices.Clone(c.helpers)
}

// Paths are the files that were read, each over those before it.
func (c *Config) Paths() []string {
	if c == nil {
		return nil
	}
	return slices.Clone(c.files)
}
