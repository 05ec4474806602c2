package tree

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/raket/raket/pkg/layer"
)

// merger fills a directory from trees, the topmost first.
type merger struct {
	dst   int // descriptor of the directory
	link  bool
	stats layer.Stats
	// dirs are the directories made, with how they should be in the end.
	dirs map[string]mergedDir
	// copies has the names of files copied that have several, by inode.
	copies map[inode]string
}

type inode struct{ dev, ino uint64 }

type mergedDir struct {
	st unix.Stat_t
	// implied is set while no tree was seen that describes it.
	implied bool
}

func newMerger(dir string, link bool) (*merger, error) {
	fd, err := unix.Open(dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: dir, Err: err}
	}
	return &merger{dst: fd, link: link, dirs: map[string]mergedDir{}, copies: map[inode]string{}}, nil
}

func (m *merger) close() { unix.Close(m.dst) }

// source is one tree that is being read.
type source struct {
	*Part
	fd      int
	implied map[string]bool
	// way has the directories from the root to the one being read.
	way []mergedDir
}

func (m *merger) add(ctx context.Context, s *Store, p *Part) (err error) {
	stats, err := s.Stats(p.Name)
	if err != nil {
		return err
	}
	src := &source{Part: p, implied: map[string]bool{}}
	for _, name := range stats.Implied {
		src.implied[name] = true
	}
	dir := s.Path(p.Name)
	if src.fd, err = unix.Open(dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0); err != nil {
		return &os.PathError{Op: "open", Path: dir, Err: err}
	}
	defer func() { err = errors.Join(err, unix.Close(src.fd)) }()
	return m.addDir(ctx, src, "")
}

// beneath opens a directory of a tree by its name, following no link.
func beneath(root int, name string) (int, error) {
	if name == "" {
		name = "."
	}
	return unix.Openat2(root, name, &unix.OpenHow{
		Flags:   unix.O_RDONLY | unix.O_DIRECTORY | unix.O_CLOEXEC,
		Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_XDEV,
	})
}

// addDir adds what a directory of a tree holds. One descriptor is open for it,
// but none while it goes deeper.
func (m *merger) addDir(ctx context.Context, src *source, name string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	fd, err := beneath(src.fd, name)
	if err != nil {
		return &os.PathError{Op: "open", Path: name, Err: err}
	}
	dir := os.NewFile(uintptr(fd), name)
	here := mergedDir{implied: name != "" && src.implied[name]}
	err = unix.Fstat(fd, &here.st)
	var names, below []string
	if err == nil {
		names, err = dir.Readdirnames(-1)
	}
	src.way = append(src.way, here)
	if err == nil {
		err = m.offerDir(src, name)
	}
	slices.Sort(names) // the same parts give the same tree
	for _, base := range names {
		if err != nil {
			break
		}
		var st unix.Stat_t
		if err = unix.Fstatat(fd, base, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
			break
		}
		full := path.Join(name, base)
		if st.Mode&unix.S_IFMT == unix.S_IFDIR {
			below = append(below, full)
			continue
		}
		err = m.addFile(src, fd, full, st)
	}
	if err = errors.Join(err, dir.Close()); err != nil {
		return err
	}
	for _, full := range below {
		if err := m.addDir(ctx, src, full); err != nil {
			return err
		}
	}
	src.way = src.way[:len(src.way)-1]
	return nil
}

// offerDir takes a directory, or what it says of one that trees above only
// imply.
func (m *merger) offerDir(src *source, name string) error {
	here := src.way[len(src.way)-1]
	if old, ok := m.dirs[name]; ok {
		if old.implied && !here.implied {
			m.dirs[name] = here
			return m.copyDirXattrs(src, name)
		}
		return nil
	}
	// Only what a whitelist names, or a file in it needs, is made.
	if name != "" && (here.implied || !src.passes(name, true)) {
		return nil
	}
	_, err := m.makeDir(src, name)
	return err
}

// makeDir makes the directory that is being read, and those above it. It reports
// false where something else is in the way.
func (m *merger) makeDir(src *source, name string) (bool, error) {
	at := ""
	elems := strings.Split(name, "/")
	for i := range src.way {
		if i > 0 {
			at = path.Join(at, elems[i-1])
		}
		if _, ok := m.dirs[at]; ok {
			continue
		}
		if i > 0 {
			err := unix.Mkdirat(m.dst, at, 0o700)
			if errors.Is(err, unix.EEXIST) {
				return false, nil
			}
			if err != nil {
				return false, &os.PathError{Op: "make directory", Path: at, Err: err}
			}
			m.stats.Entries++
		}
		m.dirs[at] = src.way[i]
		if err := m.copyDirXattrs(src, at); err != nil {
			return false, err
		}
	}
	return true, nil
}

func (m *merger) addFile(src *source, dir int, name string, st unix.Stat_t) error {
	if st.Mode&unix.S_IFMT == unix.S_IFCHR || st.Mode&unix.S_IFMT == unix.S_IFBLK || !src.passes(name, false) {
		return nil
	}
	parent, base := path.Split(name)
	ok, err := m.makeDir(src, strings.TrimSuffix(parent, "/"))
	if err != nil || !ok {
		return err
	}
	if m.link {
		err = unix.Linkat(dir, base, m.dst, name, 0)
		if errors.Is(err, unix.EMLINK) || errors.Is(err, unix.EXDEV) {
			err = m.copyFile(dir, base, name, st)
		}
	} else {
		err = m.copyFile(dir, base, name, st)
	}
	switch {
	case errors.Is(err, unix.EEXIST):
		return nil
	case err != nil:
		return fmt.Errorf("add %q: %w", name, err)
	}
	m.stats.Entries++
	if st.Mode&unix.S_IFMT == unix.S_IFREG {
		m.stats.Bytes += st.Size
	}
	return nil
}

// finish gives directories their owners, modes and times, the deepest first: a
// child changes its parent's time.
func (m *merger) finish() error {
	names := make([]string, 0, len(m.dirs))
	for name, d := range m.dirs {
		names = append(names, name)
		if d.implied {
			m.stats.Implied = append(m.stats.Implied, name)
		}
	}
	slices.Sort(names)
	slices.Sort(m.stats.Implied)
	for _, name := range slices.Backward(names) {
		fd, err := beneath(m.dst, name)
		if err != nil {
			return &os.PathError{Op: "open", Path: name, Err: err}
		}
		if err := errors.Join(setOwner(fd, m.dirs[name].st), unix.Close(fd)); err != nil {
			return &os.PathError{Op: "set owner and mode of", Path: name, Err: err}
		}
	}
	return nil
}
