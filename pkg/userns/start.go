package userns

import (
	"errors"
	"runtime"
	"strconv"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Process describes a program to be started in a user namespace, as its root, with all
// capabilities there.
type Process struct {
	Path string
	Args []string // Args[0] is the name
	Env  []string
	// Files become the descriptors from 0 on; a negative one is closed there.
	Files []int
	// Namespace is a descriptor of the user namespace. Before is one of a namespace to be
	// entered before it, as the caller; negative for none.
	Namespace, Before int
	// Group is a descriptor of the unified control group to be started in, and Tasks are those
	// of files of legacy groups; negative and empty for the caller's.
	Group int
	Tasks []int
	// Setsid makes it the leader of a session, and Pdeathsig is what the kernel sends it as
	// the caller's thread ends: for as long as its user stays what it is.
	Setsid    bool
	Pdeathsig syscall.Signal
}

// Steps of the child, which it reports with what went wrong.
const (
	stepGroup = iota + 1
	stepBefore
	stepNamespace
	stepUser
	stepFiles
	stepExec
)

var steps = map[int]string{
	stepGroup: "join the control group", stepBefore: "join the network", stepNamespace: "join the user namespace", stepUser: "become its root",
	stepFiles: "pass descriptors", stepExec: "execute",
}

// plan is all that the child needs, made before there is one.
type plan struct {
	path              *byte
	argv, env         []*byte
	files             []int
	ns, before, group int
	tasks             []int
	setsid            bool
	pdeathsig         syscall.Signal
	report            int
	mask              uint64
	zero              [1]byte
	result            [2]uint32
	action            sigaction
	defaultAction     sigaction
	clone             cloneArgs
	emptyGroups       uint32
}

type sigaction struct {
	handler  uintptr
	flags    uint64
	restorer uintptr
	mask     uint64
}

// cloneArgs is struct clone_args (clone(2)).
type cloneArgs struct {
	flags, pidfd, childTID, parentTID, exitSignal, stack, stackSize, tls, setTID, setTIDSize, cgroup uint64
}

// Start starts the process and returns its ID. The calling thread must be locked to its
// goroutine where Pdeathsig is set.
func Start(p Process) (pid int, err error) {
	c := &plan{ns: p.Namespace, before: p.Before, group: p.Group, tasks: p.Tasks, setsid: p.Setsid, pdeathsig: p.Pdeathsig}
	if c.path, err = syscall.BytePtrFromString(p.Path); err != nil {
		return 0, err
	}
	if c.argv, err = syscall.SlicePtrFromStrings(p.Args); err != nil {
		return 0, err
	}
	if c.env, err = syscall.SlicePtrFromStrings(p.Env); err != nil {
		return 0, err
	}
	c.zero[0] = '0'
	var pipe [2]int
	syscall.ForkLock.Lock()
	defer syscall.ForkLock.Unlock()
	if err := unix.Pipe2(pipe[:], unix.O_CLOEXEC); err != nil {
		return 0, err
	}
	defer unix.Close(pipe[0])
	closing := []int{pipe[1]}
	defer func() {
		for _, fd := range closing {
			_ = unix.Close(fd)
		}
	}()
	// What the child puts in its place must not be in the place of another.
	high := len(p.Files)
	lift := func(fd int) (int, error) {
		if fd < 0 {
			return -1, nil
		}
		fd, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, high)
		if err == nil {
			closing = append(closing, fd)
		}
		return fd, err
	}
	for _, fd := range p.Files {
		if fd, err = lift(fd); err != nil {
			return 0, err
		}
		c.files = append(c.files, fd)
	}
	if c.report, err = lift(pipe[1]); err != nil {
		return 0, err
	}
	pid, errno := fork(c)
	for _, fd := range closing {
		_ = unix.Close(fd)
	}
	closing = nil
	runtime.KeepAlive(c)
	if errno != 0 {
		return 0, errno
	}
	return pid, outcome(pid, pipe[0], p.Path)
}

// outcome waits until the child has executed its program, or failed.
func outcome(pid, fd int, path string) error {
	var report [8]byte
	n := 0
	for n < len(report) {
		more, err := unix.Read(fd, report[n:])
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil || more == 0 {
			break
		}
		n += more
	}
	if n < len(report) {
		return nil
	}
	for {
		if _, err := unix.Wait4(pid, nil, 0, nil); !errors.Is(err, unix.EINTR) {
			break
		}
	}
	words := (*[2]uint32)(unsafe.Pointer(&report))
	step := steps[int(words[0])]
	if int(words[0]) == stepExec {
		step += " " + strconv.Quote(path)
	}
	return &Error{step, syscall.Errno(words[1])}
}

// Error is a step on the way to the program that failed.
type Error struct {
	Step string
	Err  error
}

func (e *Error) Error() string { return e.Step + ": " + e.Err.Error() }
func (e *Error) Unwrap() error { return e.Err }

