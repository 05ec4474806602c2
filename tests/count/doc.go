// Command count runs static checks and go test, and ends in one line:
//
//	N passed, N failed, N skipped
//
// Usage:
//
//	count [-step NAME=COMMAND]… [-- [-shards=N] GO-TEST-ARGUMENT…]…
//
// Each step is a shell command and counts as one test. Each group behind "--" is one run of
// go test, or with -shards, for one package, N runs at a time that share its tests. Leaf tests
// are counted: a test with subtests counts through them, and by itself only if it fails
// although none of them did. The seeds of a fuzz target count as one.
//
// Failures are printed with their output, skips with their reason, the slowest tests with their
// time. The exit status is 1 when
// anything failed, a package did not build, or no test ran at all, and 2 for a bad command line.
//
// It imports the standard library only.
package main
