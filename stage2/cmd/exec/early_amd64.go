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
	if bad.Failed() || o.needsRuntime() || len(p.Env) >= len(earlyEnv) {
		return
	}
	start(p, o, earlyEnv[:], filterBytes[:], nil)
}

// Memory that is there from the start, and costs only as far as it is used.
var (
	earlyEnv    [2048]*byte
	filterBytes [maxFilterWords]uint64
)
