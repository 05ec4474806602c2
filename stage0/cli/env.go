package cli

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/pflag"
	"golang.org/x/term"

	"github.com/raket/raket/stage0/config"
)

// env is the world as a verb sees it.
type env struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	// asRkt is set where the program was called by the name rkt.
	asRkt bool
	// terminal says that standard output is read by people.
	terminal bool
	now      func() time.Time
	globals
	services services
}

// globals are the flags of every verb.
type globals struct {
	debug bool
	// dir is empty where neither --dir nor its default was asked for.
	dir      string
	system   string
	local    string
	user     string
	insecure insecureOptions
	flags    *pflag.FlagSet
	// trustKeys is --trust-keys-from-https.
	trustKeys bool
}

const (
	defaultDataDir   = "/var/lib/raket"
	defaultSystemDir = "/usr/lib/raket"
	defaultLocalDir  = "/etc/raket"
)

// define makes the flag set. The same set is bound to the root command, so that
// a flag may stand on either side of the verb.
func (g *globals) define() {
	fs := pflag.NewFlagSet(program, pflag.ContinueOnError)
	fs.SetInterspersed(false)
	fs.SortFlags = true
	fs.Usage = func() {} // resolve has the help of the verb printed
	fs.BoolVar(&g.debug, "debug", false, "after an error, print what caused it as a tree")
	fs.StringVar(&g.dir, "dir", "", "keep images and pods in this `DIR` (default "+defaultDataDir+")")
	fs.StringVar(&g.system, "system-config", defaultSystemDir, "read the vendor's configuration in `DIR`")
	fs.StringVar(&g.local, "local-config", defaultLocalDir, "read this host's configuration in `DIR`")
	fs.StringVar(&g.user, "user-config", "", "read configuration in `DIR` too, above the others")
	fs.BoolVar(&g.trustKeys, "trust-keys-from-https", false, "trust keys that an image's site names, as they come by HTTPS, without asking")
	fs.Var(&g.insecure, "insecure-options", "leave out checks, a list of: "+insecureWords())
	g.flags = fs
}

// settings are what the services need to know.
type settings struct {
	// DataDir is where images and pods are kept; absolute.
	DataDir  string
	Config   config.Config
	Insecure insecureOptions
	Debug    bool
	Now      time.Time
	// ConfigDirs are the layers that Config was read from.
	ConfigDirs config.Dirs
	// TrustKeysFromHTTPS says that keys which are discovered are trusted
	// without anybody's looking at them.
	TrustKeysFromHTTPS bool
	// Stdin, Stdout and Stderr are the command's streams.
	Stdin          io.Reader
	Stdout, Stderr io.Writer
}

// settings reads the configuration.
func (e *env) settings() (settings, error) {
	dirs := config.Dirs{System: e.system, Local: e.local, User: e.user}
	cfg, err := config.Load(dirs)
	if err != nil {
		return settings{}, err
	}
	s := settings{
		DataDir: e.dir, Config: cfg, Insecure: e.insecure, Debug: e.debug, Now: e.now(),
		ConfigDirs: dirs, TrustKeysFromHTTPS: e.trustKeys,
		Stdin: e.stdin, Stdout: e.stdout, Stderr: e.stderr,
	}
	if s.DataDir == "" {
		s.DataDir = cfg.Paths.Data
	}
	if s.DataDir == "" {
		s.DataDir = defaultDataDir
	}
	s.DataDir, err = filepath.Abs(s.DataDir)
	return s, err
}

// service makes one of the services from the settings.
func service[T any](e *env, open func(settings) (T, error)) (T, error) {
	var none T
	if open == nil {
		return none, errNotBuilt
	}
	s, err := e.settings()
	if err != nil {
		return none, err
	}
	return open(s)
}

var errNotBuilt = errors.New("not supported by this build of raket")

func isTerminal(stream io.Writer) bool {
	f, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}
