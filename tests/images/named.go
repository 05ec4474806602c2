package images

import (
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/appc/spec/schema/types"
	"golang.org/x/sys/unix"
)

// source is this package's own source: part of every recipe.
//
//go:embed *.go cmd inotify
var source embed.FS

// Tag is the tag of a named image in its layout.
const Tag = "latest"

// Names are the named images, each an OCI layout NAME in the cache; reloader is there as
// reloader.aci too.
func Names() []string { return []string{"busybox", "nginx", "shipper", "reloader"} }

// Named is a named image in the cache.
type Named struct {
	// Name is one of Names.
	Name string
	// Layout is the directory of its OCI layout, tagged Tag.
	Layout string
	// ACI is the file of its App Container Image, or "". Its signature is ACI + ".asc".
	ACI string
	// PublicKey is the file of the key that signed ACI, or "".
	PublicKey string
	// Digest is its manifest's.
	Digest string
	// Built says that this call built it.
	Built bool
	Image Image
}

// Ensure builds a named image into cache unless it is there with the same recipe.
func Ensure(ctx context.Context, cache, name string) (n Named, err error) {
	if !slices.Contains(Names(), name) {
		return Named{}, fmt.Errorf("make image %q: not one of %v", name, Names())
	}
	parent := filepath.Join(cache, "images")
	if err := os.MkdirAll(parent, 0o755); err != nil {
		return Named{}, fmt.Errorf("make image %s: %w", name, err)
	}
	unlock, err := lock(filepath.Join(parent, name+".lock"))
	if err != nil {
		return Named{}, fmt.Errorf("make image %s: %w", name, err)
	}
	defer unlock()

	key, err := recipe()
	if err != nil {
		return Named{}, fmt.Errorf("make image %s: %w", name, err)
	}
	n = Named{Name: name}
	dir := filepath.Join(parent, name+"-"+key)
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		if err := build(ctx, cache, name, dir); err != nil {
			return Named{}, fmt.Errorf("make image %s: %w", name, err)
		}
		n.Built = true
		if err := dropOld(parent, name, dir); err != nil {
			return Named{}, fmt.Errorf("make image %s: %w", name, err)
		}
	}
	n.Layout = filepath.Join(dir, "layout")
	if aci := filepath.Join(dir, name+".aci"); exists(aci) {
		n.ACI, n.PublicKey = aci, filepath.Join(dir, PublicKeyFile)
	}
	if n.Image, err = FromLayout(n.Layout, Tag); err != nil {
		return Named{}, err
	}
	n.Digest, err = n.Image.Digest()
	return n, err
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// recipe hashes what decides the named images: this source, the toolchain and busybox. Debian
// packages stay as first downloaded for as long as the cache does.
func recipe() (string, error) {
	h := sha256.New()
	fmt.Fprintln(h, runtime.Version(), runtime.GOARCH)
	err := fs.WalkDir(source, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasSuffix(path, "_test.go") {
			return err
		}
		b, err := source.ReadFile(path)
		fmt.Fprintln(h, path, len(b))
		h.Write(b)
		return err
	})
	if err != nil {
		return "", err
	}
	if path, err := exec.LookPath("busybox"); err == nil {
		b, err := os.ReadFile(path)
		if err != nil {
			return "", err
		}
		h.Write(b)
	}
	return hex.EncodeToString(h.Sum(nil))[:12], nil
}

func build(ctx context.Context, cache, name, dir string) (err error) {
	tmp := dir + ".new"
	if err := os.RemoveAll(tmp); err != nil {
		return err
	}
	if err := os.Mkdir(tmp, 0o755); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.RemoveAll(tmp))
		}
	}()
	b, err := builder(ctx, cache, name)
	if err != nil {
		return err
	}
	img, err := b.Image()
	if err != nil {
		return err
	}
	if err := img.Layout(filepath.Join(tmp, "layout"), Tag); err != nil {
		return err
	}
	if name == "reloader" {
		aci := filepath.Join(tmp, "reloader.aci")
		if err := writeReloaderACI(ctx, aci); err != nil {
			return err
		}
		if err := signOnce(ctx, aci); err != nil {
			return err
		}
	}
	return os.Rename(tmp, dir)
}

func builder(ctx context.Context, cache, name string) (Builder, error) {
	switch name {
	case "busybox":
		notify, err := Program(ctx, "notify")
		return Busybox().Layer(notify), err
	case "nginx":
		return Nginx(ctx, cache)
	}
	program, err := Program(ctx, name)
	b := Busybox().Layer(program)
	switch name {
	case "shipper":
		b = b.Entrypoint("/usr/bin/shipper").Cmd("/logs/access.log").Volumes("/logs")
	case "reloader":
		b = b.Entrypoint("/usr/bin/reloader")
	}
	return b, err
}

func writeReloaderACI(ctx context.Context, file string) error {
	program, err := Program(ctx, "reloader")
	if err != nil {
		return err
	}
	return ACI{
		Name: "example.com/reloader", Version: "1.0.0",
		App: &types.App{
			Exec: types.Exec{"/usr/bin/reloader"}, User: "0", Group: "0",
			Environment: types.Environment{{Name: "PATH", Value: "/usr/bin:/bin"}},
			MountPoints: []types.MountPoint{{Name: "conf", Path: "/etc/nginx/conf.d"}},
		},
		Annotations: map[string]string{"appc.io/executor/supports-systemd-notify": "true"},
		Files: append([]Entry{Dir("etc/nginx", 0o755), Dir("etc/nginx/conf.d", 0o755)},
			append(BusyboxFiles(), program)...),
	}.Write(file)
}

// signOnce signs a file with a key that nobody will have again, and leaves the public one
// beside it.
func signOnce(ctx context.Context, file string) error {
	s, err := NewSigner(ctx, "raket tests <tests@raket.invalid>")
	if err != nil {
		return err
	}
	err = s.Sign(ctx, file)
	if err == nil {
		err = os.WriteFile(filepath.Join(filepath.Dir(file), PublicKeyFile), s.PublicKey(), 0o644)
	}
	return errors.Join(err, s.Close())
}

// dropOld removes what older recipes made, and what a killed run left.
func dropOld(parent, name, keep string) error {
	old, err := filepath.Glob(filepath.Join(parent, name+"-*"))
	for _, o := range old {
		if o != keep {
			err = errors.Join(err, os.RemoveAll(o))
		}
	}
	return err
}

func lock(path string) (unlock func(), err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX); err != nil {
		return nil, errors.Join(fmt.Errorf("lock %s: %w", path, err), f.Close())
	}
	return func() { f.Close() }, nil
}
