// Package terminal gives a command in another root a terminal of that root's, and
// connects it to the caller's.
//
// Master and slave are the two ends, as in pty(7). It imports nothing but the system's
// own interfaces; raw mode and sizes are those of ioctl_tty(2).
package terminal
