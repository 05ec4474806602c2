// Package flock holds flock(2) locks on files and directories.
//
// Terms: a lock belongs to the open file description, not to the process. It
// lasts until the last descriptor that refers to the description is closed, in
// whatever process that descriptor has come to live; the kernel drops it when
// a process is killed. So an inherited lock marks its holder's descendants
// alive, and no lock is ever stale.
//
// A path can be renamed or replaced between open and lock. Callers for whom
// that matters ask Lock.Is once they hold the lock.
//
// It imports nothing of raket.
package flock
