package copytree

import (
	"archive/tar"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// temporary begins the names of directories in which copies are unpacked.
const temporary = ".raket-cp-"

// Target says where a stream goes.
type Target struct {
	Dir int // a directory, open
	// Name in it, that does not exist or is no directory: the stream has one root,
	// which gets this name. Empty: what the stream has goes into the directory, under
	// its own names; directories that are there are filled up, other things replaced.
	Name string
	// Defused leaves out what gives rights to who has the file: set-ID bits and file
	// capabilities.
	Defused bool
}

// Receive unpacks the stream. Nothing of it is to be seen before all of it is there;
// after an error, or as ctx ends, nothing is left.
func Receive(ctx context.Context, r io.Reader, t Target) (err error) {
	tmp := temporary + random()
	if err := unix.Mkdirat(t.Dir, tmp, 0o700); err != nil {
		return fmt.Errorf("copy: %w", err)
	}
	defer func() { err = errors.Join(err, removeAll(t.Dir, tmp)) }()
	dir, err := openDir(t.Dir, tmp)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, unix.Close(dir)) }()
	u := unpacker{dir: dir, defused: t.Defused}
	end := &endReader{r: interruptible(ctx, r)}
	defer end.r.Close()
	if err := u.unpack(tar.NewReader(end)); err != nil {
		return fmt.Errorf("copy: %w", err)
	}
	// Programs pad the end; and who writes must not find the pipe closed.
	if _, err := io.Copy(io.Discard, end); err != nil {
		return fmt.Errorf("copy: %w", err)
	}
	if end.zeros < 2*blockSize {
		return errors.New("copy: the archive ends too early")
	}
	if err := u.finish(); err != nil {
		return fmt.Errorf("copy: %w", err)
	}
	if err := ctx.Err(); err != nil { // perhaps with all of the stream there
		return fmt.Errorf("copy: %w", err)
	}
	return place(t, dir, tmp, u.root)
}

func random() string {
	b := make([]byte, 8)
	_, _ = rand.Read(b) // never fails
	return hex.EncodeToString(b)
}

const blockSize = 512

// endReader counts the zeros that the stream ends with.
type endReader struct {
	r     io.ReadCloser
	zeros int
}

// interruptible is r until ctx ends, also while r waits for somebody to write. Reading
// of r goes on in the background then; it ends with what r comes from.
func interruptible(ctx context.Context, r io.Reader) io.ReadCloser {
	pr, pw := io.Pipe()
	stop := context.AfterFunc(ctx, func() { _ = pw.CloseWithError(ctx.Err()) })
	go func() {
		_, err := io.Copy(pw, r)
		stop()
		_ = pw.CloseWithError(err)
	}()
	return pr
}

func (e *endReader) Read(p []byte) (int, error) {
	n, err := e.r.Read(p)
	trailing := 0
	for trailing < n && p[n-1-trailing] == 0 {
		trailing++
	}
	if trailing < n {
		e.zeros = 0
	}
	e.zeros += trailing
	return n, err
}

// unpacker unpacks into dir, which nobody knows of.
type unpacker struct {
	dir     int
	defused bool
	root    *tar.Header // of the directory itself, if the stream has it
	dirs    []tar.Header
}

func (u *unpacker) unpack(r *tar.Reader) error {
	for {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		name := path.Clean(h.Name)
		if path.IsAbs(name) || name == ".." || strings.HasPrefix(name, "../") || strings.ContainsRune(name, 0) {
			return fmt.Errorf("%q leads out", h.Name)
		}
		if name == Contents {
			if h.Typeflag == tar.TypeDir {
				u.root = h
			}
			continue
		}
		h.Name = name
		if err := u.entry(h, r); err != nil {
			return fmt.Errorf("%q: %w", name, err)
		}
	}
}

func (u *unpacker) entry(h *tar.Header, content io.Reader) error {
	dir, err := u.parents(path.Dir(h.Name))
	if err != nil {
		return err
	}
	defer unix.Close(dir)
	base := path.Base(h.Name)
	if h.Typeflag == tar.TypeDir {
		if err := unix.Mkdirat(dir, base, 0o700); err != nil && !errors.Is(err, unix.EEXIST) {
			return err
		}
		u.dirs = append(u.dirs, *h)
		return nil
	}
	if err := unix.Unlinkat(dir, base, 0); err != nil && !errors.Is(err, unix.ENOENT) {
		return err
	}
	switch h.Typeflag {
	case tar.TypeReg:
		return u.file(dir, base, h, content)
	case tar.TypeLink:
		return u.link(dir, base, h.Linkname)
	case tar.TypeSymlink:
		err = unix.Symlinkat(h.Linkname, dir, base)
	case tar.TypeFifo:
		err = unix.Mknodat(dir, base, unix.S_IFIFO|0o600, 0)
	case tar.TypeChar, tar.TypeBlock:
		return errors.New("it is a device")
	default:
		return fmt.Errorf("an entry of type %q is not to be had", h.Typeflag)
	}
	if err == nil {
		err = unix.Fchownat(dir, base, h.Uid, h.Gid, unix.AT_SYMLINK_NOFOLLOW)
	}
	if err == nil && h.Typeflag == tar.TypeFifo {
		err = unix.Fchmodat(dir, base, u.mode(h), 0)
	}
	if err == nil {
		err = setTime(dir, base, h.ModTime)
	}
	return err
}

