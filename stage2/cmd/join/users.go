package main

import (
	"encoding/binary"
	"errors"
	"os"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/raket/raket/pkg/userns"
)

// A command in a pod with a user namespace is started there as root, which on the host is
// nobody: what only the host's root may do has been done before, or is done for it.

// startAsRoot executes this program again, as the command to be, in the pod's user
// namespace. last is the last descriptor that it needs.
func (o options) startAsRoot(args []string, last int) (int, error) {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, err
	}
	var files []int
	for fd := range last + 1 {
		files = append(files, fd)
	}
	for len(files) <= callerFD {
		files = append(files, -1)
	}
	files[callerFD] = pair[1]
	p := userns.Process{
		Path: "/proc/self/exe", Args: append([]string{os.Args[0], becomeArg}, args...), Env: os.Environ(), Files: files,
		Namespace: o.users, Before: o.before, Group: o.group, Tasks: o.tasks, Setsid: true, Pdeathsig: syscall.SIGKILL,
	}
	pid, err := userns.Start(p)
	if err != nil && o.group >= 0 && o.procs >= 0 {
		// A kernel, or a filter, that does not know how.
		p.Group, p.Tasks = -1, append([]int{o.procs}, p.Tasks...)
		pid, err = userns.Start(p)
	}
	if err := errors.Join(err, unix.Close(pair[1])); err != nil {
		return 0, errors.Join(err, unix.Close(pair[0]))
	}
	go o.giveLimits(pair[0])
	return pid, nil
}

// giveLimits gives the thread that asks for them the limits of the app, which may be more
// than the pod's root may take. The answer is empty, or what went wrong.
func (o options) giveLimits(fd int) {
	var ask [4]byte
	if n, _ := unix.Read(fd, ask[:]); n == len(ask) {
		answer := "\x00"
		if o.main != 0 {
			if err := copyLimits(o.main, int(binary.NativeEndian.Uint32(ask[:]))); err != nil {
				answer = err.Error()
			}
		}
		_ = unix.Send(fd, []byte(answer), unix.MSG_NOSIGNAL)
	}
	_ = unix.Close(fd)
}

// askLimits is the other end.
func askLimits() error {
	var ask [4]byte
	binary.NativeEndian.PutUint32(ask[:], uint32(unix.Gettid()))
	if _, err := unix.Write(callerFD, ask[:]); err != nil {
		return err
	}
	var answer [512]byte
	n, err := unix.Read(callerFD, answer[:])
	if err != nil {
		return err
	}
	if n == 1 && answer[0] == 0 {
		return nil
	}
	return errors.New(string(answer[:max(n, 0)]))
}
