package tree

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// How is a way in which a file differs from what its layer says.
type How string

// The ways.
const (
	Missing  How = "missing"
	Extra    How = "extra"
	Kind     How = "type"
	Content  How = "content"
	Mode     How = "mode"
	Owner    How = "owner"
	Time     How = "time"
	Xattr    How = "xattr"     // an extended attribute
	HardLink How = "hard link" // which names are one file
)

// Difference is one way in which one file differs. Of a directory that is
// missing or extra what it holds is not reported.
type Difference struct {
	// Path is relative to the tree; any bytes. "." is the tree's root, ""
	// the tree itself.
	Path string
	How  How
	// Beside is set where the file belongs to the tree without being in it.
	Beside bool
}

// comparer walks two trees by names below their roots. Both are out of reach of
// all but root, so no name leads elsewhere between two looks.
type comparer struct {
	ctx       context.Context // of one compare
	want, got int             // descriptors of the roots
	report    func(Difference)
	links     map[uint64]uint64 // by inode in want: what it is in got
	linked    map[uint64]bool   // inodes of got that are in links
	buf       [2][]byte
}

func compare(ctx context.Context, want, got string, report func(Difference)) (err error) {
	const flags = unix.O_RDONLY | unix.O_DIRECTORY | unix.O_NOFOLLOW | unix.O_CLOEXEC
	c := &comparer{ctx: ctx, report: report, links: map[uint64]uint64{}, linked: map[uint64]bool{}}
	if c.want, err = unix.Open(want, flags, 0); err != nil {
		return &os.PathError{Op: "open", Path: want, Err: err}
	}
	defer unix.Close(c.want)
	if c.got, err = unix.Open(got, flags, 0); err != nil {
		if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENOTDIR) || errors.Is(err, unix.ELOOP) {
			report(Difference{Path: ".", How: Missing})
			return nil
		}
		return &os.PathError{Op: "open", Path: got, Err: err}
	}
	defer unix.Close(c.got)
	const bufBytes = 128 << 10
	c.buf = [2][]byte{make([]byte, bufBytes), make([]byte, bufBytes)}
	if err := c.file("."); err != nil {
		return err
	}
	return c.directory(".")
}

// directory compares what is in a directory that both have.
func (c *comparer) directory(dir string) error {
	want, err := names(c.want, dir)
	if err != nil {
		return err
	}
	got, err := names(c.got, dir)
	if err != nil {
		return err
	}
	for len(want) > 0 || len(got) > 0 {
		if err := c.ctx.Err(); err != nil {
			return err
		}
		switch {
		case len(got) == 0 || len(want) > 0 && want[0] < got[0]:
			c.report(Difference{Path: path.Join(dir, want[0]), How: Missing})
			want = want[1:]
			continue
		case len(want) == 0 || got[0] < want[0]:
			c.report(Difference{Path: path.Join(dir, got[0]), How: Extra})
			got = got[1:]
			continue
		}
		name := path.Join(dir, want[0])
		want, got = want[1:], got[1:]
		if err := c.file(name); err != nil {
			return fmt.Errorf("%q: %w", name, err)
		}
	}
	return nil
}

// file compares a name that both have, and all below it.
func (c *comparer) file(name string) error {
	var want, got unix.Stat_t
	if err := unix.Fstatat(c.want, name, &want, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return err
	}
	if err := unix.Fstatat(c.got, name, &got, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return err
	}
	kind := want.Mode & unix.S_IFMT
	if kind != got.Mode&unix.S_IFMT || kind == unix.S_IFCHR && want.Rdev != got.Rdev {
		c.report(Difference{Path: name, How: Kind})
		return nil
	}
	differs := func(how How, yes bool) {
		if yes {
			c.report(Difference{Path: name, How: how})
		}
	}
	same, err := c.sameContent(name, kind, want.Size, got.Size)
	if err != nil {
		return err
	}
	differs(Content, !same)
	differs(Mode, want.Mode != got.Mode)
	differs(Owner, want.Uid != got.Uid || want.Gid != got.Gid)
	// The root's time and those of whiteouts are from when they were made.
	differs(Time, name != "." && kind != unix.S_IFCHR && want.Mtim != got.Mtim)
	if same, err = c.sameXattrs(name); err != nil {
		return err
	}
	differs(Xattr, !same)
	if kind == unix.S_IFDIR {
		if name == "." {
			return nil
		}
		return c.directory(name)
	}
	differs(HardLink, !c.sameLinks(&want, &got))
	return nil
}

