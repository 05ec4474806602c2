package flavour

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/raket/raket/pkg/atomicfile"
	"github.com/raket/raket/pkg/flock"
	"github.com/raket/raket/pkg/image"
	"github.com/raket/raket/pkg/stageabi"
)

// Dir is where copies are, in the data directory.
func Dir(dataDir string) string { return filepath.Join(dataDir, "stage1") }

// tempPrefix begins the names of copies that are not whole: not yet, or not any
// more.
const tempPrefix = ".tmp-"

// imagePrefix begins the names of stage1 images that were unpacked.
const imagePrefix = "image-"

// fromDir returns the copy of src, making it if need be.
func fromDir(dataDir string, src stageabi.Stage1) (stageabi.Stage1, *flock.Lock, error) {
	key, err := fingerprint(src.Dir)
	if err != nil {
		return src, nil, err
	}
	dst := src
	dst.Dir = filepath.Join(Dir(dataDir), src.Name+"-"+key)
	lock, err := obtain(dst.Dir, func(tmp string) error {
		if err := copyTree(tmp, src.Dir); err != nil {
			return err
		}
		if now, err := fingerprint(src.Dir); err != nil || now != key {
			return errors.Join(fmt.Errorf("%s changed while it was copied", src.Dir), err)
		}
		return nil
	})
	if err == nil {
		now := time.Now()
		if err = os.Chtimes(dst.Dir, now, now); err != nil {
			err = errors.Join(err, lock.Close())
		}
	}
	return dst, lock, err
}

// latest are the names, in the data directory, of the copies that were used last, one
// of each flavour that is installed as a directory.
func latest(entries []fs.DirEntry) map[string]bool {
	type use struct {
		name string
		at   time.Time
	}
	last := map[string]use{}
	for _, e := range entries {
		name := e.Name()
		i := strings.LastIndexByte(name, '-')
		if i < 0 || strings.HasPrefix(name, tempPrefix) || strings.HasPrefix(name, imagePrefix) {
			continue
		}
		info, err := e.Info()
		if err != nil {
			continue // collected by another
		}
		if u, ok := last[name[:i]]; !ok || info.ModTime().After(u.at) {
			last[name[:i]] = use{name, info.ModTime()}
		}
	}
	names := map[string]bool{}
	for _, u := range last {
		names[u.name] = true
	}
	return names
}

// fromImage unpacks an image of the store that is a stage1.
func fromImage(ctx context.Context, r Request) (stageabi.Stage1, *flock.Lock, error) {
	var s stageabi.Stage1
	if r.Image.Kind != image.Appc {
		return s, nil, fmt.Errorf("image %s is no stage1: stage1 images are ACIs", r.Image.Name())
	}
	dir := filepath.Join(Dir(r.DataDir), imagePrefix+r.Image.ID.Encoded()[:24])
	lock, err := obtain(dir, func(tmp string) error { return unpack(ctx, r, tmp) })
	if err != nil {
		return s, nil, err
	}
	if s, err = stageabi.ReadStage1(r.Image.Name(), dir); err == nil {
		err = checkRequired(s)
	}
	if err != nil {
		return s, nil, errors.Join(err, lock.Close())
	}
	return s, lock, nil
}

func unpack(ctx context.Context, r Request, dir string) error {
	manifest, err := r.Store.Config(ctx, *r.Image)
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, stageabi.Stage1ManifestFile), manifest, 0o644); err != nil {
		return err
	}
	rootfs := filepath.Join(dir, "rootfs")
	if err := os.Mkdir(rootfs, 0o755); err != nil {
		return err
	}
	if err := r.Store.UnpackInto(ctx, rootfs, *r.Image); err != nil {
		return err
	}
	// An image may have thousands of files.
	return syncFS(dir)
}

func syncFS(dir string) (err error) {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	return unix.Syncfs(int(f.Fd()))
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
		fmt.Fprintf(h, "%s %v %d %d %d\n", path, info.Mode(), info.Size(), info.ModTime().UnixNano(), ino)
		return nil
	})
	if err != nil {
		return "", fmt.Errorf("read stage1 image: %w", err)
	}
	return hex.EncodeToString(h.Sum(nil)[:12]), nil
}

