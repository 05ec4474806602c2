// Package registry reads manifests and blobs from registries that speak the
// OCI distribution protocol.
//
// Authentication, its challenges and the retry of requests are
// go-containerregistry's; the requests themselves are made here, so that sizes
// are bounded, and so that nothing but a loopback address is ever spoken to
// without TLS unless the user said so: go-containerregistry would also do so
// with private networks.
//
// This package may use pkg/image. It is the one importer of
// go-containerregistry.
package registry
