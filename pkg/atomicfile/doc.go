// Package atomicfile replaces files so that a reader, or the machine after a
// power loss, sees either the old content or the new, never a mixture.
//
// Terms: a durable write has reached the disk, together with the directory
// entry that names it, when the call returns. A write that is only atomic is
// all or nothing for other processes, but a power loss may undo it or, on some
// file systems, leave the file empty: use it for what can be made again.
//
// It imports nothing of raket.
package atomicfile
