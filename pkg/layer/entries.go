package layer

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/raket/raket/pkg/ownoutput"
)

// writebackBytes is the size from which a file's bytes are sent to the disk at
// once, so that the sync at the end of an image finds little left to do.
const writebackBytes = 1 << 20

// file writes a regular file: in the common case an open, a write, a futimens
// and a close.
func (a *applier) file(parent int, name, base string, hdr *tar.Header, r io.Reader) error {
	if a.left -= hdr.Size; hdr.Size < 0 || a.left < 0 {
		return errors.New("its files are larger than the limit allows")
	}
	const flags = unix.O_CREAT | unix.O_EXCL | unix.O_WRONLY | unix.O_NOFOLLOW | unix.O_CLOEXEC
	mode := uint32(hdr.Mode & 0o7777)
	fd, err := unix.Openat(parent, base, flags, mode&0o777)
	if errors.Is(err, unix.EEXIST) {
		if _, err := a.clear(parent, name, base, false); err != nil {
			return err
		}
		fd, err = unix.Openat(parent, base, flags, mode&0o777)
	}
	if err != nil {
		return err
	}
	a.made(name)
	var config bytes.Buffer
	if !a.stats.OpensOutput && hdr.Size <= maxConfigBytes && isConfig(name) {
		r = io.TeeReader(r, &config)
	}
	err = a.fill(fd, r, hdr.Size)
	if err == nil {
		a.stats.OpensOutput = a.stats.OpensOutput || ownoutput.InConfig(config.Bytes())
		var attrs map[string]string
		if attrs, err = a.xattrs(hdr); err == nil {
			err = a.root.finishFile(fd, mode, hdr.Uid, hdr.Gid, timespec(hdr.ModTime), attrs)
		}
	}
	a.stats.Bytes += hdr.Size
	return errors.Join(err, unix.Close(fd))
}

// maxConfigBytes is how large a file may be that is read as a configuration.
const maxConfigBytes = 256 << 10

// isConfig reports whether a file, by its name, configures a program of the image.
func isConfig(name string) bool {
	if strings.HasPrefix(name, "usr/share/") || strings.Contains(name, "node_modules/") {
		return false // documents and examples, mostly
	}
	switch path.Ext(name) {
	case ".conf", ".cnf", ".cfg", ".config", ".ini", ".inc", ".json", ".properties", ".toml", ".xml", ".yaml", ".yml":
		return true
	}
	return false
}

func (a *applier) fill(fd int, r io.Reader, size int64) error {
	for left := size; left > 0; {
		n, err := r.Read(a.buf[:min(left, int64(len(a.buf)))])
		for off := 0; off < n; {
			m, werr := unix.Write(fd, a.buf[off:n])
			if errors.Is(werr, unix.EINTR) {
				continue
			}
			if werr != nil {
				return werr
			}
			off += m
		}
		left -= int64(n)
		if err != nil && (left > 0 || !errors.Is(err, io.EOF)) {
			return err
		}
	}
	if size >= writebackBytes {
		// Advice: a file system that has no such thing loses nothing.
		_ = unix.SyncFileRange(fd, 0, 0, unix.SYNC_FILE_RANGE_WRITE)
	}
	return nil
}

// make makes a symbolic link or a FIFO by do.
func (a *applier) make(parent int, name, base string, hdr *tar.Header, do func() error) error {
	err := do()
	if errors.Is(err, unix.EEXIST) {
		if _, err := a.clear(parent, name, base, false); err != nil {
			return err
		}
		err = do()
	}
	if err != nil {
		return err
	}
	a.made(name)
	if hdr.Uid != a.root.uid || hdr.Gid != a.root.gid {
		if err := unix.Fchownat(parent, base, hdr.Uid, hdr.Gid, unix.AT_SYMLINK_NOFOLLOW); err != nil {
			return err
		}
	}
	if mode := uint32(hdr.Mode & 0o7777); hdr.Typeflag == tar.TypeFifo && (mode&^0o777 != 0 || mode&a.root.umask != 0) {
		// It was made just now, and nobody else is here: it is no link.
		if err := unix.Fchmodat(parent, base, mode, 0); err != nil {
			return err
		}
	}
	ts := []unix.Timespec{timespec(hdr.ModTime), timespec(hdr.ModTime)}
	return unix.UtimesNanoAt(parent, base, ts, unix.AT_SYMLINK_NOFOLLOW)
}

