// Package uidrange decides which user and group IDs of the host's a pod has for its own.
//
// Ranges that are picked keep to systemd's convention for containers (uid-gid.md): 65536 IDs
// from a multiple of that number on, in 524288 to 1879048191, none of which a user, a group
// or /etc/subuid has, and a lock in /run/systemd/nspawn-uid, which systemd-nspawn takes too.
// The lock is a descriptor that the pod's process inherits, so the kernel frees a range with
// the pod, whatever ends that.
package uidrange
