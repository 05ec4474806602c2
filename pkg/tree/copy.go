package tree

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"strings"

	"golang.org/x/sys/unix"
)

// copyFile copies a file that is no directory and no device. The error is
// EEXIST where the name is taken.
func (m *merger) copyFile(dir int, base, name string, st unix.Stat_t) error {
	id := inode{uint64(st.Dev), st.Ino}
	if st.Nlink > 1 {
		if first, ok := m.copies[id]; ok {
			return unix.Linkat(m.dst, first, m.dst, name, 0)
		}
	}
	// Its directory is opened by itself: a name below another may be longer
	// than a path may be.
	parent, err := beneath(m.dst, strings.TrimSuffix(path.Dir(name), "/"))
	if err != nil {
		return err
	}
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFREG:
		err = copyRegular(dir, base, parent, st)
	case unix.S_IFLNK:
		err = copyLink(dir, base, parent, st)
	default: // FIFOs, sockets
		err = unix.Mknodat(parent, base, st.Mode&unix.S_IFMT|0o600, 0)
		if err == nil {
			err = setOwnerAt(parent, base, st)
		}
	}
	if err == nil && st.Nlink > 1 {
		m.copies[id] = name
	}
	return errors.Join(err, unix.Close(parent))
}

func copyRegular(dir int, base string, parent int, st unix.Stat_t) (err error) {
	from, err := unix.Openat(dir, base, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	in := os.NewFile(uintptr(from), base)
	defer func() { err = errors.Join(err, in.Close()) }()
	to, err := unix.Openat(parent, base, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return err
	}
	out := os.NewFile(uintptr(to), base)
	defer func() { err = errors.Join(err, out.Close()) }()
	if unix.IoctlFileClone(to, from) != nil {
		if err := copyData(in, out, st.Size); err != nil {
			return err
		}
	}
	if err := copyXattrs(from, to); err != nil {
		return err
	}
	return setOwner(to, st)
}

// copyData copies what is not a hole.
func copyData(in, out *os.File, size int64) error {
	for off := int64(0); off < size; {
		begin, err := in.Seek(off, unix.SEEK_DATA)
		if errors.Is(err, unix.ENXIO) {
			break
		}
		if err != nil {
			return err
		}
		end, err := in.Seek(begin, unix.SEEK_HOLE)
		if err != nil {
			return err
		}
		if _, err := in.Seek(begin, io.SeekStart); err != nil {
			return err
		}
		if _, err := out.Seek(begin, io.SeekStart); err != nil {
			return err
		}
		if _, err := io.CopyN(out, in, end-begin); err != nil {
			return err
		}
		off = end
	}
	return out.Truncate(size)
}

func copyLink(dir int, base string, parent int, st unix.Stat_t) error {
	buf := make([]byte, unix.PathMax)
	n, err := unix.Readlinkat(dir, base, buf)
	if err != nil {
		return err
	}
	if err := unix.Symlinkat(string(buf[:n]), parent, base); err != nil {
		return err
	}
	return setOwnerAt(parent, base, st)
}

// setOwner sets owner, mode and time, in that order: a change of owner clears
// the set-ID bits.
func setOwner(fd int, st unix.Stat_t) error {
	err := unix.Fchown(fd, int(st.Uid), int(st.Gid))
	if err == nil {
		err = unix.Fchmod(fd, st.Mode&0o7777)
	}
	if err == nil {
		err = unix.UtimesNanoAt(unix.AT_FDCWD, fmt.Sprintf("/proc/self/fd/%d", fd), []unix.Timespec{st.Mtim, st.Mtim}, 0)
	}
	return err
}

// setOwnerAt is setOwner for what can't be opened.
func setOwnerAt(parent int, base string, st unix.Stat_t) error {
	err := unix.Fchownat(parent, base, int(st.Uid), int(st.Gid), unix.AT_SYMLINK_NOFOLLOW)
	if err == nil && st.Mode&unix.S_IFMT != unix.S_IFLNK {
		err = unix.Fchmodat(parent, base, st.Mode&0o7777, 0)
	}
	if err == nil {
		err = unix.UtimesNanoAt(parent, base, []unix.Timespec{st.Mtim, st.Mtim}, unix.AT_SYMLINK_NOFOLLOW)
	}
	return err
}

func (m *merger) copyDirXattrs(src *source, name string) error {
	from, err := beneath(src.fd, name)
	if err != nil {
		return err
	}
	to, err := beneath(m.dst, name)
	if err != nil {
		return errors.Join(err, unix.Close(from))
	}
	return errors.Join(copyXattrs(from, to), unix.Close(from), unix.Close(to))
}

// copyXattrs copies the attributes that layers may have (package layer).
func copyXattrs(from, to int) error {
	n, err := unix.Flistxattr(from, nil)
	if err != nil || n == 0 {
		return ignoreUnsupported(err)
	}
	list := make([]byte, n)
	if n, err = unix.Flistxattr(from, list); err != nil {
		return err
	}
	for name := range strings.SplitSeq(strings.TrimSuffix(string(list[:n]), "\x00"), "\x00") {
		if name != "security.capability" && !strings.HasPrefix(name, "user.") {
			continue
		}
		size, err := unix.Fgetxattr(from, name, nil)
		if err != nil {
			return err
		}
		value := make([]byte, size)
		if size, err = unix.Fgetxattr(from, name, value); err != nil {
			return err
		}
		err = unix.Fsetxattr(to, name, value[:size], 0)
		if name != "security.capability" {
			err = ignoreUnsupported(err)
		}
		if err != nil {
			return fmt.Errorf("set attribute %q: %w", name, err)
		}
	}
	return nil
}

func ignoreUnsupported(err error) error {
	if errors.Is(err, unix.ENOTSUP) {
		return nil
	}
	return err
}