// parents opens a directory, making what is missing of it.
func (u *unpacker) parents(name string) (int, error) {
	fd, err := openDir(u.dir, name)
	if !errors.Is(err, unix.ENOENT) {
		return fd, err
	}
	above, err := u.parents(path.Dir(name))
	if err != nil {
		return -1, err
	}
	defer unix.Close(above)
	if err := unix.Mkdirat(above, path.Base(name), 0o755); err != nil {
		return -1, err
	}
	return openDir(above, path.Base(name))
}

func (u *unpacker) file(dir int, base string, h *tar.Header, content io.Reader) (err error) {
	how := unix.OpenHow{Flags: unix.O_CREAT | unix.O_EXCL | unix.O_WRONLY | unix.O_CLOEXEC, Mode: 0o600, Resolve: beneath}
	fd, err := openat2(dir, base, how)
	if err != nil {
		return err
	}
	if _, err := io.Copy(fdWriter(fd), content); err != nil {
		return errors.Join(err, unix.Close(fd))
	}
	return errors.Join(u.attributes(fd, h), unix.Close(fd))
}

// attributes sets what a header says of an open file.
func (u *unpacker) attributes(fd int, h *tar.Header) error {
	// In this order: a change of owner takes away set-ID bits and capabilities.
	if err := unix.Fchown(fd, h.Uid, h.Gid); err != nil {
		return err
	}
	if err := unix.Fchmod(fd, u.mode(h)); err != nil {
		return err
	}
	for key, value := range h.PAXRecords {
		name, ok := strings.CutPrefix(key, xattrRecord)
		if !ok || !kept(name) || u.defused && strings.HasPrefix(name, "security.") {
			continue
		}
		if err := unix.Fsetxattr(fd, name, []byte(value), 0); err != nil && !errors.Is(err, unix.ENOTSUP) {
			return fmt.Errorf("attribute %s: %w", name, err)
		}
	}
	return setTime(fd, "", h.ModTime)
}

func (u *unpacker) mode(h *tar.Header) uint32 {
	mode := uint32(h.Mode) & 0o7777
	if u.defused {
		mode &^= unix.S_ISUID
		if h.Typeflag != tar.TypeDir {
			mode &^= unix.S_ISGID
		}
	}
	return mode
}

func (u *unpacker) link(dir int, base, target string) error {
	target = path.Clean(target)
	from, err := openDir(u.dir, path.Dir(target))
	if err != nil {
		return fmt.Errorf("link to %q: %w", target, err)
	}
	defer unix.Close(from)
	if err := unix.Linkat(from, path.Base(target), dir, base, 0); err != nil {
		return fmt.Errorf("link to %q: %w", target, err)
	}
	return nil
}

// finish sets what is said of directories, which filling them would have changed.
func (u *unpacker) finish() error {
	for i := len(u.dirs) - 1; i >= 0; i-- {
		fd, err := openDir(u.dir, u.dirs[i].Name)
		if err == nil {
			err = errors.Join(u.attributes(fd, &u.dirs[i]), unix.Close(fd))
		}
		if err != nil {
			return fmt.Errorf("%q: %w", u.dirs[i].Name, err)
		}
	}
	if u.root != nil {
		return u.attributes(u.dir, u.root)
	}
	return unix.Fchmod(u.dir, 0o755)
}

// setTime sets the time of base in dir or, where that is empty, of dir.
func setTime(dir int, base string, t time.Time) error {
	ts := unix.NsecToTimespec(t.UnixNano())
	return unix.UtimesNanoAt(dir, base, []unix.Timespec{ts, ts}, unix.AT_SYMLINK_NOFOLLOW|unix.AT_EMPTY_PATH)
}

type fdWriter int

func (w fdWriter) Write(p []byte) (int, error) {
	for done := 0; done < len(p); {
		n, err := unix.Write(int(w), p[done:])
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return done, err
		}
		done += n
	}
	return len(p), nil
}
