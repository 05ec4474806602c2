package credentials

import (
	"context"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/raket/raket/stage0/config"
)

// Options say where credentials are. The zero value is the environment's and the
// home directory's, and nothing of raket's configuration.
type Options struct {
	// AuthFile is the only file to read. It must exist; one that is empty has
	// no credentials. Default: REGISTRY_AUTH_FILE, then the usual files.
	AuthFile string
	// Config is what the kinds auth and dockerAuth say.
	Config config.Auth
	// Helpers are what registries.conf has as credential-helpers:
	// registries.Config.CredentialHelpers. In it "containers-auth.json" stands for
	// kind dockerAuth and all files. Default: that alone.
	Helpers []string
	// HelperTimeout is how long a helper may take. Default: 30 seconds.
	HelperTimeout time.Duration
	// Getenv is the environment. Default: os.Getenv.
	Getenv func(string) string
	// Now is the clock that signatures are made by. Default: time.Now.
	Now func() time.Time
}

// Finder finds credentials. It may be used by several goroutines at once.
type Finder struct {
	o Options

	mu sync.Mutex
	// found keeps what each repository's lookup came to.
	found map[string]Credential
}

const (
	authFiles     = "containers-auth.json"
	helperTimeout = 30 * time.Second
)

// New makes a finder. It reads nothing yet.
func New(o Options) *Finder {
	if o.Getenv == nil {
		o.Getenv = os.Getenv
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.HelperTimeout == 0 {
		o.HelperTimeout = helperTimeout
	}
	if o.AuthFile == "" {
		o.AuthFile = o.Getenv("REGISTRY_AUTH_FILE")
	}
	if len(o.Helpers) == 0 {
		o.Helpers = []string{authFiles}
	}
	return &Finder{o: o, found: make(map[string]Credential)}
}

// ForRegistry finds what to show a registry (host or host:port) for a repository,
// which may be empty. The zero Credential is anonymous. Files that are wrong and
// helpers that fail are errors; they name the file or the helper.
func (f *Finder) ForRegistry(ctx context.Context, registry, repository string) (Credential, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	key := canonical(registry) + "/" + repository
	if c, ok := f.found[key]; ok {
		return c, nil
	}
	c, err := f.find(ctx, canonical(registry), repository)
	if err != nil {
		return Credential{}, fmt.Errorf("credentials for %q: %w", registry, err)
	}
	f.found[key] = c
	return c, nil
}

func (f *Finder) find(ctx context.Context, registry, repository string) (Credential, error) {
	for _, name := range f.o.Helpers {
		var c Credential
		var err error
		if name == authFiles {
			c, err = f.inFiles(ctx, registry, repository)
		} else {
			c, err = f.ask(ctx, name, registry)
		}
		if err != nil || c != (Credential{}) {
			return c, err
		}
	}
	return Credential{}, nil
}

// inFiles asks the kinds and the files.
func (f *Finder) inFiles(ctx context.Context, registry, repository string) (Credential, error) {
	files := f.files()
	if f.o.AuthFile != "" {
		c, err := f.inFile(ctx, files[0], registry, repository)
		if err != nil || c != (Credential{}) {
			return c, err
		}
		files = nil
	}
	if a, ok := f.o.Config.Registries[registry]; ok {
		return Credential{Username: a.User, Password: string(a.Password), Source: a.File}, nil
	}
	for _, file := range files {
		c, err := f.inFile(ctx, file, registry, repository)
		if err != nil || c != (Credential{}) {
			return c, err
		}
	}
	return Credential{}, nil
}

// authFile is a file that may have credentials.
type authFile struct {
	path string
	// bare files have the entries at the top.
	bare bool
	// optional files need not be there.
	optional bool
}

// files are those to read, in their order.
func (f *Finder) files() []authFile {
	if f.o.AuthFile != "" {
		return []authFile{{path: f.o.AuthFile}}
	}
	var files []authFile
	// A relative directory would be the working directory's word.
	add := func(dir string, bare bool, below ...string) {
		if filepath.IsAbs(dir) {
			files = append(files, authFile{filepath.Join(append([]string{dir}, below...)...), bare, true})
		}
	}
	const auth = "auth.json"
	add(f.o.Getenv("XDG_RUNTIME_DIR"), false, "containers", auth)
	add("/run/containers", false, strconv.Itoa(os.Getuid()), auth)
	home := f.home()
	conf := f.o.Getenv("XDG_CONFIG_HOME")
	if conf == "" && home != "" {
		conf = filepath.Join(home, ".config")
	}
	add(conf, false, "containers", auth)
	docker := f.o.Getenv("DOCKER_CONFIG")
	if docker == "" && home != "" {
		docker = filepath.Join(home, ".docker")
	}
	add(docker, false, "config.json")
	add(home, true, ".dockercfg")
	return files
}

// home is where the user's files are. A service of the system has no HOME.
func (f *Finder) home() string {
	if home := f.o.Getenv("HOME"); home != "" {
		return home
	}
	u, err := user.Current()
	if err != nil {
		return ""
	}
	return u.HomeDir
}

// canonical is a registry as it is compared: in lower case, and Docker's by one of
// its names.
func canonical(registry string) string {
	switch registry = strings.ToLower(registry); registry {
	case "index.docker.io", "registry-1.docker.io":
		return dockerHub
	}
	return registry
}

const dockerHub = "docker.io"
