package main

import (
	"os"
	"runtime"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/raket/raket/pkg/capset"
	"github.com/raket/raket/pkg/seccomp/program"
)

// Exit statuses, those that systemd uses for the same failures.
const (
	exitUsage     = 2
	exitExec      = 203
	exitNamespace = 226
	exitCaps      = 218
	exitSeccomp   = 228
)

// endSignal is SIGRTMIN+3, which has systemd start halt.target (systemd(1)).
const endSignal = 37

func main() {
	// Namespaces, roots and capabilities belong to threads.
	runtime.LockOSThread()
	o, argv, err := parse(os.Args[1:])
	if err != nil {
		fail(exitUsage, err.Error())
	}
	if o.identifier != "" {
		// Before anything can fail, so that a failure is read by somebody.
		if err := journalHeader(o.identifier, o.unit); err != nil {
			fail(exitNamespace, "connect to the journal: "+err.Error())
		}
	}
	if o.awaited != "" {
		if err := await(o.awaited); err != nil {
			fail(1, "wait for "+o.awaited+": "+err.Error())
		}
		return
	}
	if o.record != "" {
		root, err := openPodRoot(o.inApp)
		if err == nil {
			err = record(root, o.record)
		}
		if err != nil {
			fail(1, "record how "+strconv.Quote(o.record)+" ended: "+err.Error())
		}
		return
	}
	if o.withParent {
		if err := unix.Prctl(unix.PR_SET_PDEATHSIG, uintptr(unix.SIGKILL), 0, 0, 0); err != nil {
			fail(1, "tie the program to its parent: "+err.Error())
		}
		// The request to end is kept for the init until it listens: the kernel
		// drops what reaches a process 1 that neither handles nor blocks it.
		var end unix.Sigset_t
		end.Val[0] = 1 << (endSignal - 1)
		if err := unix.PthreadSigmask(unix.SIG_BLOCK, &end, nil); err != nil {
			fail(1, "keep the request to end: "+err.Error())
		}
	}
	if n, _ := strconv.Atoi(os.Getenv("LISTEN_FDS")); n < o.sockets {
		fail(exitNamespace, "the pod's systemd has not got the app's sockets: "+strconv.Itoa(n)+" of "+strconv.Itoa(o.sockets))
	}
	var filter program.Program
	limit := capset.Limit
	if o.filter != "" {
		if filter, err = readFilter(o.filter); err != nil {
			fail(exitSeccomp, "read the system call filter: "+err.Error())
		}
		// To load it takes CAP_SYS_ADMIN, and giving that up system calls.
		limit = capset.LimitNext
	}
	if err := setUp(o); err != nil {
		fail(exitNamespace, err.Error())
	}
	if o.bounding != allCapabilities {
		if err := limit(o.bounding, o.ambient); err != nil {
			fail(exitCaps, "give up capabilities: "+err.Error())
		}
	}
	if o.filter != "" {
		err = filter.Exec(argv[0], argv, environ(o))
		if _, ok := err.(*program.LoadError); ok {
			fail(exitSeccomp, err.Error())
		}
	} else {
		err = syscall.Exec(argv[0], argv, environ(o))
	}
	fail(exitExec, "execute "+strconv.Quote(argv[0])+": "+err.Error())
}

// setUp enters the app's root and working directory. That needs root's file
// permissions, which are handed back.
func setUp(o options) error {
	uid, gid := unix.Getuid(), unix.Getgid()
	switchIDs := o.root != "" && (uid != 0 || gid != 0)
	if switchIDs {
		if err := setIDs(0, 0); err != nil {
			return wrap("become root for the mounts", err)
		}
	}
	for _, g := range o.groups {
		if err := join(g); err != nil {
			return wrap("join the control group "+g, err)
		}
	}
	if o.root != "" {
		if err := enterRoot(o); err != nil {
			return err
		}
	}
	if switchIDs {
		// capset.Limit comes after, and raises what the app keeps.
		if err := unix.Prctl(unix.PR_SET_KEEPCAPS, 1, 0, 0, 0); err != nil {
			return wrap("keep capabilities", err)
		}
		if err := setIDs(uid, gid); err != nil {
			return wrap("become the app's user", err)
		}
	}
	if o.workDir != "" {
		if err := unix.Chdir(o.workDir); err != nil {
			return wrap("enter the working directory "+strconv.Quote(o.workDir), err)
		}
	}
	return nil
}

// readFilter reads the system call filter, which is not in the app's root.
func readFilter(path string) (program.Program, error) {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return program.Program{}, err
	}
	defer unix.Close(fd)
	b := make([]byte, program.MaxBytes+1)
	n := 0
	for n < len(b) {
		more, err := unix.Read(fd, b[n:])
		if err != nil {
			return program.Program{}, err
		}
		if more == 0 {
			break
		}
		n += more
	}
	return program.Parse(b[:n])
}

// setIDs changes this thread alone: the others end at execve.
func setIDs(uid, gid int) error {
	if uid == 0 {
		if err := rawSetID(unix.SYS_SETRESUID, uid); err != nil {
			return err
		}
		return rawSetID(unix.SYS_SETRESGID, gid)
	}
	if err := rawSetID(unix.SYS_SETRESGID, gid); err != nil {
		return err
	}
	return rawSetID(unix.SYS_SETRESUID, uid)
}

func rawSetID(trap uintptr, id int) error {
	if _, _, e := syscall.RawSyscall(trap, uintptr(id), uintptr(id), uintptr(id)); e != 0 {
		return e
	}
	return nil
}

// environ is the environment as systemd made it, with the notify socket where
// this root has it.
func environ(o options) []string {
	env := os.Environ()
	for i, e := range env {
		if o.notify && o.root != "" && len(e) > len(notifyVar) && e[:len(notifyVar)] == notifyVar {
			env[i] = notifyVar + notifyPath
		}
	}
	return append(env, o.env...)
}

func fail(code int, msg string) {
	_, _ = unix.Write(2, []byte("raket: "+msg+"\n"))
	unix.Exit(code)
}

// stepError says which step failed. The fmt package is left out on purpose.
type stepError struct {
	step string
	err  error
}

func (e *stepError) Error() string { return e.step + ": " + e.err.Error() }
func (e *stepError) Unwrap() error { return e.err }

func wrap(step string, err error) error {
	if err == nil {
		return nil
	}
	return &stepError{step, err}
}
