// Package lookaside reads registries.d (containers-registries.d(5)), and fetches
// the signatures that lie in lookasides.
//
// Terms:
//
//   - lookaside: a web server or a directory that holds simple signing's
//     signatures, apart from the registry: NAME@sha256=HEX/signature-1 and on.
//   - namespace: what a section of registries.d is for: an image, a repository,
//     a prefix of one, a host, or all hosts of a domain.
//
// What it returns is unverified. It may use pkg/image; it must not use
// stage0/fetch. It is the importer of go.yaml.in/yaml/v3.
package lookaside
