package flavour

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"

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

// Find returns the stage1 to use, in the data directory.
func Find(ctx context.Context, r Request) (stageabi.Stage1, error) {
	if r.Image != nil {
		return fromImage(ctx, r)
	}
	dir, name := r.Dir, filepath.Base(r.Dir)
	if dir == "" {
		name = r.Name
		if name == "" {
			name = DefaultName
		}
		var err error
		if dir, err = search(name, r.SearchDirs); err != nil {
			return stageabi.Stage1{}, err
		}
	}
	src, err := stageabi.ReadStage1(name, dir)
	if err != nil {
		return src, err
	}
	for _, program := range src.Requires {
		if _, err := exec.LookPath(program); err != nil {
			return src, fmt.Errorf("stage1 %q needs %s, which is not installed%s", name, program, packageHint(program))
		}
	}
	return cached(r.DataDir, src)
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

// Dir is where copies are, in the data directory.
func Dir(dataDir string) string { return filepath.Join(dataDir, "stage1") }

// cached returns the copy of src, making it if need be.
func cached(dataDir string, src stageabi.Stage1) (stageabi.Stage1, error) {
	key, err := fingerprint(src.Dir)
	if err != nil {
		return src, err
	}
	dst := src
	dst.Dir = filepath.Join(Dir(dataDir), src.Name+"-"+key)
	return dst, publish(dataDir, dst.Dir, func(tmp string) error { return os.CopyFS(tmp, os.DirFS(src.Dir)) })
}

// fingerprint tells versions of a directory apart without reading its files.
func fingerprint(dir string) (string, error) {
	h := sha256.New()
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		var ino uint64
		if st, ok := info.Sys().(*syscall.Stat_t); ok {
			ino = st.Ino
		}
		fmt.Fprintf(h, "%s %d %d %d\n", path, info.Size(), info.ModTime().UnixNano(), ino)
		return nil
	})
	if err != nil {
		return "", fmt.Errorf("read stage1 image: %w", err)
	}
	return hex.EncodeToString(h.Sum(nil)[:12]), nil
}

// publish makes dir by filling a temporary directory and renaming it, unless it
// is there.
func publish(dataDir, dir string, fill func(tmp string) error) (err error) {
	if _, err := os.Stat(dir); err == nil {
		return nil
	}
	if err := os.MkdirAll(Dir(dataDir), 0o755); err != nil {
		return fmt.Errorf("copy stage1 image: %w", err)
	}
	tmp, err := os.MkdirTemp(Dir(dataDir), tempPrefix)
	if err != nil {
		return fmt.Errorf("copy stage1 image: %w", err)
	}
	// A collector leaves alone what somebody holds.
	lock, err := flock.Open(tmp)
	if err != nil {
		return errors.Join(err, os.RemoveAll(tmp))
	}
	defer func() { err = errors.Join(err, lock.Close()) }()
	if err = lock.Exclusive(); err == nil {
		err = fill(tmp)
	}
	if err == nil {
		err = os.Chmod(tmp, 0o755)
	}
	if err == nil {
		// The copy outlives power losses, and its name says it is whole.
		syscall.Sync()
		err = os.Rename(tmp, dir)
	}
	if err != nil {
		err = errors.Join(err, os.RemoveAll(tmp))
		if _, serr := os.Stat(dir); serr == nil {
			return nil // somebody else was faster
		}
		return fmt.Errorf("copy stage1 image: %w", err)
	}
	return nil
}

const tempPrefix = ".tmp-"

// fromImage unpacks an image of the store that is a stage1.
func fromImage(ctx context.Context, r Request) (stageabi.Stage1, error) {
	if r.Image.Kind != image.Appc {
		return stageabi.Stage1{}, fmt.Errorf("image %s is no stage1: stage1 images are ACIs", r.Image.Name())
	}
	name := "image-" + r.Image.ID.Encoded()[:24]
	dir := filepath.Join(Dir(r.DataDir), name)
	err := publish(r.DataDir, dir, func(tmp string) error {
		manifest, err := r.Store.Config(ctx, *r.Image)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(tmp, stageabi.Stage1ManifestFile), manifest, 0o644); err != nil {
			return err
		}
		rootfs := filepath.Join(tmp, "rootfs")
		if err := os.Mkdir(rootfs, 0o755); err != nil {
			return err
		}
		return r.Store.UnpackInto(ctx, rootfs, *r.Image)
	})
	if err != nil {
		return stageabi.Stage1{}, err
	}
	return stageabi.ReadStage1(r.Image.Name(), dir)
}

// Collect removes the copies that inUse does not name, and what was left half
// made.
func Collect(dataDir string, inUse map[string]bool) error {
	entries, err := os.ReadDir(Dir(dataDir))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("collect stage1 images: %w", err)
	}
	var errs []error
	for _, e := range entries {
		dir := filepath.Join(Dir(dataDir), e.Name())
		if inUse[dir] {
			continue
		}
		l, err := flock.Open(dir)
		if err != nil {
			continue
		}
		if ok, err := l.TryExclusive(); ok && err == nil {
			errs = append(errs, os.RemoveAll(dir))
		}
		errs = append(errs, l.Close())
	}
	return errors.Join(errs...)
}
