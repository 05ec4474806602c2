package main

import (
	"errors"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"

	"golang.org/x/sys/unix"
)

// callerFD is where signals for the command come from.
const callerFD = 3

// supervise starts the command, hands signals to it, and returns how it ended.
func supervise(o options, args []string) (int, error) {
	// Orphans of the command come to this process while it is there: that is how it
	// finds all that there is to kill.
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return 0, wrap("adopt what the command leaves", err)
	}
	pid, err := start(o, args)
	if err != nil {
		return 0, wrap("start the command", err)
	}
	var left atomic.Bool
	go listen(pid, &left)
	for {
		var ws unix.WaitStatus
		got, err := unix.Wait4(-1, &ws, 0, nil)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case err != nil:
			return 0, wrap("wait for the command", err)
		}
		if left.Load() {
			killAll()
			return 128 + int(unix.SIGKILL), nil
		}
		if got == pid {
			if ws.Signaled() {
				return 128 + int(ws.Signal()), nil
			}
			return ws.ExitStatus(), nil
		}
	}
}

// start executes this program again, as the command to be, in the app's unified
// control group from its first instruction: moving a process there later has the
// kernel stop the machine's every fork for 10 ms.
func start(o options, args []string) (int, error) {
	attr := &syscall.ProcAttr{Env: os.Environ(), Sys: &syscall.SysProcAttr{Setsid: true, Pdeathsig: syscall.SIGKILL}}
	last := o.last()
	if o.users >= 0 {
		return o.startAsRoot(args, last)
	}
	for fd := range last + 1 {
		if fd == callerFD {
			attr.Files = append(attr.Files, ^uintptr(0)) // closed there
			continue
		}
		attr.Files = append(attr.Files, uintptr(fd))
	}
	argv := append([]string{os.Args[0], becomeArg}, args...)
	if o.group >= 0 {
		attr.Sys.UseCgroupFD, attr.Sys.CgroupFD = true, o.group
		into := append([]string{os.Args[0], becomeArg, "-i"}, args...)
		pid, err := syscall.ForkExec("/proc/self/exe", into, attr)
		if err == nil {
			return pid, nil
		}
		// A kernel, or a filter, that does not know how.
		attr.Sys.UseCgroupFD = false
	}
	return syscall.ForkExec("/proc/self/exe", argv, attr)
}

// last is the last descriptor that is the caller's.
func (o options) last() int {
	last := callerFD - 1
	for _, fd := range append(append([]int{o.group, o.procs, o.root, o.users, o.before}, o.tasks...), o.namespaces...) {
		last = max(last, fd)
	}
	return last
}

// listen hands on signals until the caller is gone, and then sees to it that nothing
// of the command stays.
func listen(pid int, left *atomic.Bool) {
	var buf [16]byte
	for {
		n, err := unix.Read(callerFD, buf[:])
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if n <= 0 {
			left.Store(true)
			_ = unix.Kill(pid, unix.SIGKILL)
			return
		}
		for _, sig := range buf[:n] {
			target := pid
			switch syscall.Signal(sig) {
			case unix.SIGINT, unix.SIGQUIT, unix.SIGHUP:
				target = -pid // what a terminal tells its foreground
			}
			_ = unix.Kill(target, syscall.Signal(sig))
		}
	}
}

// killAll kills the children of this process until there are none: the children of
// those that die become its own.
func killAll() {
	for {
		for _, pid := range children() {
			_ = unix.Kill(pid, unix.SIGKILL)
		}
		_, err := unix.Wait4(-1, nil, 0, nil)
		if err != nil && !errors.Is(err, unix.EINTR) {
			return
		}
	}
}

func children() []int {
	var pids []int
	tasks, err := os.ReadDir("/proc/self/task")
	if err != nil {
		return nil
	}
	for _, t := range tasks {
		text, err := os.ReadFile("/proc/self/task/" + t.Name() + "/children")
		if err != nil {
			continue
		}
		for f := range strings.FieldsSeq(string(text)) {
			if pid, err := strconv.Atoi(f); err == nil {
				pids = append(pids, pid)
			}
		}
	}
	return pids
}
