// Package netlimit holds what a control group's sockets send and receive to so many bytes a
// second, each, by rules of nf_tables in the network namespace of the calling thread. What stays in
// the namespace, on its loopback interface, is not limited.
//
// A rule finds the packets of a group by its ID at a level of the unified hierarchy (cgroup v2).
// Kernels differ in where they count levels from, so a level is proven with packets before it
// is used.
//
// stage1 asks whether the kernel can do it; stage2's bandwidth, in the pod, does it. The package
// must import nothing that is big or slow.
package netlimit
