// Package nspawn writes what systemd-nspawn and the systemd in a pod are
// started with: the argument vector, the environment and the few files of the
// pod's root. It is pure.
//
// The pod's root is a handful of directories and the host's /usr, read-only: the
// pod runs the host's own systemd, with nothing of the host's configuration.
package nspawn
