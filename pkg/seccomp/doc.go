// Package seccomp makes system call filters: from an app spec's linux.seccomp to
// the program that the kernel executes at each system call, and from profiles and
// named sets to linux.seccomp.
//
//	Default, Profile, Set.Filter   what was asked for → runtime-spec LinuxSeccomp
//	Compile                        LinuxSeccomp → program.Program
//
// Terms:
//
//   - ABI: one of a machine's ways to make system calls, each with numbers of its
//     own: x86-64 and i386 on amd64, arm64 and arm on arm64. x32 is closed.
//   - Rule: names of system calls, conditions on their arguments, an action.
//   - Group: a named set of system calls, as "@systemd/clock".
//
// Everything here is pure but [Profile] and [Default], which ask for the kernel's
// version: Docker's profiles have conditions on it. It must not import other
// packages of this module but program.
package seccomp

//go:generate go run gen.go
