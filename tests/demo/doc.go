// Package demo tests the two commands of the README: the demo, which is the script beside this
// file, and dist/deps.sh, which both commands begin with.
//
// The script runs on the machine itself where that has booted with systemd, and on a test
// host elsewhere; both are tested, the first inside a test host.
//
// It must not import any stage or pkg package.
package demo
