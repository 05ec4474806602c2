// Package userns starts programs in user namespaces that exist.
//
// A process can enter one only while it has a single thread (setns(2)), which a Go program
// never has. Between fork and execve it does: this package does there what os/exec does, and
// setns besides. That part makes system calls and nothing else.
//
// Programs of the pod link it: it imports the standard library's system calls only.
package userns
