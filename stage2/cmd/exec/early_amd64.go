package main

import "github.com/raket/raket/stage2/bare"

// For entry: what is just below the thread pointer is the pointer to the g, and
// a g that is zero has all stack in the world.
var (
	threadPointer [2]uintptr
	noG           [64]uintptr
)

func entry()

// The linker and entry use these.
var _, _, _, _ = entry, early, &threadPointer, &noG

// early starts an app before there is a runtime. It returns, having done nothing,
// if the command line is for something else.
func early(sp *uintptr) {
	p := bare.Start(sp)
	o, bad := parse(p)
	if o.main != "" && !bad.Failed() {
		findMain(o.main)
	}
	if o.writes() && o.program == 0 && !bad.Failed() {
		writeAndExit(p, o)
	}
	if bad.Failed() || o.needsRuntime() || len(p.Env) >= len(earlyEnv) {
		return
	}
	start(p, o, earlyEnv[:], filterBytes[:], nil)
}

// writeAndExit writes what becomes of an app, and ends the process.
func writeAndExit(p bare.Process, o options) {
	if o.identifier != "" {
		if bad := journalHeader(o); bad.Failed() {
			bad.Die(exitNamespace)
		}
	}
	root, errno := bare.Open("/\x00", pathFlags, 0)
	if errno != 0 {
		bare.Check("open the pod's root", "", errno).Die(1)
	}
	if bad := write(root, p, o); bad.Failed() {
		bad.Die(1)
	}
	bare.Exit(0)
}

// Memory that is there from the start, and costs only as far as it is used.
var (
	earlyEnv    [2048]*byte
	filterBytes [maxFilterWords]uint64
)
