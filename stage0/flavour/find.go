package flavour

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/raket/raket/pkg/flock"
	"github.com/raket/raket/pkg/image"
	"github.com/raket/raket/pkg/imagestore"
	"github.com/raket/raket/pkg/stageabi"
)

// DefaultName is the flavour where nobody chose another.
const DefaultName = "nspawn"

// Request says which flavour; of Name, Dir and Image at most one is set.
type Request struct {
	DataDir string // raket's data directory, absolute
	Name    string // looked for in SearchDirs
	Dir     string // a directory with manifest and rootfs
	// Image is one in the store that is a stage1.
	Image *image.Image
	Store *imagestore.Store
	// SearchDirs hold flavours by name; the first that has it wins.
	SearchDirs []string
}

// SearchDirs returns where installed flavours are: the configured directory if
// any, then beside this program as built, as installed, and the system's.
func SearchDirs(configured string) []string {
	var dirs []string
	if configured != "" {
		dirs = append(dirs, configured)
	}
	if self, err := os.Executable(); err == nil {
		if real, err := filepath.EvalSymlinks(self); err == nil {
			self = real
		}
		bin := filepath.Dir(self)
		dirs = append(dirs, filepath.Join(bin, "stage1"), filepath.Join(filepath.Dir(bin), "lib", "raket", "stage1"))
	}
	return append(dirs, "/usr/lib/raket/stage1")
}

// Find returns the stage1 to use, in the data directory. The lock keeps it from
// being collected: the caller closes it when a pod that uses it is described.
func Find(ctx context.Context, r Request) (stageabi.Stage1, *flock.Lock, error) {
	if r.Image != nil {
		return fromImage(ctx, r)
	}
	src, err := installed(r)
	if err != nil {
		return src, nil, err
	}
	if err := checkRequired(src); err != nil {
		return src, nil, err
	}
	return fromDir(r.DataDir, src)
}

// installed reads the manifest of the flavour that was asked for, where it is
// installed.
func installed(r Request) (stageabi.Stage1, error) {
	if r.Dir != "" {
		dir, err := filepath.Abs(r.Dir)
		if err != nil {
			return stageabi.Stage1{}, err
		}
		return stageabi.ReadStage1(filepath.Base(dir), dir)
	}
	name := r.Name
	if name == "" {
		name = DefaultName
	}
	dir, err := search(name, r.SearchDirs)
	if err != nil {
		return stageabi.Stage1{}, err
	}
	return stageabi.ReadStage1(name, dir)
}

func checkRequired(s stageabi.Stage1) error {
	for _, program := range s.Requires {
		if _, err := exec.LookPath(program); err != nil {
			return fmt.Errorf("stage1 %q needs %s, which is not installed%s", s.Name, program, packageHint(program))
		}
	}
	return nil
}

// packageHint names the Debian package of a program that flavours of ours need.
func packageHint(program string) string {
	if program == "systemd-nspawn" {
		return " (Debian: apt install systemd-container; or run one app without isolation: --stage1-name=fly)"
	}
	return ""
}

func search(name string, dirs []string) (string, error) {
	if name != filepath.Base(name) || strings.HasPrefix(name, ".") {
		return "", fmt.Errorf("%q is not the name of a stage1", name)
	}
	for _, d := range dirs {
		dir := filepath.Join(d, name)
		if _, err := os.Stat(filepath.Join(dir, stageabi.Stage1ManifestFile)); err == nil {
			return dir, nil
		}
	}
	return "", fmt.Errorf("no stage1 %q in %s", name, strings.Join(dirs, ", "))
}
