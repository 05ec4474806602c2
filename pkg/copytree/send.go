package copytree

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Contents is the name that means a directory's content rather than the directory.
const Contents = "."

// Send writes name, in the directory dir, to w. Names in the stream begin with name. A
// file that becomes shorter meanwhile is an error. After an error the stream has no
// end, and Receive will not have it.
//
// Devices, sockets and what is in the kernel's own file systems are left out: they are
// returned by name. One that is name itself is an error.
func Send(ctx context.Context, w io.Writer, dir int, name string) (left []string, err error) {
	s := sender{ctx: ctx, w: tar.NewWriter(w), links: map[inode]string{}, buf: make([]byte, 256<<10)}
	if err := s.entry(dir, name, name); err != nil {
		return nil, err
	}
	if slices.Contains(s.left, name) {
		return nil, fmt.Errorf("copy %q: it is a device, a socket or the kernel's", name)
	}
	return s.left, s.w.Close()
}

type inode struct{ dev, ino uint64 }

type sender struct {
	ctx   context.Context
	w     *tar.Writer
	links map[inode]string // files of several names, by the first
	buf   []byte
	left  []string
}

// entry sends base, in dir, under the name that the stream has for it.
func (s *sender) entry(dir int, base, name string) (err error) {
	if err := s.ctx.Err(); err != nil {
		return err
	}
	var st unix.Stat_t
	if err := unix.Fstatat(dir, base, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return &os.PathError{Op: "copy", Path: name, Err: err}
	}
	h := &tar.Header{
		Name: name, Mode: int64(st.Mode & 0o7777), Uid: int(st.Uid), Gid: int(st.Gid), Format: tar.FormatPAX,
		ModTime: time.Unix(st.Mtim.Unix()),
	}
	var file *os.File
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFSOCK, unix.S_IFCHR, unix.S_IFBLK:
		s.left = append(s.left, name)
		return nil
	case unix.S_IFIFO:
		h.Typeflag = tar.TypeFifo
	case unix.S_IFLNK:
		h.Typeflag = tar.TypeSymlink
		if h.Linkname, err = readlink(dir, base); err != nil {
			return &os.PathError{Op: "copy", Path: name, Err: err}
		}
	case unix.S_IFREG:
		h.Typeflag, h.Size = tar.TypeReg, st.Size
		id := inode{st.Dev, st.Ino}
		if first, ok := s.links[id]; ok {
			h.Typeflag, h.Size, h.Linkname = tar.TypeLink, 0, first
			return s.w.WriteHeader(h)
		}
		if st.Nlink > 1 {
			s.links[id] = name
		}
		file, err = openSame(dir, base, unix.O_NONBLOCK|unix.O_NOCTTY, st)
	default:
		h.Typeflag, h.Name = tar.TypeDir, name+"/"
		file, err = openSame(dir, base, unix.O_DIRECTORY, st)
	}
	if err != nil {
		return &os.PathError{Op: "copy", Path: name, Err: err}
	}
	if file != nil {
		defer func() { err = errors.Join(err, file.Close()) }()
		if of, err := kernels(file); err != nil || of {
			s.left = append(s.left, name)
			return err
		}
		if h.PAXRecords, err = attributes(file); err != nil {
			return &os.PathError{Op: "copy attributes of", Path: name, Err: err}
		}
	}
	if err := s.w.WriteHeader(h); err != nil {
		return fmt.Errorf("copy %q: %w", name, err)
	}
	switch h.Typeflag {
	case tar.TypeReg:
		n, err := io.CopyBuffer(struct{ io.Writer }{s.w}, io.LimitReader(file, st.Size), s.buf)
		if err == nil && n < st.Size {
			err = errors.New("it became shorter meanwhile")
		}
		if err != nil {
			return fmt.Errorf("copy %q: %w", name, err)
		}
	case tar.TypeDir:
		names, err := file.Readdirnames(-1)
		if err != nil {
			return err
		}
		slices.Sort(names)
		for _, n := range names {
			if strings.HasPrefix(n, temporary) {
				continue // another copy, under way
			}
			if err := s.entry(int(file.Fd()), n, path.Join(name, n)); err != nil {
				return err
			}
		}
	}
	return nil
}

// kernels reports whether a file is of a file system that holds no data.
func kernels(f *os.File) (bool, error) {
	var st unix.Statfs_t
	if err := unix.Fstatfs(int(f.Fd()), &st); err != nil {
		return false, err
	}
	switch st.Type {
	case unix.PROC_SUPER_MAGIC, unix.SYSFS_MAGIC, unix.DEVPTS_SUPER_MAGIC, unix.CGROUP_SUPER_MAGIC, unix.CGROUP2_SUPER_MAGIC,
		unix.DEBUGFS_MAGIC, unix.TRACEFS_MAGIC, unix.SECURITYFS_MAGIC, unix.BPF_FS_MAGIC, unix.NSFS_MAGIC:
		return true, nil
	}
	return false, nil
}

// openSame opens the file that st is of.
func openSame(dir int, base string, flags int, st unix.Stat_t) (*os.File, error) {
	how := unix.OpenHow{Flags: uint64(flags | unix.O_RDONLY | unix.O_NOFOLLOW | unix.O_CLOEXEC), Resolve: beneath}
	fd, err := openat2(dir, base, how)
	if err != nil {
		return nil, err
	}
	var now unix.Stat_t
	err = unix.Fstat(fd, &now)
	if err == nil && (now.Dev != st.Dev || now.Ino != st.Ino) {
		err = errors.New("it was replaced meanwhile")
	}
	if err != nil {
		return nil, errors.Join(err, unix.Close(fd))
	}
	return os.NewFile(uintptr(fd), base), nil
}

func readlink(dir int, base string) (string, error) {
	buf := make([]byte, unix.PathMax)
	n, err := unix.Readlinkat(dir, base, buf)
	if err != nil {
		return "", err
	}
	return string(buf[:n]), nil
}

// xattrRecord begins the PAX records of extended attributes, as GNU tar and others
// have them.
const xattrRecord = "SCHILY.xattr."

// attributes are those of a file's extended attributes that mean the same elsewhere.
func attributes(f *os.File) (map[string]string, error) {
	size, err := unix.Flistxattr(int(f.Fd()), nil)
	if errors.Is(err, unix.ENOTSUP) || err == nil && size == 0 {
		return nil, nil
	}
	list := make([]byte, size+1024)
	if err == nil {
		size, err = unix.Flistxattr(int(f.Fd()), list)
	}
	if err != nil {
		return nil, err
	}
	records := map[string]string{}
	value := make([]byte, 64<<10) // XATTR_SIZE_MAX
	for name := range strings.SplitSeq(string(list[:size]), "\x00") {
		if !kept(name) {
			continue
		}
		n, err := unix.Fgetxattr(int(f.Fd()), name, value)
		if errors.Is(err, unix.ENODATA) {
			continue
		}
		if err != nil {
			return nil, err
		}
		records[xattrRecord+name] = string(value[:n])
	}
	return records, nil
}

func kept(name string) bool {
	return strings.HasPrefix(name, "user.") || strings.HasPrefix(name, "system.posix_acl_") || name == "security.capability"
}
