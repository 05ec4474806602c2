// Package idmap has the files of a pod that has a user namespace seen under the pod's
// IDs: what is root's on the disk is the pod's root's, and the disk stays as it is.
//
// A Range says which IDs of the host a pod's are. A Map puts it on mounts (mount_setattr(2),
// MOUNT_ATTR_IDMAP), which is done once a mount and copies nothing.
//
// The package knows nothing of pods; it uses the standard library and system calls.
package idmap
