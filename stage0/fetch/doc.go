// Package fetch turns an image name into a verified image in the store.
//
// Terms:
//
//   - source: where an image's manifest and blobs come from; package registry,
//     file and appc make them.
//   - pull policy: when a source is asked although the store has the name.
//   - evidence: what vouches for a manifest's digest beyond the digest itself.
//     So far it is nothing; signatures and policy take their place in it.
//
// Nothing of an image is visible in the store before all of it was verified.
// This package may use the packages below it, pkg/imagestore and what that
// uses. It must not be used by stage1 or stage2.
package fetch