// sameLinks reports whether a name is the same file as the same others of its
// tree. Links from elsewhere don't count: merged trees share the files of others.
func (c *comparer) sameLinks(want, got *unix.Stat_t) bool {
	if want.Nlink == 1 && got.Nlink == 1 {
		return true
	}
	if ino, seen := c.links[want.Ino]; seen {
		return ino == got.Ino
	}
	c.links[want.Ino] = got.Ino
	taken := c.linked[got.Ino]
	c.linked[got.Ino] = true
	return !taken
}

func (c *comparer) sameContent(name string, kind uint32, wantSize, gotSize int64) (bool, error) {
	switch {
	case kind != unix.S_IFREG && kind != unix.S_IFLNK:
		return true, nil
	case wantSize != gotSize:
		return false, nil
	case kind == unix.S_IFLNK:
		n, err := unix.Readlinkat(c.want, name, c.buf[0])
		if err != nil {
			return false, err
		}
		m, err := unix.Readlinkat(c.got, name, c.buf[1])
		return err == nil && bytes.Equal(c.buf[0][:n], c.buf[1][:m]), err
	}
	want, err := openFile(c.want, name)
	if err != nil {
		return false, err
	}
	defer want.Close()
	got, err := openFile(c.got, name)
	if err != nil {
		return false, err
	}
	defer got.Close()
	return sameReaders(c.ctx, want, got, c.buf)
}

func openFile(dir int, name string) (*os.File, error) {
	fd, err := unix.Openat(dir, name, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), name), nil
}

func sameReaders(ctx context.Context, want, got io.Reader, buf [2][]byte) (bool, error) {
	for {
		n, err := io.ReadFull(want, buf[0])
		if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
			return false, err
		}
		m, gotErr := io.ReadFull(got, buf[1])
		if gotErr != nil && !errors.Is(gotErr, io.EOF) && !errors.Is(gotErr, io.ErrUnexpectedEOF) {
			// A disk that can't give a file's content has lost it.
			return false, ctx.Err()
		}
		switch {
		case ctx.Err() != nil:
			return false, ctx.Err()
		case !bytes.Equal(buf[0][:n], buf[1][:m]):
			return false, nil
		case err != nil:
			return true, nil
		}
	}
}

// sameBytes compares two small files; one that is missing differs.
func sameBytes(want, got string) (bool, error) {
	a, err := os.ReadFile(want)
	if err != nil {
		return false, err
	}
	b, err := os.Open(got)
	if err != nil {
		return false, nil //nolint:nilerr // a file that can't be read is not the same
	}
	raw, err := readLimited(b, int64(len(a)))
	return err == nil && bytes.Equal(a, raw), b.Close()
}

// sameXattrs compares the attributes that layers may set, and overlayfs' own.
func (c *comparer) sameXattrs(name string) (bool, error) {
	want, err := xattrs(c.want, name)
	if err != nil {
		return false, err
	}
	got, err := xattrs(c.got, name)
	if err != nil {
		return false, err
	}
	return slices.Equal(want, got), nil
}

// xattrs lists attributes as NAME=VALUE, sorted.
func xattrs(dir int, name string) ([]string, error) {
	path := fmt.Sprintf("/proc/self/fd/%d/%s", dir, name)
	list, err := sized(func(buf []byte) (int, error) { return unix.Llistxattr(path, buf) })
	if errors.Is(err, unix.ENOTSUP) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list attributes: %w", err)
	}
	var found []string
	for attr := range strings.SplitSeq(string(list), "\x00") {
		if attr != "security.capability" && !strings.HasPrefix(attr, "user.") && !strings.HasPrefix(attr, "trusted.overlay.") {
			continue
		}
		value, err := sized(func(buf []byte) (int, error) { return unix.Lgetxattr(path, attr, buf) })
		if err != nil {
			return nil, fmt.Errorf("read attribute %q: %w", attr, err)
		}
		found = append(found, attr+"="+string(value))
	}
	slices.Sort(found)
	return found, nil
}

// sized calls get with a buffer that is large enough.
func sized(get func([]byte) (int, error)) ([]byte, error) {
	const usual, most = 256, 64 << 10 // the kernel's limit
	buf := make([]byte, usual)
	n, err := get(buf)
	if errors.Is(err, unix.ERANGE) {
		buf = make([]byte, most)
		n, err = get(buf)
	}
	if err != nil {
		return nil, err
	}
	return buf[:n], nil
}

func names(root int, dir string) ([]string, error) {
	fd, err := unix.Openat(root, dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	f := os.NewFile(uintptr(fd), dir)
	list, err := f.Readdirnames(-1)
	slices.Sort(list)
	return list, errors.Join(err, f.Close())
}
