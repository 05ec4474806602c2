package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/raket/raket/pkg/userns"
)

// sameNamespace reports whether this process is in a namespace of the one in dir, of a proc
// file system.
func sameNamespace(name, dir string) (bool, error) {
	own, err1 := os.Readlink("/proc/self/ns/" + name)
	other, err2 := os.Readlink(filepath.Join(dir, "ns", name))
	return own == other, errors.Join(err1, err2)
}

// ownUsers reports whether the pod has a user namespace.
func ownUsers(leader int) (bool, error) {
	same, err := sameNamespace("user", "/proc/"+strconv.Itoa(leader))
	return !same, err
}

// asPodRoot runs this program as root of the pod's user namespace, and nothing more on the
// host: it returns the exit status. fds are passed from descriptor 3 on; told, if not nil,
// are signals to pass. Of the caller's directory, which is root's, it can read nothing.
func asPodRoot(leader int, args []string, fds []int, stdout io.Writer, told <-chan os.Signal) (int, error) {
	dir := filepath.Join("/proc", strconv.Itoa(leader), "ns")
	user, err1 := os.Open(filepath.Join(dir, "user"))
	net, err2 := os.Open(filepath.Join(dir, "net"))
	r, w, err3 := os.Pipe()
	if err := errors.Join(err1, err2, err3); err != nil {
		return 0, err
	}
	defer func() { _, _, _ = user.Close(), net.Close(), r.Close() }()
	out := int(w.Fd())
	direct, ok := stdout.(*os.File)
	if ok {
		out = int(direct.Fd())
	}
	pid, err := userns.Start(userns.Process{
		Path: "/proc/self/exe", Args: args, Env: append(os.Environ(), envLeader+"="+strconv.Itoa(leader)), Files: append([]int{0, out, 2}, fds...),
		Namespace: int(user.Fd()), Before: int(net.Fd()), Group: -1,
	})
	if err := errors.Join(err, w.Close()); err != nil {
		return 0, fmt.Errorf("run as the pod's root: %w", err)
	}
	if told != nil {
		go func() {
			for sig := range told {
				_ = unix.Kill(pid, sig.(unix.Signal))
			}
		}()
	}
	if !ok {
		_, err = io.Copy(stdout, r)
	}
	for {
		var ws unix.WaitStatus
		switch _, werr := unix.Wait4(pid, &ws, 0, nil); {
		case errors.Is(werr, unix.EINTR):
			continue
		case werr != nil:
			return 0, errors.Join(err, werr)
		case ws.Signaled():
			return 128 + int(ws.Signal()), err
		default:
			return ws.ExitStatus(), err
		}
	}
}

// owner has a file's owner as the pod numbers it.
func (e *entry) owner(host func(string) (uint32, uint32, error)) func(string) (uint32, uint32, error) {
	return func(path string) (uint32, uint32, error) {
		uid, gid, err := host(path)
		return e.sandbox.Users.Pod(uid), e.sandbox.Users.Pod(gid), err
	}
}
