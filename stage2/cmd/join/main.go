package main

import (
	"os"
	"runtime"
	"strconv"

	"golang.org/x/sys/unix"
)

// Exit statuses, those that systemd uses for the same failures.
const (
	exitUsage     = 2
	exitExec      = 203
	exitCaps      = 218
	exitNamespace = 226
	exitSeccomp   = 228
)

// becomeArg makes a process of this program the command.
const becomeArg = "-C"

func main() {
	// Namespaces and capabilities belong to threads, and a command dies with the
	// thread that started it.
	runtime.LockOSThread()
	args := os.Args[1:]
	become := len(args) > 0 && args[0] == becomeArg
	if become {
		args = args[1:]
	}
	o, argv, err := parse(args)
	if err != nil {
		fail(exitUsage, err.Error())
	}
	// Nobody in the app is to look into this process or its descriptors.
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		fail(exitNamespace, "hide from the app: "+err.Error())
	}
	if become {
		code, err := o.become(argv)
		fail(code, err.Error())
	}
	code, err := supervise(o, args)
	if err != nil {
		fail(exitNamespace, err.Error())
	}
	unix.Exit(code)
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

func procPath(pid int, name string) string { return "/proc/" + strconv.Itoa(pid) + "/" + name }
