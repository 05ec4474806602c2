package main

import (
	"time"

	"github.com/raket/raket/stage1/unitgen"
)

// The entrypoints that change the apps of a running pod, app/add and its like, are
// programs named "app-" and one of these.
const (
	addVerb    = "add"
	startVerb  = "start"
	stopVerb   = "stop"
	removeVerb = "rm"
)

// plan is what a child of this program does in the pod, under the name changeName: all that
// can be found out and made outside is. The child gets it as JSON, and with it
// the files it names.
type plan struct {
	Verb string
	App  string
	// Replace puts Units and the root in the place of those that the app has, and
	// starts it; Restore undoes a Replace that was not finished.
	Replace, Restore bool
	// Previous: of rm, what is left of an app that has been replaced.
	Previous bool
	// Start the app at the end: of Restart, and of Restore.
	Start   bool
	Restart bool
	Force   bool
	// Proof is what shows that an app that replaces another is good; Settle is how long one
	// that has none has to run without failing, and Wait the longest to wait for it, 0 for as
	// long as the app's own limits allow.
	Proof        unitgen.Proof
	Settle, Wait time.Duration

	// Units are the unit files of all apps by name, which differ only in what they have to do
	// with this one; Calm are the same without what ends the pod when the app fails,
	// and Starts those that start it.
	Units, Calm map[string][]byte
	Starts      []string
	// Waiting are as Calm; an app of the host's sockets starts when the plan is carried out.
	Waiting map[string][]byte
	// Dependents are the apps that stop with this one.
	Dependents []string
	// Old, OldCalm, OldWaiting and OldStarts are the same of an app that is replaced.
	Old, OldCalm, OldWaiting map[string][]byte
	OldStarts                []string
	// Given are units of sockets of the app's that are the host's: nobody could open them
	// again, so nobody closes them.
	Given []string
	// Hold is the unit that keeps the pod while none of its apps runs; nil where
	// nothing ends it.
	Hold []byte
	// Files are others in the pod's root, by their paths.
	Files map[string][]byte
	// Unfiltered: the app has no system call filter.
	Unfiltered bool

	// Owner is the pod's root as the host numbers it, where the pod has users of its own.
	Owner int

	// Root is the descriptor of the app's root, a detached mount; 0 for none. Groups are
	// those of control groups of the pod's, by controller.
	Root   int
	Groups map[string]int
}

// changeName is this program as the one that carries out a plan.
const changeName = "change"
