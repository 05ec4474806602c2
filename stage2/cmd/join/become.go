package main

import (
	"errors"
	"os"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/raket/raket/pkg/capset"
	"github.com/raket/raket/pkg/seccomp/program"
)

// become makes this process the command. It returns only with an error, and the exit
// status that goes with it.
func (o options) become(argv []string) (int, error) {
	parent := unix.Getppid()
	execute, limit := syscall.Exec, capset.Limit
	if o.filter != "" {
		text, err := readFile(o.filter)
		var filter program.Program
		if err == nil {
			filter, err = program.Parse(text)
		}
		if err != nil {
			return exitSeccomp, wrap("read the system call filter", err)
		}
		// To load it takes CAP_SYS_ADMIN, and giving that up system calls.
		execute, limit = filter.Exec, capset.LimitNext
	}
	if err := o.enter(); err != nil {
		return exitNamespace, err
	}
	if err := o.setUser(); err != nil {
		return exitNamespace, wrap("become the user", err)
	}
	if err := limit(o.bounding, o.ambient); err != nil {
		return exitCaps, wrap("give up capabilities", err)
	}
	if o.noNewPrivs {
		if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
			return exitNamespace, wrap("forbid new privileges", err)
		}
	}
	// Only now: a change of user undoes it.
	if err := unix.Prctl(unix.PR_SET_PDEATHSIG, uintptr(unix.SIGKILL), 0, 0, 0); err != nil {
		return exitNamespace, wrap("tie the command to its supervisor", err)
	}
	if unix.Getppid() != parent {
		return exitNamespace, errors.New("the supervisor has ended")
	}
	err := execute(argv[0], argv, os.Environ())
	var load *program.LoadError
	if errors.As(err, &load) {
		return exitSeccomp, err
	}
	return exitExec, wrap("execute "+strconv.Quote(argv[0]), err)
}

// closeCallers closes all descriptors from callerFD on but those of Go's runtime: it watches
// files by two of them, which are no files themselves, and ends the process when it misses
// one. They are closed by the execution. last is the last of the callers' own; the
// runtime has the lowest that were free.
func closeCallers(last int) error {
	beyondRuntime := last + 64
	first := uint(callerFD)
	for fd := callerFD; fd < beyondRuntime; fd++ {
		var st unix.Stat_t
		if unix.Fstat(fd, &st) != nil || st.Mode&unix.S_IFMT != 0 {
			continue
		}
		if flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err != nil || flags&unix.FD_CLOEXEC == 0 {
			continue
		}
		if first < uint(fd) {
			if err := unix.CloseRange(first, uint(fd)-1, 0); err != nil {
				return err
			}
		}
		first = uint(fd) + 1
	}
	return unix.CloseRange(first, 1<<31-1, 0)
}

// enter moves this thread to where the app is.
func (o options) enter() error {
	if o.users >= 0 {
		if err := askLimits(); err != nil {
			return wrap("take the app's limits", err)
		}
	} else if err := o.place(); err != nil {
		return err
	}
	if err := unix.Unshare(unix.CLONE_FS); err != nil {
		return err
	}
	for _, fd := range o.namespaces {
		if err := unix.Setns(fd, 0); err != nil {
			return wrap("join the app's namespaces", err)
		}
	}
	if o.root >= 0 {
		if err := errors.Join(unix.Fchdir(o.root), unix.Chroot(".")); err != nil {
			return wrap("enter the app's root", err)
		}
	}
	// From here on the app may have its hands on this process.
	if err := closeCallers(o.last()); err != nil {
		return wrap("close descriptors", err)
	}
	if err := unix.Chdir(o.workDir); err != nil {
		if !o.lenient || unix.Chdir("/") != nil {
			return wrap("enter the working directory "+strconv.Quote(o.workDir), err)
		}
	}
	unix.Umask(o.umask)
	if o.terminal {
		if err := unix.IoctlSetInt(0, unix.TIOCSCTTY, 0); err != nil {
			return wrap("take the terminal", err)
		}
	}
	return nil
}

// place joins the app's control groups and takes its limits.
func (o options) place() error {
	for _, fd := range o.tasks {
		if err := write0(fd); err != nil {
			return wrap("join the app's control group", err)
		}
	}
	if o.procs >= 0 && !o.inGroup {
		if err := write0(o.procs); err != nil {
			return wrap("join the app's control group", err)
		}
	}
	if o.main != 0 {
		if err := copyLimits(o.main, 0); err != nil {
			return wrap("take the app's limits", err)
		}
	}
	return nil
}

// write0 moves what the kernel calls by the number 0, the writer.
func write0(fd int) error {
	_, err := unix.Write(fd, []byte("0"))
	return err
}

// setUser changes this thread alone; the others end at execve.
func (o options) setUser() error {
	if err := unix.Prctl(unix.PR_SET_KEEPCAPS, 1, 0, 0, 0); err != nil {
		return err
	}
	gids := make([]uint32, len(o.gids)+1)
	for i, g := range o.gids {
		gids[i] = uint32(g)
	}
	if err := setGroups(gids[:len(o.gids)], &gids[0]); err != nil {
		return err
	}
	if err := rawSetID(unix.SYS_SETRESGID, o.gid); err != nil {
		return err
	}
	return rawSetID(unix.SYS_SETRESUID, o.uid)
}

func rawSetID(trap uintptr, id int) error {
	if _, _, e := syscall.RawSyscall(trap, uintptr(id), uintptr(id), uintptr(id)); e != 0 {
		return e
	}
	return nil
}
