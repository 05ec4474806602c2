// Command join runs a command in an app that runs: in its control groups, namespaces
// and root, under its limits, and with no more rights than stage1 says.
//
// Usage:
//
//	join [OPTION]... -- PROGRAM [ARG]...
//
// It stays beside the command, in the pod's root and out of the app's reach, as long
// as the command runs. Descriptor 3 is its caller's: each byte read there is the
// number of a signal for the command; its end means that nobody waits for the command
// any more, and then join kills the command and everything that came of it. What the
// command itself leaves behind when it ends goes on.
//
// A second process of it, with -C as its first argument, becomes the command.
//
// The options; FD are numbers of descriptors:
//
//	-t FD   a legacy control group's "tasks"; repeated
//	-c FD   the unified control group's directory
//	-p FD   its "cgroup.procs"
//	-i      it is in that group already
//	-m PID  take the limits of this process: resources, memory killer, processors, nice
//	-U FD   the pod's user namespace; with it the command is started as root there, its
//	        groups joined, and this process gives it its limits (see users.go)
//	-E FD   with -U: a namespace to enter before that, as one of the host's
//	-N FD   a namespace to enter; repeated, in this order
//	-r FD   the root
//	-w DIR  the working directory, in the root
//	-d      where that is missing, / will do
//	-u UID, -g GID, -G GID   the user; -G is repeated
//	-k MODE the umask, octal
//	-b MASK, -a MASK  the bounding and the ambient capabilities, hexadecimal
//	-n      no new privileges
//	-f FILE the system call filter (pkg/seccomp/program), in the pod's root
//	-T      descriptor 0 becomes the command's controlling terminal
//
// It exits as the command does, with 128 and the signal's number if that was killed;
// with 203 if PROGRAM cannot be executed, 226 if the app cannot be entered, 218 if
// capabilities cannot be given up, 228 if the filter cannot be loaded.
//
// It imports the standard library's os, the system call packages, and little else.
package main