// hardlink links to what this layer holds already.
func (a *applier) hardlink(parent int, name, base string, hdr *tar.Header) error {
	refuse := func(format string, args ...any) error {
		return &EntryError{Name: hdr.Name, Reason: fmt.Sprintf(format, args...)}
	}
	target, ok, err := treeName(hdr.Linkname, a.kind)
	if err != nil || !ok || target == "" {
		return refuse("it links to %s, which is no file of the layer", quoteName(hdr.Linkname))
	}
	if target == name {
		return refuse("it links to itself")
	}
	targetDir, targetBase := split(target)
	// The target's directory may be the cached parent; opening it must not
	// close that.
	from, err := a.root.openDir(targetDir)
	if err == nil {
		defer unix.Close(from)
		if a.isWhiteout(from, targetBase) {
			return refuse("it links to %s, which the layer does not have", quoteName(hdr.Linkname))
		}
		link := func() error { return unix.Linkat(from, targetBase, parent, base, 0) }
		err = link()
		if errors.Is(err, unix.EEXIST) {
			var a0, b0 unix.Stat_t
			if unix.Fstatat(from, targetBase, &a0, unix.AT_SYMLINK_NOFOLLOW) == nil &&
				unix.Fstatat(parent, base, &b0, unix.AT_SYMLINK_NOFOLLOW) == nil && a0.Ino == b0.Ino {
				return nil
			}
			if _, err := a.clear(parent, name, base, false); err != nil {
				return err
			}
			err = link()
		}
	}
	switch {
	case errors.Is(err, unix.ENOENT), errors.Is(err, unix.ENOTDIR):
		return refuse("it links to %s, which the layer does not have", quoteName(hdr.Linkname))
	case errors.Is(err, unix.EPERM):
		return refuse("it links to %s, which is a directory", quoteName(hdr.Linkname))
	case err != nil:
		return err
	}
	a.made(name)
	return nil
}

// whiteout hides what lower layers have at dir/hidden. What this layer has
// there itself stays visible (image-spec, "Whiteouts").
func (a *applier) whiteout(dir, hidden string) error {
	name := hidden
	if dir != "" {
		name = dir + "/" + hidden
	}
	parent, err := a.parent(dir)
	if err != nil {
		return err
	}
	if a.flat {
		clear(a.settled)
		return a.erase(dir, hidden, name)
	}
	err = unix.Mknodat(parent, hidden, unix.S_IFCHR, 0)
	if err == nil {
		// A time that doesn't depend on when it was unpacked.
		return unix.UtimesNanoAt(parent, hidden, make([]unix.Timespec, 2), unix.AT_SYMLINK_NOFOLLOW)
	}
	if !errors.Is(err, unix.EEXIST) {
		return err
	}
	var st unix.Stat_t
	if err := unix.Fstatat(parent, hidden, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return err
	}
	if st.Mode&unix.S_IFMT == unix.S_IFDIR {
		return setOpaque(parent, hidden)
	}
	return nil
}

// opaque hides everything lower layers have in dir.
func (a *applier) opaque(dir string) error {
	fd, err := a.parent(dir)
	if err != nil {
		return err
	}
	if !a.flat {
		if dir == "" {
			return a.root.setRootOpaque()
		}
		up, base := split(dir)
		if fd, err = a.parent(up); err != nil {
			return err
		}
		return setOpaque(fd, base)
	}
	names, err := readNames(fd)
	if err != nil {
		return err
	}
	for _, base := range names {
		name := strings.TrimPrefix(dir+"/"+base, "/")
		if err := a.erase(dir, base, name); err != nil {
			return err
		}
	}
	return nil
}

// erase removes what lower layers put at name, in a flat tree.
func (a *applier) erase(dir, base, name string) error {
	if _, own := a.created[name]; own {
		// Directories of this layer keep what this layer put into them.
		fd, err := a.root.dir(name)
		if err != nil {
			return nil //nolint:nilerr // no directory: it is this layer's own file
		}
		names, err := readNames(fd)
		if err != nil {
			return err
		}
		for _, child := range names {
			if err := a.erase(name, child, name+"/"+child); err != nil {
				return err
			}
		}
		return nil
	}
	if _, err := a.root.dir(dir); err != nil {
		return nil //nolint:nilerr // nothing there, nothing to hide
	}
	a.root.flush()
	parent, err := a.root.dir(dir)
	if err != nil {
		return err
	}
	if err := removeTree(parent, base); err != nil && !errors.Is(err, unix.ENOENT) {
		return err
	}
	return nil
}

func timespec(t time.Time) unix.Timespec {
	if t.IsZero() {
		t = time.Unix(0, 0)
	}
	return unix.Timespec{Sec: t.Unix(), Nsec: int64(t.Nanosecond())}
}