// obtain returns a shared lock on dir. Where there is no dir, fill makes its
// content, on the disk, in a temporary directory that is then renamed.
func obtain(dir string, fill func(tmp string) error) (*flock.Lock, error) {
	for {
		lock, err := hold(dir)
		if err == nil {
			return lock, nil
		}
		if errors.Is(err, fs.ErrNotExist) {
			if lock, err = publish(dir, fill); lock != nil {
				return lock, nil
			}
		}
		if err != nil {
			return nil, fmt.Errorf("copy stage1 image: %w", err)
		}
	}
}

// hold locks dir against removal. The error wraps fs.ErrNotExist if it is not
// there, or not any more.
func hold(dir string) (*flock.Lock, error) {
	lock, err := flock.Open(dir)
	if err != nil {
		return nil, err
	}
	err = lock.Shared()
	here := false
	if err == nil {
		here, err = lock.Is(dir)
	}
	if err == nil && !here {
		err = fs.ErrNotExist
	}
	if err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	return lock, nil
}

// publish makes dir. Without lock and error somebody else was faster, with dir or
// with the removal of what looked left behind.
func publish(dir string, fill func(tmp string) error) (*flock.Lock, error) {
	parent := filepath.Dir(dir)
	if err := os.MkdirAll(parent, 0o755); err != nil {
		return nil, err
	}
	tmp, err := os.MkdirTemp(parent, tempPrefix)
	if err != nil {
		return nil, err
	}
	// A collector leaves alone what somebody holds.
	lock, err := hold(tmp)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err == nil {
		err = fill(tmp)
	}
	if err == nil {
		err = errors.Join(os.Chmod(tmp, 0o755), atomicfile.SyncDir(tmp))
	}
	if err == nil {
		if err = os.Rename(tmp, dir); err == nil {
			return lock, atomicfile.SyncDir(parent)
		}
		if errors.Is(err, fs.ErrExist) || errors.Is(err, syscall.ENOTEMPTY) {
			err = nil
		}
	}
	if lock != nil {
		err = errors.Join(err, lock.Close())
	}
	return nil, errors.Join(err, os.RemoveAll(tmp))
}

// Collect removes the copies that no pod uses, and what was left half made. Of a
// flavour that is installed as a directory it keeps the copy that was used last: the
// next pod would make it again, which costs as much as half of a pod's start.
// inUse returns the directories of the stage1 images of all pods; it is called
// when nobody can begin to use what is to be removed.
func Collect(dataDir string, inUse func() (map[string]bool, error)) (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("collect stage1 images: %w", err)
		}
	}()
	entries, err := os.ReadDir(Dir(dataDir))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	var free []*flock.Lock
	defer func() {
		for _, l := range free {
			err = errors.Join(err, l.Close())
		}
	}()
	for _, e := range entries {
		l, err := flock.Open(filepath.Join(Dir(dataDir), e.Name()))
		if err != nil {
			continue // collected by another, or not ours to touch
		}
		if ok, err := l.TryExclusive(); !ok || err != nil {
			_ = l.Close()
			continue
		}
		free = append(free, l)
	}
	if len(free) == 0 {
		return nil
	}
	used, err := inUse()
	if err != nil {
		return err
	}
	// The same directory may have several names; its last part tells enough.
	names := latest(entries)
	for dir := range used {
		names[filepath.Base(dir)] = true
	}
	var errs []error
	for _, l := range free {
		if !names[filepath.Base(l.Path())] {
			errs = append(errs, discard(l))
		}
	}
	return errors.Join(errs...)
}

// discard removes a copy. Half removed it has a name that says so.
func discard(l *flock.Lock) error {
	here, err := l.Is(l.Path())
	if err != nil || !here {
		return err
	}
	tmp, err := os.MkdirTemp(filepath.Dir(l.Path()), tempPrefix)
	if err != nil {
		return err
	}
	err = os.Rename(l.Path(), filepath.Join(tmp, "gone"))
	if errors.Is(err, fs.ErrNotExist) {
		err = nil // another collector took tmp for a remainder: the next one will do
	}
	return errors.Join(err, os.RemoveAll(tmp))
}