// fork clones this thread. The child shares no memory with anybody, and has no thread but
// this one: it must not allocate, grow its stack, or be handed a signal.
//
//go:noinline
//go:norace
func fork(c *plan) (int, syscall.Errno) {
	const setMask, size = unix.SIG_SETMASK, 8
	all := ^uint64(0)
	if _, _, e := syscall.RawSyscall6(unix.SYS_RT_SIGPROCMASK, setMask, uintptr(unsafe.Pointer(&all)), uintptr(unsafe.Pointer(&c.mask)), size, 0, 0); e != 0 {
		return 0, e
	}
	var pid uintptr
	e := syscall.ENOSYS
	if c.group >= 0 {
		c.clone = cloneArgs{flags: unix.CLONE_INTO_CGROUP, exitSignal: uint64(unix.SIGCHLD), cgroup: uint64(c.group)}
		pid, _, e = syscall.RawSyscall(unix.SYS_CLONE3, uintptr(unsafe.Pointer(&c.clone)), unsafe.Sizeof(c.clone), 0)
	}
	if c.group < 0 {
		pid, _, e = syscall.RawSyscall6(unix.SYS_CLONE, uintptr(unix.SIGCHLD), 0, 0, 0, 0, 0)
	}
	if e == 0 && pid == 0 {
		child(c)
	}
	_, _, _ = syscall.RawSyscall6(unix.SYS_RT_SIGPROCMASK, setMask, uintptr(unsafe.Pointer(&c.mask)), 0, size, 0, 0)
	return int(pid), e
}

//go:noinline
//go:norace
//go:nosplit
func child(c *plan) {
	step, e := enter(c)
	c.result[0], c.result[1] = uint32(step), uint32(e)
	_, _, _ = syscall.RawSyscall(unix.SYS_WRITE, uintptr(c.report), uintptr(unsafe.Pointer(&c.result)), 8)
	for {
		_, _, _ = syscall.RawSyscall(unix.SYS_EXIT_GROUP, 253, 0, 0)
	}
}

//go:norace
//go:nosplit
func enter(c *plan) (int, syscall.Errno) {
	for i := range c.tasks {
		if _, _, e := syscall.RawSyscall(unix.SYS_WRITE, uintptr(c.tasks[i]), uintptr(unsafe.Pointer(&c.zero)), 1); e != 0 {
			return stepGroup, e
		}
	}
	if c.setsid {
		_, _, _ = syscall.RawSyscall(unix.SYS_SETSID, 0, 0, 0)
	}
	if c.before >= 0 {
		if _, _, e := syscall.RawSyscall(unix.SYS_SETNS, uintptr(c.before), 0, 0); e != 0 {
			return stepBefore, e
		}
	}
	if _, _, e := syscall.RawSyscall(unix.SYS_SETNS, uintptr(c.ns), unix.CLONE_NEWUSER, 0); e != 0 {
		return stepNamespace, e
	}
	if _, _, e := syscall.RawSyscall(unix.SYS_SETGROUPS, 0, uintptr(unsafe.Pointer(&c.emptyGroups)), 0); e != 0 {
		return stepUser, e
	}
	if _, _, e := syscall.RawSyscall(unix.SYS_SETRESGID, 0, 0, 0); e != 0 {
		return stepUser, e
	}
	if _, _, e := syscall.RawSyscall(unix.SYS_SETRESUID, 0, 0, 0); e != 0 {
		return stepUser, e
	}
	if c.pdeathsig != 0 { // after the change of user, which undoes it
		if _, _, e := syscall.RawSyscall6(unix.SYS_PRCTL, unix.PR_SET_PDEATHSIG, uintptr(c.pdeathsig), 0, 0, 0, 0); e != 0 {
			return stepUser, e
		}
	}
	for i := range c.files {
		if c.files[i] < 0 {
			_, _, _ = syscall.RawSyscall(unix.SYS_CLOSE, uintptr(i), 0, 0)
			continue
		}
		if _, _, e := syscall.RawSyscall(unix.SYS_DUP3, uintptr(c.files[i]), uintptr(i), 0); e != 0 {
			return stepFiles, e
		}
	}
	// The program gets no handlers, which are this one's, and its caller's mask.
	for sig := uintptr(1); sig <= 64; sig++ {
		_, _, e := syscall.RawSyscall6(unix.SYS_RT_SIGACTION, sig, 0, uintptr(unsafe.Pointer(&c.action)), 8, 0, 0)
		if e == 0 && c.action.handler > 1 {
			_, _, _ = syscall.RawSyscall6(unix.SYS_RT_SIGACTION, sig, uintptr(unsafe.Pointer(&c.defaultAction)), 0, 8, 0, 0)
		}
	}
	_, _, _ = syscall.RawSyscall6(unix.SYS_RT_SIGPROCMASK, unix.SIG_SETMASK, uintptr(unsafe.Pointer(&c.mask)), 0, 8, 0, 0)
	_, _, e := syscall.RawSyscall(unix.SYS_EXECVE, uintptr(unsafe.Pointer(c.path)), uintptr(unsafe.Pointer(&c.argv[0])), uintptr(unsafe.Pointer(&c.env[0])))
	return stepExec, e
}
