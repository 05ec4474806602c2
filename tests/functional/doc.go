// Package functional holds the tests of raket's promises one by one: the built programs, run
// as an operator would, on a real systemd host.
//
// The tests of a binary share one host. Each works in a data directory of its own there, from
// newPods, which is emptied and checked for leftovers when the test ends. Pods run busybox;
// an app waits for its test by reading from a FIFO in a volume, and tests wait for
// conditions, never for time to pass.
//
// They test what bin/ holds ("make itest" builds it first) and must import no stage package.
package functional
