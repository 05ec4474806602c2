package approot

import (
	"errors"
	"io"
	"os"
	"path"
	"strings"

	"golang.org/x/sys/unix"
)

// openIn opens name below root as a process would that has root as its root.
func openIn(root int, name string, flags uint64, mode uint64) (int, error) {
	how := unix.OpenHow{Flags: flags | unix.O_CLOEXEC, Mode: mode, Resolve: unix.RESOLVE_IN_ROOT | unix.RESOLVE_NO_MAGICLINKS}
	for {
		fd, err := unix.Openat2(root, strings.TrimPrefix(name, "/")+suffix(name), &how)
		if errors.Is(err, unix.EINTR) || errors.Is(err, unix.EAGAIN) {
			continue
		}
		return fd, err
	}
}

// suffix keeps "/" from becoming "".
func suffix(name string) string {
	if strings.Trim(name, "/") == "" {
		return "."
	}
	return ""
}

// makeTarget opens the mount point name in root, an O_PATH descriptor, making
// it and its parents if they are missing.
func makeTarget(root int, name string, dir bool) (int, error) {
	name = path.Clean("/" + name)
	fd, err := openIn(root, name, unix.O_PATH, 0)
	if err == nil || !errors.Is(err, unix.ENOENT) {
		return fd, err
	}
	parent, err := makeDirs(root, path.Dir(name))
	if err != nil {
		return -1, err
	}
	defer unix.Close(parent)
	if dir {
		err = unix.Mkdirat(parent, path.Base(name), 0o755)
	} else {
		var f int
		if f, err = unix.Openat(parent, path.Base(name), unix.O_CREAT|unix.O_EXCL|unix.O_WRONLY|unix.O_CLOEXEC, 0o644); err == nil {
			err = unix.Close(f)
		}
	}
	if err != nil && !errors.Is(err, unix.EEXIST) {
		return -1, err
	}
	return openIn(root, name, unix.O_PATH, 0)
}

// makeDirs opens a directory in root, making what is missing of it.
func makeDirs(root int, name string) (int, error) {
	fd, err := openIn(root, name, unix.O_PATH|unix.O_DIRECTORY, 0)
	if err == nil || !errors.Is(err, unix.ENOENT) || name == "/" {
		return fd, err
	}
	parent, err := makeDirs(root, path.Dir(name))
	if err != nil {
		return -1, err
	}
	defer unix.Close(parent)
	if err := unix.Mkdirat(parent, path.Base(name), 0o755); err != nil && !errors.Is(err, unix.EEXIST) {
		return -1, err
	}
	return openIn(root, name, unix.O_PATH|unix.O_DIRECTORY, 0)
}

// writeFile replaces a file; a symbolic link in its place goes, not what it
// points to.
func writeFile(root int, f File) (err error) {
	parent, err := makeDirs(root, path.Dir(f.Path))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, unix.Close(parent)) }()
	err = unix.Unlinkat(parent, path.Base(f.Path), 0)
	if err != nil && !errors.Is(err, unix.ENOENT) {
		return err
	}
	fd, err := unix.Openat(parent, path.Base(f.Path), unix.O_CREAT|unix.O_EXCL|unix.O_WRONLY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o644)
	if err != nil {
		return err
	}
	out := os.NewFile(uintptr(fd), f.Path)
	_, err = io.WriteString(out, f.Content)
	return errors.Join(err, out.Close())
}
