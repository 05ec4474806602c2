package layer

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"path"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/raket/raket/pkg/image"
	"github.com/raket/raket/pkg/ownoutput"
)

// applier writes the entries of one tar below a directory.
type applier struct {
	root    *root
	kind    image.Kind
	flat    bool
	buf     []byte
	dirs    dirLog              // described directories, finished last
	implied map[string]struct{} // directories not described (yet)
	// impliedLeft is how many more bytes implied may take.
	impliedLeft int
	created     map[string]struct{} // what this layer made; only kept when flat
	settled     map[string]struct{} // what settle has seen
	entries     int64
	left        int64 // bytes of files still allowed
	stats       Stats
}

const (
	// typeRegA is a regular file in archives older than POSIX.
	typeRegA = 0
	// maxImpliedBytes bounds what is remembered of implied directories: some
	// 80,000 of them.
	maxImpliedBytes = 8 << 20
	impliedBytes    = 48 // of one, besides its name
)

// applyTar unpacks the archive r below dst, up to maxBytes of files.
func applyTar(ctx context.Context, r io.Reader, dst string, kind image.Kind, maxBytes int64, opts Options) (_ Stats, err error) {
	rt, err := openRoot(dst)
	if err != nil {
		return Stats{}, err
	}
	defer rt.close()
	a := &applier{
		root: rt, kind: kind, flat: opts.Flat, buf: make([]byte, 256<<10),
		dirs: dirLog{dst: dst}, implied: map[string]struct{}{}, impliedLeft: maxImpliedBytes,
		entries: opts.Limits.entries(), left: maxBytes,
	}
	defer func() { err = errors.Join(err, a.dirs.close()) }()
	if a.flat {
		a.created, a.settled = map[string]struct{}{}, map[string]struct{}{}
		rt.linked = true // by lower layers, perhaps
	}
	tr := tar.NewReader(r)
	for {
		hdr, err := tr.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return Stats{}, fmt.Errorf("read tar: %w", err)
		}
		if err := ctx.Err(); err != nil {
			return Stats{}, err
		}
		if err := a.entry(hdr, tr); err != nil {
			return Stats{}, err
		}
	}
	if err := a.finishDirs(); err != nil {
		return Stats{}, err
	}
	a.stats.Implied = slices.Sorted(maps.Keys(a.implied))
	return a.stats, nil
}

// count charges one more inode or link.
func (a *applier) count() error {
	if a.entries--; a.entries < 0 {
		return errors.New("layer has more entries than the limit allows")
	}
	a.stats.Entries++
	return nil
}

// entry writes one entry. What is wrong with the entry comes back as an
// *EntryError, what is wrong with the disk as a *fs.PathError-like error.
func (a *applier) entry(hdr *tar.Header, r io.Reader) error {
	if hdr.Typeflag == tar.TypeXGlobalHeader {
		return nil
	}
	a.root.closeRetired()
	refuse := func(err error) error { return &EntryError{Name: hdr.Name, Reason: err.Error()} }
	name, ok, err := treeName(hdr.Name, a.kind)
	if err != nil {
		return refuse(err)
	}
	if !ok {
		return nil
	}
	if hdr.Uid < 0 || hdr.Gid < 0 || hdr.Uid >= 1<<32-1 || hdr.Gid >= 1<<32-1 {
		return refuse(fmt.Errorf("owner %d:%d is out of range", hdr.Uid, hdr.Gid))
	}
	if err := a.count(); err != nil {
		return err
	}
	dir, base := split(name)
	if a.kind == image.OCI {
		if err := checkParents(dir); err != nil {
			return refuse(err)
		}
		hidden, opaque, skip, err := whiteout(base)
		switch {
		case err != nil:
			return refuse(err)
		case skip:
			return nil
		case opaque:
			return a.wrap(hdr, a.opaque(dir))
		case hidden != "":
			return a.wrap(hdr, a.whiteout(dir, hidden))
		}
	}
	switch hdr.Typeflag {
	case tar.TypeChar, tar.TypeBlock:
		a.stats.Devices++
		return nil
	case tar.TypeDir:
		return a.wrap(hdr, a.directory(name, hdr))
	}
	if base == "" {
		return refuse(errors.New("the root of a layer must be a directory"))
	}
	parent, err := a.parent(dir)
	if err != nil {
		return a.wrap(hdr, err)
	}
	switch hdr.Typeflag {
	case tar.TypeReg, typeRegA, tar.TypeCont, tar.TypeGNUSparse:
		err = a.file(parent, name, base, hdr, r)
	case tar.TypeLink:
		err = a.hardlink(parent, name, base, hdr)
	case tar.TypeSymlink:
		if hdr.Linkname == "" {
			return refuse(errors.New("it is a symbolic link to nothing"))
		}
		a.root.linked = true
		err = a.make(parent, name, base, hdr, func() error {
			return unix.Symlinkat(hdr.Linkname, parent, base)
		})
		if ownoutput.Is(hdr.Linkname) && !strings.HasPrefix(name, "dev/") {
			a.stats.OpensOutput = true
		}
	case tar.TypeFifo:
		err = a.make(parent, name, base, hdr, func() error {
			return unix.Mknodat(parent, base, unix.S_IFIFO|uint32(hdr.Mode&0o777), 0)
		})
	default:
		return refuse(fmt.Errorf("unknown entry type %q", hdr.Typeflag))
	}
	return a.wrap(hdr, err)
}

