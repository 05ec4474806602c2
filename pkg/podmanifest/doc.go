// Package podmanifest reads, makes and writes pod manifests: which apps share a
// pod, with which volumes, ports and annotations. Their form is appc's PodManifest
// (appc spec, "Pod Manifest Schema"), as rkt wrote and read it.
//
// It is the importer of github.com/appc/spec/schema: the aliases here are for the
// rest. That module's parsers trust their input, so Parse checks what they would
// stumble over first, with the JSON path in its errors.
//
// The package uses pkg/appspec for what is inside an app, and pkg/podport for ports.
package podmanifest
