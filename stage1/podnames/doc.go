// Package podnames lets pods of a host find each other by name without anybody who answers:
// every pod that has networks has a hosts file of its own, which all its apps see, and whoever
// starts a pod with names, or finds that one has ended, writes those of the others.
//
// Terms: a record says by which names a pod is to be found, and at which addresses in which
// network; it is in the directory names of stageabi.Network.StateDir for as long as the pod
// lives, and its pod's lock says whether it does. A pod sees the names of those that it shares a
// network with. What stands above the mark in a hosts file is the pod's own.
//
// The file "hosts" in the same state directory has all names, for resolvers of the host.
//
// It must not know of nspawn or CNI.
package podnames
