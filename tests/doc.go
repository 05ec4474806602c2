// Package tests holds the functional tests: the built programs, run as an operator would, on
// a real systemd host.
//
// Each test gets the host of the test binary from newEnv, with a registry on the host's
// loopback that holds the named images of tests/images. Tests share the host and its store:
// each uses pods and units of its own and removes them.
//
// They test what bin/ holds ("make itest" builds it first) and must import no stage package.
package tests
