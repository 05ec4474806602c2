package tree

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// ErrTooLarge is a file beyond the limit its reader gave.
var ErrTooLarge = errors.New("file is too large")

const maxLinks = 40 // as the kernel's

// ReadFile reads a file as overlayfs would show it in the stack lowers (top
// first): whiteouts and opaque directories hide, symbolic links are resolved
// as if the stack were "/", and nothing outside of it is reached. It is an
// error wrapping fs.ErrNotExist where there is no such file, ErrTooLarge where
// it has more than limit bytes, and another where it is no regular file.
func ReadFile(lowers []string, path string, limit int64) ([]byte, error) {
	m, err := openMerged(lowers)
	if err != nil {
		return nil, err
	}
	defer m.close()
	raw, err := m.read(path, limit)
	if err != nil {
		return nil, &fs.PathError{Op: "read in image", Path: path, Err: err}
	}
	return raw, nil
}

// Info is what Stat tells of a file.
type Info struct {
	Mode     fs.FileMode // type and permissions
	UID, GID uint32
}

// Stat looks at a file as ReadFile would find it, symbolic links followed. It is
// an error wrapping fs.ErrNotExist where there is no such file.
func Stat(lowers []string, path string) (Info, error) {
	m, err := openMerged(lowers)
	if err != nil {
		return Info{}, err
	}
	defer m.close()
	_, _, st, err := m.find(path)
	if err != nil {
		return Info{}, &fs.PathError{Op: "look at in image", Path: path, Err: err}
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

// merged walks a stack. Each element of at is one directory on the way from the
// root: its descriptors in the layers that have it, top first.
type merged struct {
	at   [][]part
	todo []string
}

// part is a directory in one layer of the stack.
type part struct {
	fd    int
	layer int // 0 is the top
}

func openMerged(lowers []string) (*merged, error) {
	m := &merged{at: [][]part{nil}}
	for i, dir := range lowers {
		fd, err := unix.Open(dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		if err != nil {
			m.close()
			return nil, &fs.PathError{Op: "open layer", Path: dir, Err: err}
		}
		m.at[0] = append(m.at[0], part{fd, i})
		if isOpaque(fd) {
			break
		}
	}
	return m, nil
}

func (m *merged) close() {
	for _, parts := range m.at {
		closeAll(parts)
	}
}

func closeAll(parts []part) {
	for _, p := range parts {
		unix.Close(p.fd)
	}
}

func (m *merged) read(path string, limit int64) ([]byte, error) {
	fd, name, st, err := m.find(path)
	switch {
	case err != nil:
		return nil, err
	case st.Mode&unix.S_IFMT == unix.S_IFDIR:
		return nil, unix.EISDIR
	case st.Mode&unix.S_IFMT != unix.S_IFREG:
		return nil, errors.New("not a regular file")
	}
	return readAt(fd, name, limit)
}

// find walks to a file. It returns the descriptor of the directory that has it,
// its name there, and its status; of a directory the status alone.
func (m *merged) find(path string) (dir int, name string, st unix.Stat_t, err error) {
	m.todo = strings.Split(path, "/")
	for links := 0; len(m.todo) > 0; {
		name := m.todo[0]
		m.todo = m.todo[1:]
		switch name {
		case "", ".":
			continue
		case "..":
			if last := len(m.at) - 1; last > 0 {
				closeAll(m.at[last])
				m.at = m.at[:last]
			}
			continue
		}
		dirs, fd, st, err := lookup(m.at[len(m.at)-1], name)
		switch {
		case err != nil:
			return -1, "", st, err
		case dirs != nil:
			m.at = append(m.at, dirs)
		case st.Mode&unix.S_IFMT == unix.S_IFLNK:
			if links++; links > maxLinks {
				return -1, "", st, unix.ELOOP
			}
			if err := m.follow(fd, name); err != nil {
				return -1, "", st, err
			}
		case len(m.todo) > 0:
			return -1, "", st, unix.ENOTDIR
		default:
			return fd, name, st, nil
		}
	}
	// The topmost layer that has a directory says whose it is.
	err = unix.Fstat(m.at[len(m.at)-1][0].fd, &st)
	return -1, "", st, err
}

// follow puts a link's target before what is left of the path.
func (m *merged) follow(fd int, name string) error {
	buf := make([]byte, unix.PathMax)
	n, err := unix.Readlinkat(fd, name, buf)
	if err != nil {
		return err
	}
	target := string(buf[:n])
	if strings.HasPrefix(target, "/") {
		for _, parts := range m.at[1:] {
			closeAll(parts)
		}
		m.at = m.at[:1]
	}
	m.todo = append(strings.Split(target, "/"), m.todo...)
	return nil
}

// lookup finds name in the directory that has these parts. It returns either
// the parts of a directory, or the descriptor of the one where another file is
// and that file's status.
func lookup(parts []part, name string) (dirs []part, fd int, st unix.Stat_t, err error) {
	for _, p := range parts {
		err := unix.Fstatat(p.fd, name, &st, unix.AT_SYMLINK_NOFOLLOW)
		if errors.Is(err, unix.ENOENT) {
			continue
		}
		if err != nil {
			closeAll(dirs)
			return nil, -1, st, err
		}
		mode := st.Mode & unix.S_IFMT
		if mode == unix.S_IFCHR && st.Rdev == 0 {
			break
		}
		if mode != unix.S_IFDIR {
			if dirs == nil {
				return nil, p.fd, st, nil
			}
			break
		}
		dir, err := unix.Openat(p.fd, name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
		if err != nil {
			closeAll(dirs)
			return nil, -1, st, err
		}
		dirs = append(dirs, part{dir, p.layer})
		if isOpaque(dir) {
			break
		}
	}
	if dirs == nil {
		return nil, -1, st, unix.ENOENT
	}
	return dirs, -1, st, nil
}

func isOpaque(fd int) bool {
	var v [2]byte
	n, err := unix.Fgetxattr(fd, "trusted.overlay.opaque", v[:])
	return err == nil && n == 1 && v[0] == 'y'
}

func readAt(dir int, name string, limit int64) ([]byte, error) {
	// Not blocking, should it have become a FIFO meanwhile.
	fd, err := unix.Openat(dir, name, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	f := os.NewFile(uintptr(fd), name)
	raw, err := readLimited(f, limit)
	return raw, errors.Join(err, f.Close())
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
