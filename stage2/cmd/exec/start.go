package main

import (
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/raket/raket/pkg/capset"
	"github.com/raket/raket/pkg/seccomp/program"
	"github.com/raket/raket/stage2/bare"
)

// start becomes the program. env is memory for the program's environment, words
// for the system call filter. connect, which is not nil under the runtime alone,
// connects the app's streams in the app's root.
//
// Whatever it calls keeps to the rules of package bare: it may run without Go's
// runtime.
func start(p bare.Process, o options, env []*byte, words []uint64, connect func() bare.Failure) {
	if o.identifier != "" {
		// Before anything can fail, so that a failure is read by somebody.
		if bad := journalHeader(o); bad.Failed() {
			bad.Die(exitNamespace)
		}
	}
	if o.withParent {
		if bad := tie(); bad.Failed() {
			bad.Die(1)
		}
	}
	if have, _ := listenFDs(p); have < o.sockets {
		bare.Failure{Step: "the pod's systemd has not got all of the app's sockets"}.Die(exitNamespace)
	}
	var filter program.View
	if o.filter != "" {
		var bad bare.Failure
		if filter, bad = readFilter(o.filter, words); bad.Failed() {
			bad.Die(exitSeccomp)
		}
	}
	if bad := setUp(p, o); bad.Failed() {
		bad.Die(exitNamespace)
	}
	if connect != nil {
		if bad := connect(); bad.Failed() {
			bad.Die(exitNamespace)
		}
	}
	if o.bounding != allCapabilities {
		// To load a filter takes CAP_SYS_ADMIN, and giving that up system calls.
		if errno := capset.LimitThread(o.bounding, o.ambient, o.filter != ""); errno != 0 {
			bare.Check("give up capabilities", "", errno).Die(exitCaps)
		}
	}
	if o.label != "" {
		if bad := setLabel(o.label.Text()); bad.Failed() {
			bad.Die(exitNamespace)
		}
	}
	environment := environ(p, o, env)
	if o.filter != "" {
		if errno := filter.Load(); errno != 0 {
			bare.Check("load the system call filter", "", errno).Die(exitSeccomp)
		}
	}
	path := p.Arg(o.program)
	bare.Check("execute", path.Text(), bare.Execve(path, p.From(o.program), environment)).Die(exitExec)
}

// tie has the kernel kill what this process becomes when its parent dies, and
// keeps the request to end until an init listens: the kernel drops what reaches
// a process 1 that neither handles nor blocks it.
func tie() bare.Failure {
	if _, errno := bare.Prctl(unix.PR_SET_PDEATHSIG, uintptr(unix.SIGKILL), 0); errno != 0 {
		return bare.Check("tie the program to its parent", "", errno)
	}
	return bare.Check("keep the request to end", "", bare.BlockSignal(endSignal))
}

func listenFDs(p bare.Process) (uint64, bool) {
	v, ok := p.Getenv("LISTEN_FDS")
	if !ok {
		return 0, false
	}
	return v.Uint(10)
}

// setUp enters the app's root and working directory. That needs root's file
// permissions, which are handed back.
func setUp(p bare.Process, o options) bare.Failure {
	uid, gid := bare.IDs()
	switchIDs := o.root != "" && (uid != 0 || gid != 0)
	if switchIDs {
		errno := bare.SetUser(0)
		if errno == 0 {
			errno = bare.SetGroup(0)
		}
		if errno != 0 {
			return bare.Check("become root for the mounts", "", errno)
		}
	}
	for file, i := o.next(p, "-g", 0); i > 0; file, i = o.next(p, "-g", i) {
		if bad := join(file); bad.Failed() {
			return bad
		}
	}
	if o.root != "" {
		if bad := enterRoot(p, o); bad.Failed() {
			return bad
		}
	}
	if switchIDs {
		// capset.LimitThread comes after, and raises what the app keeps.
		if _, errno := bare.Prctl(unix.PR_SET_KEEPCAPS, 1, 0); errno != 0 {
			return bare.Check("keep capabilities", "", errno)
		}
		errno := bare.SetGroup(gid)
		if errno == 0 {
			errno = bare.SetUser(uid)
		}
		if errno != 0 {
			return bare.Check("become the app's user", "", errno)
		}
	}
	if o.workDir != "" {
		return bare.Check("enter the working directory", o.workDir.Text(), bare.Chdir(o.workDir))
	}
	return bare.Failure{}
}

// maxFilterWords is the size of the largest filter file, and one more.
const maxFilterWords = program.MaxBytes/8 + 1

// readFilter reads the system call filter, which is not in the app's root.
func readFilter(path bare.Str, words []uint64) (program.View, bare.Failure) {
	fd, errno := bare.Open(path, unix.O_RDONLY, 0)
	if errno != 0 {
		return program.View{}, bare.Check("read the system call filter", path.Text(), errno)
	}
	b := unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(words))), 8*len(words))
	n := 0
	for n < len(b) {
		more, errno := bare.Read(fd, b[n:])
		if errno != 0 {
			return program.View{}, bare.Check("read the system call filter", path.Text(), errno)
		}
		if more == 0 {
			break
		}
		n += more
	}
	bare.Close(fd)
	v, ok := program.ViewOf(words, n)
	if !ok {
		return v, bare.Failure{Step: "read the system call filter", What: path.Text(), Why: "it is none"}
	}
	return v, bare.Failure{}
}

// environ is the environment as systemd made it, with the notify socket where
// this root has it.
func environ(p bare.Process, o options, env []*byte) **byte {
	n := copy(env, p.Env)
	for i, e := range env[:n] {
		_, ok := bare.At(e).After(notifyVar)
		switch {
		case !ok || !o.notify:
		case o.root != "":
			env[i] = bare.Str(notifyVar + notifyPath + "\x00").Ptr()
		case o.notifyFrom != "":
			env[i] = bare.Str(notifyVar + innerNotifyPath + "\x00").Ptr()
		}
	}
	env[n] = nil
	return &env[0]
}
