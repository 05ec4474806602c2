package tree

import (
	"errors"
	"io/fs"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

const maxLinks = 40 // as the kernel's

// merged walks a view. Each element of at is one directory on the way from the
// root: its descriptors in the layers that have it, top first, or none of a
// directory that is only there because something is mounted below it. names are
// theirs, but for the root's.
type merged struct {
	at     [][]part
	names  []string
	todo   []string
	last   string // the name that was looked up last
	mounts map[string]string
}

// part is a directory in one layer of the stack.
type part struct {
	fd    int
	layer int // 0 is the top
}

func openMerged(v View) (*merged, error) {
	m := &merged{at: [][]part{nil}, mounts: v.mounts}
	for i, dir := range v.Lowers {
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

// find walks to a file. It returns the descriptor of the directory that has it,
// its name there or, of a mounted file, its path on the host, and its status; of a
// directory the status alone.
func (m *merged) find(path string) (dir int, name string, st unix.Stat_t, err error) {
	m.todo = strings.Split(path, "/")
	for links := 0; len(m.todo) > 0; {
		name := m.todo[0]
		m.todo = m.todo[1:]
		m.last = name
		switch name {
		case "", ".":
			continue
		case "..":
			if last := len(m.at) - 1; last > 0 {
				closeAll(m.at[last])
				m.at, m.names = m.at[:last], m.names[:last-1]
			}
			continue
		}
		dirs, fd, st, err := m.lookup(name)
		switch {
		case err != nil:
			return -1, "", st, err
		case dirs != nil:
			m.at, m.names = append(m.at, dirs), append(m.names, name)
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
			if source, ok := m.mounts[m.path(name)]; ok {
				name = source
			}
			return fd, name, st, nil
		}
	}
	here := m.at[len(m.at)-1]
	if len(here) == 0 {
		return -1, "", unix.Stat_t{Mode: unix.S_IFDIR | 0o755}, nil
	}
	// The topmost layer that has a directory says whose it is.
	err = unix.Fstat(here[0].fd, &st)
	return -1, "", st, err
}

// path is that of a name in the directory where m is.
func (m *merged) path(name string) string {
	return "/" + strings.Join(append(slices.Clone(m.names), name), "/")
}

// lookup is lookup of the directory where m is, with what is mounted there.
func (m *merged) lookup(name string) (dirs []part, fd int, st unix.Stat_t, err error) {
	if len(m.mounts) == 0 {
		return lookup(m.at[len(m.at)-1], name)
	}
	here := m.path(name)
	if source, ok := m.mounts[here]; ok {
		return openMount(source)
	}
	dirs, fd, st, err = lookup(m.at[len(m.at)-1], name)
	if !errors.Is(err, unix.ENOENT) {
		return dirs, fd, st, err
	}
	for target := range m.mounts {
		if strings.HasPrefix(target, here+"/") {
			return []part{}, -1, st, nil // it will be made
		}
	}
	return nil, -1, st, err
}

// openMount is lookup of what is mounted. A file's descriptor is the working
// directory's: its source is an absolute path.
func openMount(source string) (dirs []part, fd int, st unix.Stat_t, err error) {
	if err := unix.Stat(source, &st); err != nil {
		return nil, -1, st, err
	}
	if st.Mode&unix.S_IFMT != unix.S_IFDIR {
		return nil, unix.AT_FDCWD, st, nil
	}
	dir, err := unix.Open(source, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, -1, st, err
	}
	return []part{{dir, 0}}, -1, st, nil
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
		m.at, m.names = m.at[:1], nil
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