// wrap names the entry in an error. Errors of the tree's shape, which only the
// entry can have caused, become an *EntryError.
func (a *applier) wrap(hdr *tar.Header, err error) error {
	var entry *EntryError
	var attr *attrError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &entry):
		return err
	case errors.As(err, &attr):
		return &EntryError{Name: hdr.Name, Reason: attr.Error()}
	case errors.Is(err, unix.ENOTDIR), errors.Is(err, unix.ELOOP), errors.Is(err, unix.ENAMETOOLONG), errors.Is(err, unix.EISDIR):
		return &EntryError{Name: hdr.Name, Reason: err.Error()}
	}
	return fmt.Errorf("write entry %s: %w", quoteName(hdr.Name), err)
}

// parent opens dir, making it and its parents where they are missing.
func (a *applier) parent(dir string) (int, error) {
	if a.flat {
		if err := a.settle(dir); err != nil {
			return -1, err
		}
	}
	fd, err := a.root.dir(dir)
	missing := errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENOTDIR)
	if !missing || dir == "" {
		return fd, err
	}
	up, base := split(dir)
	upFd, err := a.parent(up)
	if err != nil {
		return -1, err
	}
	if err := a.count(); err != nil {
		return -1, err
	}
	err = unix.Mkdirat(upFd, base, 0o755)
	hidden := errors.Is(err, unix.EEXIST) && a.isWhiteout(upFd, base)
	if hidden {
		if err := unix.Unlinkat(upFd, base, 0); err != nil {
			return -1, err
		}
		err = unix.Mkdirat(upFd, base, 0o755)
	}
	if errors.Is(err, unix.EEXIST) {
		err = fmt.Errorf("%s is a file, or a symbolic link to nothing: %w", quoteName(dir), unix.ENOTDIR)
	}
	if err == nil && hidden {
		err = setOpaque(upFd, base)
	}
	if err != nil {
		return -1, err
	}
	a.made(dir)
	if a.impliedLeft -= len(dir) + impliedBytes; a.impliedLeft < 0 {
		return -1, errors.New("the layer lacks the entries of too many directories")
	}
	a.implied[dir] = struct{}{}
	return a.root.dir(dir)
}

// settle makes a directory of what a lower layer has at dir, or on the way to
// it, where that is something else: as in an overlay, a layer's entries never go
// through a link that is not its own. Flat only.
func (a *applier) settle(dir string) error {
	if _, ok := a.settled[dir]; ok || dir == "" {
		return nil
	}
	up, base := split(dir)
	if err := a.settle(up); err != nil {
		return err
	}
	fd, err := a.root.dir(up)
	if err != nil {
		return nil //nolint:nilerr // parent makes it, or says why not
	}
	var st unix.Stat_t
	if err := unix.Fstatat(fd, base, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return nil //nolint:nilerr // the same
	}
	if _, own := a.created[dir]; !own && st.Mode&unix.S_IFMT != unix.S_IFDIR {
		a.root.retire()
		if err := unix.Unlinkat(fd, base, 0); err != nil {
			return err
		}
		return nil // parent makes the directory
	}
	a.settled[dir] = struct{}{}
	return nil
}

