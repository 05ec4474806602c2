package lookaside

import (
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/raket/raket/pkg/boundedfile"
)

const (
	maxFileBytes = 1 << 20
	maxFiles     = 1000
)

// Config is what all directories together say. The zero Config says nothing.
type Config struct {
	byDefault *section
	docker    map[string]section
}

// section is what one namespace, or default-docker, says.
type section struct {
	at string // file:line, for messages
	// lookaside is the newer name's value, or the older one's.
	lookaside   *url.URL
	attachments *bool
}

// Dirs are the directories that are read, for Load, later ones winning: containers'
// own, and those in the directories of raket's configuration. Empty ones are left out.
func Dirs(system, local, user string) []string {
	var dirs []string
	for _, dir := range []string{"/etc/containers", system, local, user} {
		if dir != "" {
			dirs = append(dirs, filepath.Join(dir, "registries.d"))
		}
	}
	return dirs
}

// Load reads the files *.yaml of directories; those that do not exist have none.
// Within a directory each namespace stands once; a later directory's word on a
// namespace replaces an earlier one's. Errors name file and line.
func Load(dirs []string) (*Config, error) {
	all := &Config{docker: make(map[string]section)}
	for _, dir := range dirs {
		c, err := loadDir(dir)
		if err != nil {
			return nil, fmt.Errorf("read where signatures are: %w", err)
		}
		if c.byDefault != nil {
			all.byDefault = c.byDefault
		}
		for name, s := range c.docker {
			all.docker[name] = s
		}
	}
	return all, nil
}

func loadDir(dir string) (*Config, error) {
	c := &Config{docker: make(map[string]section)}
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return c, nil
	}
	if err != nil {
		return nil, err
	}
	if len(entries) > maxFiles {
		return nil, fmt.Errorf("%s has more than %d files", dir, maxFiles)
	}
	for _, e := range entries {
		if e.IsDir() || !strings.HasSuffix(e.Name(), ".yaml") {
			continue
		}
		path := filepath.Join(dir, e.Name())
		raw, err := boundedfile.Read(path, maxFileBytes)
		if err != nil {
			return nil, err
		}
		if err := c.add(path, raw); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// entry is a key of a YAML mapping and its value.
type entry struct {
	key   string
	at    string
	value *yaml.Node
}

// add reads one file. Nodes rather than structs: they have lines, and show keys
// that nobody knows.
func (c *Config) add(file string, raw []byte) error {
	var doc yaml.Node
	if err := yaml.Unmarshal(raw, &doc); err != nil {
		return fmt.Errorf("%s: %s", file, oneLine(err))
	}
	if len(doc.Content) == 0 {
		return nil // an empty file
	}
	top, err := mapping(file, doc.Content[0])
	if err != nil {
		return err
	}
	for _, e := range top {
		switch e.key {
		case "default-docker":
			if isNull(e.value) {
				continue
			}
			if c.byDefault != nil {
				return fmt.Errorf("%s: key %s: %s has it already", e.at, e.key, c.byDefault.at)
			}
			s, err := readSection(file, e)
			if err != nil {
				return err
			}
			c.byDefault = &s
		case "docker":
			if err := c.namespaces(file, e.value); err != nil {
				return err
			}
		default:
			return fmt.Errorf("%s: key %q: unknown", e.at, e.key)
		}
	}
	return nil
}

func (c *Config) namespaces(file string, node *yaml.Node) error {
	entries, err := mapping(file, node)
	if err != nil {
		return err
	}
	for _, e := range entries {
		name, err := ParseNamespace(e.key)
		if err != nil {
			return fmt.Errorf("%s: %w", e.at, err)
		}
		if other, twice := c.docker[name]; twice {
			return fmt.Errorf("%s: key %q: %s has it already", e.at, e.key, other.at)
		}
		if c.docker[name], err = readSection(file, e); err != nil {
			return err
		}
	}
	return nil
}

func readSection(file string, of entry) (section, error) {
	s := section{at: of.at}
	entries, err := mapping(file, of.value)
	if err != nil {
		return s, err
	}
	var old *url.URL
	for _, e := range entries {
		switch e.key {
		case "lookaside":
			s.lookaside, err = parseURL(e)
		case "sigstore":
			old, err = parseURL(e)
		case "lookaside-staging", "sigstore-staging":
			_, err = parseURL(e) // for writing
		case "use-sigstore-attachments":
			var use bool
			if e.value.Kind != yaml.ScalarNode || e.value.Tag != "!!bool" || e.value.Decode(&use) != nil {
				err = fmt.Errorf("%s: key %s: must be true or false", e.at, e.key)
			}
			s.attachments = &use
		default:
			err = fmt.Errorf("%s: key %q: unknown", e.at, e.key)
		}
		if err != nil {
			return s, err
		}
	}
	if s.lookaside == nil {
		s.lookaside = old
	}
	return s, nil
}

func parseURL(e entry) (*url.URL, error) {
	bad := func(why string) (*url.URL, error) {
		return nil, fmt.Errorf("%s: key %s: %s", e.at, e.key, why)
	}
	if e.value.Kind != yaml.ScalarNode || e.value.Tag != "!!str" {
		return bad("must be a URL")
	}
	u, err := url.Parse(e.value.Value)
	switch {
	case err != nil:
		return bad(fmt.Sprintf("%q is no URL", e.value.Value))
	case u.RawQuery != "" || u.Fragment != "":
		return bad(fmt.Sprintf("%q has more than a path", e.value.Value))
	case u.Scheme == "file" && (u.Host != "" && u.Host != "localhost" || !filepath.IsAbs(u.Path)):
		return bad(fmt.Sprintf("%q is no absolute path: write file:///DIR", e.value.Value))
	case (u.Scheme == "http" || u.Scheme == "https") && u.Host == "":
		return bad(fmt.Sprintf("%q has no host", e.value.Value))
	case u.Scheme != "file" && u.Scheme != "http" && u.Scheme != "https":
		return bad(fmt.Sprintf("%q is neither file://, https:// nor http://", e.value.Value))
	}
	return u, nil
}

// mapping has the entries of a mapping, each key once; of null it has none.
func mapping(file string, node *yaml.Node) ([]entry, error) {
	at := func(n *yaml.Node) string { return fmt.Sprintf("%s:%d", file, n.Line) }
	if isNull(node) {
		return nil, nil
	}
	if node.Kind != yaml.MappingNode {
		return nil, fmt.Errorf("%s: must be a mapping", at(node))
	}
	var entries []entry
	seen := make(map[string]bool)
	for i := 0; i+1 < len(node.Content); i += 2 {
		key := node.Content[i]
		switch {
		case key.Kind != yaml.ScalarNode || key.Tag == "!!merge":
			return nil, fmt.Errorf("%s: a key must be a word", at(key))
		case seen[key.Value]:
			return nil, fmt.Errorf("%s: key %q: stands twice", at(key), key.Value)
		}
		seen[key.Value] = true
		entries = append(entries, entry{key.Value, at(key), node.Content[i+1]})
	}
	return entries, nil
}

func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.Tag == "!!null" }

// oneLine takes the line breaks out of what yaml says.
func oneLine(err error) string {
	return strings.Join(strings.Fields(err.Error()), " ")
}
