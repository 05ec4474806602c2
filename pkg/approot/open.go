package approot

import (
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"

	"github.com/raket/raket/pkg/appspec"
)

// View is an app's root, seen from outside: a descriptor by which whatever is in the
// root is found as the app finds it, its mounts included, while no link in it leads
// out.
type View struct{ fd int }

// OpenView opens the directory at path, which may be a root in /proc.
func OpenView(path string) (View, error) {
	fd, err := unix.Open(path, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return View{}, fmt.Errorf("open the app's root: %w", err)
	}
	return View{fd}, nil
}

// NewView takes over a descriptor of an app's root.
func NewView(fd int) View { return View{fd} }

// Fd is the view's descriptor, of its directory.
func (v View) Fd() int { return v.fd }

// Close closes the view.
func (v View) Close() error { return unix.Close(v.fd) }

// stat is what is known of a file without opening it; links are followed.
func (v View) stat(name string) (st unix.Stat_t, err error) {
	fd, err := openIn(v.fd, name, unix.O_PATH, 0)
	if err != nil {
		return st, &os.PathError{Op: "look at", Path: name, Err: err}
	}
	return st, errors.Join(unix.Fstat(fd, &st), unix.Close(fd))
}

// Executable reports whether a path is an executable file.
func (v View) Executable(path string) bool {
	st, err := v.stat(path)
	return err == nil && st.Mode&unix.S_IFMT == unix.S_IFREG && st.Mode&0o111 != 0
}

// Resolver is what resolving users and programs has to know of the root.
func (v View) Resolver() (appspec.Root, error) {
	passwd, err := v.readUserFile("/etc/passwd")
	if err != nil {
		return appspec.Root{}, err
	}
	group, err := v.readUserFile("/etc/group")
	return appspec.Root{
		Users: appspec.UserFiles{Passwd: passwd, Group: group},
		Owner: func(path string) (uint32, uint32, error) {
			st, err := v.stat(path)
			return st.Uid, st.Gid, err
		},
		Executable: v.Executable,
	}, err
}

func (v View) readUserFile(name string) ([]byte, error) {
	fd, err := openIn(v.fd, name, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_NOCTTY, 0)
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENOTDIR) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the app's %s: %w", name, err)
	}
	f := os.NewFile(uintptr(fd), name)
	defer f.Close()
	if st, err := f.Stat(); err != nil || !st.Mode().IsRegular() {
		return nil, errors.Join(err, fmt.Errorf("read the app's %s: it is not a file", name))
	}
	text, err := io.ReadAll(io.LimitReader(f, appspec.MaxUserFileBytes+1))
	if err == nil && len(text) > appspec.MaxUserFileBytes {
		err = fmt.Errorf("larger than %d bytes", appspec.MaxUserFileBytes)
	}
	if err != nil {
		return nil, fmt.Errorf("read the app's %s: %w", name, err)
	}
	return text, nil
}
