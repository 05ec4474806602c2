// Package bare is what a program is made of that runs without Go's runtime:
// system calls, and texts to say what went wrong. Nothing in it allocates memory,
// starts a thread, blocks in the scheduler or depends on a package's
// initialisation, so that its functions can be called before there is any of
// that. They work under the runtime as well.
//
// Terms: a Str is a string that ends in a zero byte, as the kernel wants them; a
// Failure is an error without an interface around it.
//
// Go's runtime takes several times the processor time to start that all the
// system calls of an app's last step take; see docs/adr/0022-bare-start.md, also
// for the rules that code of such a program keeps.
//
// It imports the system call packages only.
package bare
