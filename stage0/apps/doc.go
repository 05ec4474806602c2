// Package apps changes the apps of a running pod: adds, starts, stops, removes and replaces
// them, through the entrypoints of the pod's stage1.
//
// A change is one process's at a time: whoever makes one holds the lock of the pod's directory of
// apps, and so does the stage1 that works for it, which may outlive it. The pod's description says
// what is under way (stageabi.Change) from before anything is made until all is done; the next to
// come finishes or undoes what a killed process left. docs/adr/0014-mutable-pods.md has
// the steps.
package apps
