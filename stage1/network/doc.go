// Package network joins pods to CNI networks and has them leave these again.
//
// Terms: an attachment is one network of a pod, its interface and whatever the
// plugins made for it. A record is what undoes a pod's attachments: a directory
// below pods in Network.StateDir, there before the first plugin is asked and until
// the last attachment is undone. Its lock is held by the pod while it lives, and then
// by whoever undoes it; so a record whose lock is free is of a pod that has ended, and
// two processes never undo the same. A stand-in is a namespace made for an
// undoing, in place of the pod's, which is gone with its last process.
//
// The namespace of a pod has no name in any file system: processes and a
// descriptor keep it.
//
// It is the one importer of libcni, and must not know of nspawn.
package network
