package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/raket/raket/pkg/boundedfile"
)

// Dirs are the layers, the later ones winning. An empty path or a directory
// that does not exist is a layer that says nothing.
type Dirs struct {
	System string
	Local  string
	User   string
}

// Config is what all layers together say. Zero values mean that none did.
type Config struct {
	Auth   Auth
	Paths  Paths
	Stage1 Stage1
}

// Paths is of kind paths.
type Paths struct {
	// Data is the directory of images and pods; absolute.
	Data string
	// Stage1Images is where --stage1-from-dir looks; absolute.
	Stage1Images string
	// CNIPlugins is where CNI plugins are looked for first; absolute.
	CNIPlugins string
}

// Stage1 is of kind stage1: which flavour is the default.
type Stage1 struct {
	// Name and Version are the flavour's; Version may be empty.
	Name    string
	Version string
	// Location is an absolute path. May be empty: the flavour of that name
	// is then looked for where the others are.
	Location string
}

// Load reads every layer. The error names the file and the key that is wrong.
func Load(dirs Dirs) (Config, error) {
	var cfg Config
	for _, dir := range []string{dirs.System, dirs.Local, dirs.User} {
		if dir == "" {
			continue
		}
		l := layer{setBy: make(map[string]string)}
		for _, d := range directories() {
			if err := l.readDirectory(filepath.Join(dir, d.name), d); err != nil {
				return Config{}, fmt.Errorf("read configuration: %w", err)
			}
		}
		l.over(&cfg)
	}
	return cfg, nil
}

// layer is one directory's worth, with the file that set each key, each host
// of kind auth, and each registry of kind dockerAuth.
type layer struct {
	cfg   Config
	setBy map[string]string
}

// over puts the layer over the ones before it.
func (l *layer) over(cfg *Config) {
	replace := func(old *string, by string) {
		if by != "" {
			*old = by
		}
	}
	cfg.Auth.over(l.cfg.Auth)
	replace(&cfg.Paths.Data, l.cfg.Paths.Data)
	replace(&cfg.Paths.Stage1Images, l.cfg.Paths.Stage1Images)
	replace(&cfg.Paths.CNIPlugins, l.cfg.Paths.CNIPlugins)
	if l.cfg.Stage1.Name != "" {
		// A version or a location means the name beside it and no other.
		cfg.Stage1 = l.cfg.Stage1
	}
	replace(&cfg.Stage1.Location, l.cfg.Stage1.Location)
}

// readDirectory reads the files of one directory; one that does not exist has none.
func (l *layer) readDirectory(dir string, d directory) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.IsDir() || !strings.HasSuffix(e.Name(), ".json") {
			continue
		}
		path := filepath.Join(dir, e.Name())
		raw, err := boundedfile.Read(path, maxFileBytes)
		if err != nil {
			return err
		}
		if err := l.readDocument(path, raw, d); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
	}
	return nil
}

// maxFileBytes is far above what a file of configuration needs.
const maxFileBytes = 1 << 20
