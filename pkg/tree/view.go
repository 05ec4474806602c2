package tree

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"

	"golang.org/x/sys/unix"
)

// ErrTooLarge is a file beyond the limit its reader gave.
var ErrTooLarge = errors.New("file is too large")

// View is a root file system that nobody has mounted: Lowers (directories, top
// first) as overlayfs would show them, whiteouts and opaque directories
// observed, and on top what is mounted. Symbolic links are resolved as if the view
// were "/", and nothing outside of it is reached.
type View struct {
	Lowers []string
	// mounts are files and directories of the host, absolute paths, by the clean
	// absolute path where they are in the view.
	mounts map[string]string
}

// Mount puts a file or directory of the host's, an absolute path, over what is at
// target. What is missing of target will be there.
func (v *View) Mount(target, source string) error {
	m, err := openMerged(*v)
	if err != nil {
		return err
	}
	defer m.close()
	_, name, _, err := m.find(target)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		target = path.Clean(m.path(path.Join(append([]string{m.last}, m.todo...)...)))
	case err != nil:
		return &fs.PathError{Op: "mount in image", Path: target, Err: err}
	case path.IsAbs(name): // a mounted file
		target = m.path(m.last)
	default:
		target = path.Clean(m.path(name))
	}
	v.mounts = maps.Clone(v.mounts)
	if v.mounts == nil {
		v.mounts = map[string]string{}
	}
	v.mounts[target] = source
	return nil
}

// Info is what Stat tells of a file.
type Info struct {
	Mode     fs.FileMode // type and permissions
	UID, GID uint32
}

// Stat looks at a file, symbolic links followed. It is an error wrapping
// fs.ErrNotExist where there is no such file.
func (v View) Stat(name string) (Info, error) {
	m, err := openMerged(v)
	if err != nil {
		return Info{}, err
	}
	defer m.close()
	_, _, st, err := m.find(name)
	if err != nil {
		return Info{}, &fs.PathError{Op: "look at in image", Path: name, Err: err}
	}
	info := Info{Mode: fs.FileMode(st.Mode & 0o777), UID: st.Uid, GID: st.Gid}
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFREG:
	case unix.S_IFDIR:
		info.Mode |= fs.ModeDir
	default:
		info.Mode |= fs.ModeIrregular
	}
	return info, nil
}

// ReadFile reads a regular file. It is an error wrapping fs.ErrNotExist where there
// is no such file, ErrTooLarge where it has more than limit bytes, and another
// where it is no regular file.
func (v View) ReadFile(name string, limit int64) ([]byte, error) {
	f, err := v.Open(name)
	if err != nil {
		return nil, err
	}
	raw, err := readLimited(f, limit)
	if err != nil {
		err = &fs.PathError{Op: "read in image", Path: name, Err: err}
	}
	return raw, errors.Join(err, f.Close())
}

// Open opens a regular file to read it. Errors are as ReadFile's.
func (v View) Open(name string) (*os.File, error) {
	m, err := openMerged(v)
	if err != nil {
		return nil, err
	}
	defer m.close()
	f, err := m.open(name)
	if err != nil {
		return nil, &fs.PathError{Op: "read in image", Path: name, Err: err}
	}
	return f, nil
}

func (m *merged) open(file string) (*os.File, error) {
	dir, name, st, err := m.find(file)
	switch {
	case err != nil:
		return nil, err
	case st.Mode&unix.S_IFMT == unix.S_IFDIR:
		return nil, unix.EISDIR
	case st.Mode&unix.S_IFMT != unix.S_IFREG:
		return nil, errors.New("not a regular file")
	}
	flags := unix.O_RDONLY | unix.O_NONBLOCK | unix.O_CLOEXEC // not blocking, should it have become a FIFO meanwhile
	if dir != unix.AT_FDCWD {
		flags |= unix.O_NOFOLLOW
	}
	fd, err := unix.Openat(dir, name, flags, 0)
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), file), nil
}

func readLimited(f *os.File, limit int64) ([]byte, error) {
	raw, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(raw)) > limit {
		err = fmt.Errorf("%w: more than %d bytes", ErrTooLarge, limit)
	}
	if err != nil {
		return nil, err
	}
	return raw, nil
}
