// Package pod keeps the pods of a host: a pod is a directory, its state is the
// directory it is in, and its life is a lock.
//
//	pods/embryo/UUID          just made; holds nothing yet
//	pods/prepare/UUID         being filled; if nobody holds its lock, aborted
//	pods/prepared/UUID        complete, not started
//	pods/run/UUID             started; if nobody holds its lock, exited
//	pods/exited-garbage/UUID  exited, and marked for collection
//	pods/garbage/UUID         being deleted
//
// Every change of state is one rename(2), made by whoever holds the pod's lock.
// The lock of a running pod is an inherited descriptor of the processes that are
// the pod, so the kernel releases it when they are gone, whatever killed them.
// Nothing else is recorded about liveness, and nothing has to be repaired after
// a crash or a reboot.
//
// The package reads and moves; what is inside a pod's directory is described by
// package stageabi.
package pod
