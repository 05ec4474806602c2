// Package images builds real container images for tests, the demo and the benchmarks,
// without a container engine.
//
// A Builder takes layers of entries and a config and becomes an Image; Image and Index
// (several platforms) are written as an OCI layout, an OCI archive, a Docker archive, or
// pushed to a registry. ACI writes an App Container Image. The same calls always give the
// same bytes, so digests may stand in tests.
//
//	img, err := images.Busybox().Layer(images.File("etc/motd", "hi\n", 0o644)).Cmd("cat", "/etc/motd").Image()
//	err = img.Layout(dir, "latest")
//
// A Signer signs ACIs, as their authors do, with gpg. The same calls do not give the same
// signatures.
//
// Named images (see Names) are those of the demo: nginx from Debian's packages, a log
// shipper, a reloader, busybox; the reloader's ACI is signed. Ensure builds what is missing of them into the cache.
//
// Terms: an entry is one member of a layer's tar file; a recipe is what decides a named
// image's content.
//
// It must not import any stage or pkg package: it makes what those are tested with.
package images
