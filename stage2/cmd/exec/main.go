package main

import (
	"os"
	"runtime"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/raket/raket/stage2/bare"
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

// main is where the program starts that early has left alone, or that was not
// linked to start there.
func main() {
	// Namespaces, roots and capabilities belong to threads.
	runtime.LockOSThread()
	p := bare.New(os.Args, os.Environ())
	o, bad := parse(p)
	if bad.Failed() {
		bad.Die(exitUsage)
	}
	if o.program > 0 {
		// This executes nothing, but takes back what Go's runtime does to the limit
		// of open files, as every exec by the syscall package does first.
		if err := syscall.Exec("", nil, nil); err != syscall.ENOENT {
			fail(exitNamespace, "restore the limit of open files: "+err.Error())
		}
		if o.envFile != "" {
			// On a command line everybody could read them.
			env, err := readEnv(o.envFile.Text())
			if err != nil {
				fail(exitNamespace, "read the app's environment: "+err.Error())
			}
			p = bare.New(os.Args, append(os.Environ(), env...))
		}
		if o.sysctls != "" {
			if err := setSysctls(o.sysctls.Text()); err != nil {
				fail(exitNamespace, "set kernel parameters: "+err.Error())
			}
		}
		var connect func() bare.Failure
		if o.modes != "" {
			s, err := askForStreams(o.modes.Text())
			if err != nil {
				fail(exitNamespace, "connect the app's streams: "+err.Error())
			}
			connect = s.connect
		}
		start(p, o, make([]*byte, len(p.Env)+1), make([]uint64, maxFilterWords), connect)
	}
	if o.identifier != "" {
		if bad := journalHeader(o); bad.Failed() {
			bad.Die(exitNamespace)
		}
	}
	if o.main != "" {
		findMain(o.main)
	}
	if o.awaited != "" {
		if err := await(o.awaited.Text()); err != nil {
			fail(1, "wait for "+o.awaited.Text()+": "+err.Error())
		}
		return
	}
	if o.locked != "" {
		if err := awaitUnlocked(o.locked.Text()); err != nil {
			fail(1, "wait for the lock of "+o.locked.Text()+": "+err.Error())
		}
		return
	}
	tell(p, o)
}

// tell writes, or reads, what becomes of an app.
func tell(p bare.Process, o options) {
	root, err := openPodRoot(o.inApp)
	if err != nil {
		fail(1, "open the pod's root: "+err.Error())
	}
	if o.wait != "" {
		if err := awaitUp(root, o.wait.Text()); err != nil {
			fail(1, "wait for "+strconv.Quote(o.wait.Text())+": "+err.Error())
		}
		return
	}
	if bad := write(root, p, o); bad.Failed() {
		bad.Die(1)
	}
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
