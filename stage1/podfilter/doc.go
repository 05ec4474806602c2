// Package podfilter is the system call filter of a pod.
//
// systemd-nspawn has one, which it compiles with libseccomp at every start, one
// program per architecture and two more against audit sockets: more processor
// time than all the rest of a pod's start. This package has the same decisions
// ready, in one program that is a binary search, installs it before nspawn is
// executed, and so also saves every system call of every app the walk through
// five programs.
//
// The decisions are those of nspawn 252 for the capabilities it grants by
// default. Where a pod has others, or on another architecture, nspawn's own
// filter is used. The x32 ABI, which nspawn filters, is closed altogether.
package podfilter