// isWhiteout reports a whiteout made here. Image devices are never made, so a
// character device is one of ours.
func (a *applier) isWhiteout(parent int, base string) bool {
	var st unix.Stat_t
	err := unix.Fstatat(parent, base, &st, unix.AT_SYMLINK_NOFOLLOW)
	return err == nil && !a.flat && st.Mode&unix.S_IFMT == unix.S_IFCHR
}

func (a *applier) made(name string) {
	if a.created != nil {
		a.created[name] = struct{}{}
	}
}

func (a *applier) directory(name string, hdr *tar.Header) error {
	meta := dirMeta{
		mode: uint32(hdr.Mode & 0o7777), uid: hdr.Uid, gid: hdr.Gid,
		mtime: timespec(hdr.ModTime),
	}
	var err error
	if meta.xattrs, err = a.xattrs(hdr); err != nil {
		return err
	}
	if name != "" {
		dir, base := split(name)
		parent, err := a.parent(dir)
		if err != nil {
			return err
		}
		err = unix.Mkdirat(parent, base, meta.mode&0o777)
		if errors.Is(err, unix.EEXIST) {
			var hidden bool
			if hidden, err = a.clear(parent, name, base, true); err != nil {
				return err
			}
			if err = unix.Mkdirat(parent, base, meta.mode&0o777); errors.Is(err, unix.EEXIST) {
				err = nil // it was, and is, a directory
				_, implied := a.implied[name]
				meta.again = !implied
			}
			if err == nil && hidden {
				err = setOpaque(parent, base)
			}
		}
		if err != nil {
			return err
		}
	}
	a.made(name)
	if _, ok := a.implied[name]; ok {
		delete(a.implied, name)
		a.impliedLeft += len(name) + impliedBytes
	}
	return a.dirs.add(name, meta)
}

// clear makes way for a new entry. An existing directory stays where the new
// entry is one too. It reports whether it removed a whiteout, which hides what
// lower layers have there.
func (a *applier) clear(parent int, name, base string, forDir bool) (bool, error) {
	var st unix.Stat_t
	if err := unix.Fstatat(parent, base, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return false, err
	}
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFDIR:
		if forDir {
			return false, nil
		}
		clear(a.settled)
		if err := a.forget(name); err != nil {
			return false, err
		}
		a.root.retire()
		return false, removeTree(parent, base)
	case unix.S_IFLNK:
		a.root.retire()
	}
	return !a.flat && st.Mode&unix.S_IFMT == unix.S_IFCHR, unix.Unlinkat(parent, base, 0)
}

// forget drops what was to be done to directories that are gone.
func (a *applier) forget(name string) error {
	for dir := range a.implied {
		if dir == name || strings.HasPrefix(dir, name+"/") {
			delete(a.implied, dir)
			a.impliedLeft += len(dir) + impliedBytes
		}
	}
	return a.dirs.remove(name)
}

// finishDirs sets what later entries would have disturbed.
func (a *applier) finishDirs() error {
	for _, name := range slices.Sorted(maps.Keys(a.implied)) {
		if a.flat {
			break
		}
		// Times that don't depend on when it was unpacked.
		if err := a.root.finishDir(name, dirMeta{mode: 0o755}); err != nil {
			return fmt.Errorf("write entry %s: %w", quoteName(name), err)
		}
	}
	return a.dirs.each(func(name string, meta dirMeta) error {
		if err := a.root.finishDir(name, meta); err != nil {
			return a.wrap(&tar.Header{Name: name}, err)
		}
		return nil
	})
}

func split(name string) (dir, base string) {
	dir, base = path.Split(name)
	return strings.TrimSuffix(dir, "/"), base
}
