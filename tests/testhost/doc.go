// Package testhost gives tests a real systemd host to run pods on: systemd, D-Bus,
// journald and machined booted by systemd-nspawn from a cached root file system, fresh at
// each start.
//
// The script "host" beside this file does the work and is usable by hand; this package
// wraps it for tests. A test binary shares one host:
//
//	func TestMain(m *testing.M) { os.Exit(testhost.Main(m)) }
//
//	func TestSomething(t *testing.T) {
//		h := testhost.Shared(t)
//		h.MustRun(t, "raket version")
//	}
//
// A test that changes the host as a whole starts one of its own with Start. Where no host
// can be had (no root, missing programs) the test is skipped with the exact reason; with
// CI=true it fails instead.
//
// In the host the checkout's bin is at BinDir, first in PATH, read-only; /var/lib/raket is
// empty and on a file system that overlayfs accepts as an upper directory.
//
// The script "vm" runs a test binary, hosts and all, on a virtual machine with a kernel of
// its own and pure cgroup v2: go test -exec tests/testhost/vm.
//
// It must not import any stage or pkg package: it is what those are tested with.
package testhost
