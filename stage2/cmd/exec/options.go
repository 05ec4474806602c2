package main

import "github.com/raket/raket/stage2/bare"

type options struct {
	identifier bare.Str // journal identifier; empty: descriptor 1 is not the journal
	unit       bare.Str // the host's unit
	errorsLog  bool     // descriptor 2 is the journal
	modes      bare.Str // of the app's streams, which mux holds; see streams.go
	root       bare.Str // the app's root; empty: systemd has entered it
	readOnly   bool
	openPaths  bool // of root: the kernel's files in it are not protected
	ownUsers   bool // of root: the pod has a user namespace
	workDir    bare.Str
	notify     bool
	notifyFrom bare.Str // the socket that is the app's service manager; empty: systemd's
	filter     bare.Str // file of the system call filter
	bounding   uint64   // capabilities kept
	ambient    uint64
	envFile    bare.Str // of variables that no unit can hold
	extras     bool     // of root: see addExtras
	label      bare.Str // what the program is labelled with
	sysctls    bare.Str // file of kernel parameters to set
	record     bare.Str // app whose end is recorded; nothing is executed
	group      bare.Str // of record: the app's control group for memory; empty: the app's name
	withParent bool     // the kernel kills the program when its parent dies
	awaited    bare.Str // where somebody has to listen; nothing is executed
	locked     bare.Str // file that somebody has locked; nothing is executed
	sockets    uint64   // descriptors that systemd has to have passed
	// In place of a program: write that the app is up, is lost, has run to its end, or
	// wait until it is one of the first two.
	up, lost, done, wait bare.Str
	inApp                bool     // of record, up and done: systemd has entered the app's root
	main                 bare.Str // in place of a program: app whose main process is to be found
	program              int      // the argument that is the program to execute; 0: none is
}

// needsRuntime reports whether something is asked for that is written with all
// of Go.
func (o options) needsRuntime() bool {
	return o.program == 0 || o.envFile != "" || o.modes != "" || o.extras || o.label != "" || o.sysctls != ""
}

// allCapabilities leaves the sets as they are.
const allCapabilities = ^uint64(0)

// parse reads the command line, which stage1 wrote; it is not made for people.
func parse(p bare.Process) (options, bare.Failure) {
	o := options{bounding: allCapabilities}
	for i := 1; i < p.Len(); i++ {
		name := p.Arg(i).Text()
		if name == "--" {
			if i+1 >= p.Len() {
				break
			}
			o.program = i + 1
			return o, bare.Failure{}
		}
		var value bare.Str
		if hasValue(name) {
			i++
			if i >= p.Len() {
				return o, bare.Failure{Step: "option", What: name, Why: "needs a value"}
			}
			value = p.Arg(i)
		}
		if bad := o.set(name, value); bad.Failed() {
			return o, bad
		}
	}
	if o.record == "" && o.awaited == "" && o.locked == "" && o.up == "" && o.lost == "" && o.done == "" && o.wait == "" && o.main == "" {
		return o, bare.Failure{Step: "no program to execute"}
	}
	return o, bare.Failure{}
}

// hasValue reports whether an option's value is the argument after it.
func hasValue(option string) bool {
	switch option {
	case "-R", "-w", "-N", "-m", "-h", "-u", "-e", "-g", "-G", "-l", "-L", "-f", "-c", "-s", "-b", "-a", "-S", "-V", "-D", "-W", "-d", "-i", "-q", "-x", "-y", "-M":
		return true
	}
	return false
}

func (o *options) set(option string, value bare.Str) bare.Failure {
	ok := true
	switch option {
	case "-R":
		o.root = value
	case "-r":
		o.readOnly = true
	case "-o":
		o.openPaths = true
	case "-U":
		o.ownUsers = true
	case "-w":
		o.workDir = value
	case "-n":
		o.notify = true
	case "-N":
		o.notify, o.notifyFrom = true, value
	case "-k":
		o.withParent = true
	case "-h":
		o.identifier = value
	case "-u":
		o.unit = value
	case "-j":
		o.errorsLog = true
	case "-m":
		o.modes = value
	case "-e":
		o.envFile = value
	case "-g": // see groups
	case "-G":
		o.group = value
	case "-d", "-i", "-q":
		o.extras = true
	case "-x":
		o.label = value
	case "-y":
		o.sysctls = value
	case "-l":
		o.awaited = value
	case "-L":
		o.locked = value
	case "-f":
		o.sockets, ok = value.Uint(10)
	case "-c":
		o.filter = value
	case "-s":
		o.record = value
	case "-S":
		o.up = value
	case "-V":
		o.lost = value
	case "-D":
		o.done = value
	case "-W":
		o.wait = value
	case "-M":
		o.main = value
	case "-p":
		o.inApp = true
	case "-b":
		o.bounding, ok = value.Uint(16)
	case "-a":
		o.ambient, ok = value.Uint(16)
	default:
		return bare.Failure{Step: "unknown option", What: option}
	}
	if !ok {
		return bare.Failure{Step: "option", What: option, Why: "needs a number"}
	}
	return bare.Failure{}
}

// next is the value of the first option of that name from argument i on, and
// where to go on from; where is 0 if there is none. So an option that may be
// repeated needs no list.
func (o options) next(p bare.Process, option string, i int) (value bare.Str, where int) {
	for i = max(i, 1); i < o.program-1; i++ {
		name := p.Arg(i).Text()
		if !hasValue(name) {
			continue
		}
		i++
		if name == option {
			return p.Arg(i), i + 1
		}
	}
	return "", 0
}
