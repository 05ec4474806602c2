// Package approot assembles the root file system of one app: layers stacked by
// overlayfs, volumes on their mount points, and the files that tell an app its
// names. Both stages that run apps on the host's kernel use it.
//
// All of it happens in the caller's mount namespace, which must not be the
// host's: Isolate makes one. With the last process in that namespace the mounts
// are gone, so nothing has to be undone.
//
// Image trees are hostile: a path inside a root is only ever resolved inside it
// (openat2(2), RESOLVE_IN_ROOT).
package approot
