package copytree

import (
	"archive/tar"
	"errors"
	"fmt"
	"os"
	"path"

	"golang.org/x/sys/unix"
)

// place moves what was unpacked in dir, which t.Dir has as tmp, to where it belongs.
func place(t Target, dir int, tmp string, root *tar.Header) error {
	if t.Name == "" {
		if err := check(dir, t.Dir, ""); err != nil {
			return err
		}
		return merge(dir, t.Dir)
	}
	if root != nil {
		return rename(t.Dir, tmp, t.Dir, t.Name)
	}
	names, err := list(dir)
	if err != nil {
		return err
	}
	if len(names) != 1 {
		return fmt.Errorf("copy: %q is not a directory, and the archive has %d roots", t.Name, len(names))
	}
	return rename(dir, names[0], t.Dir, t.Name)
}

func rename(from int, name string, to int, target string) error {
	if err := unix.Renameat(from, name, to, target); err != nil {
		return &os.PathError{Op: "copy to", Path: target, Err: err}
	}
	return nil
}

// check finds out whether all that is in from can go into to.
func check(from, to int, below string) error {
	return each(from, to, func(name string, dir, other bool) error {
		name = path.Join(below, name)
		switch {
		case dir && !other:
			return fmt.Errorf("copy: %q is there and no directory", name)
		case !dir && other:
			return fmt.Errorf("copy: %q is a directory", name)
		}
		return nil
	}, func(name string, a, b int) error { return check(a, b, path.Join(below, name)) }, nil)
}

// merge moves what is in from into to.
func merge(from, to int) error {
	return each(from, to, func(name string, dir, _ bool) error {
		if dir {
			return nil
		}
		return rename(from, name, to, name)
	}, func(_ string, a, b int) error { return merge(a, b) }, func(name string) error { return rename(from, name, to, name) })
}

// each goes through the names in from: those that to has as well, directories of
// both, and those it does not have.
func each(from, to int, both func(name string, fromDir, toDir bool) error, dirs func(name string, a, b int) error, missing func(name string) error) error {
	names, err := list(from)
	if err != nil {
		return err
	}
	for _, name := range names {
		var a, b unix.Stat_t
		if err := unix.Fstatat(from, name, &a, unix.AT_SYMLINK_NOFOLLOW); err != nil {
			return err
		}
		err := unix.Fstatat(to, name, &b, unix.AT_SYMLINK_NOFOLLOW)
		if errors.Is(err, unix.ENOENT) {
			if missing != nil {
				if err := missing(name); err != nil {
					return err
				}
			}
			continue
		}
		if err != nil {
			return err
		}
		isDir := a.Mode&unix.S_IFMT == unix.S_IFDIR
		if err := both(name, isDir, b.Mode&unix.S_IFMT == unix.S_IFDIR); err != nil {
			return err
		}
		if isDir {
			if err := inBoth(from, to, name, dirs); err != nil {
				return err
			}
		}
	}
	return nil
}

func inBoth(from, to int, name string, do func(name string, a, b int) error) error {
	a, err := openDir(from, name)
	if err != nil {
		return err
	}
	defer unix.Close(a)
	b, err := openDir(to, name)
	if err != nil {
		return err
	}
	defer unix.Close(b)
	return do(name, a, b)
}

func list(dir int) ([]string, error) {
	fd, err := openDir(dir, ".")
	if err != nil {
		return nil, err
	}
	f := os.NewFile(uintptr(fd), ".")
	defer f.Close()
	return f.Readdirnames(-1)
}

// removeAll removes what is left of name; that it is gone already is well.
func removeAll(dir int, name string) error {
	err := unix.Unlinkat(dir, name, 0)
	switch {
	case err == nil || errors.Is(err, unix.ENOENT):
		return nil
	case !errors.Is(err, unix.EISDIR) && !errors.Is(err, unix.EPERM):
		return err
	}
	fd, err := openDir(dir, name)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	names, err := list(fd)
	if err != nil {
		return err
	}
	for _, n := range names {
		if err := removeAll(fd, n); err != nil {
			return err
		}
	}
	err = unix.Unlinkat(dir, name, unix.AT_REMOVEDIR)
	if errors.Is(err, unix.ENOENT) {
		return nil
	}
	return err
}
