// Package registry reads manifests, blobs and signatures from registries that
// speak the OCI distribution protocol (distribution-spec 1.1, "Pull").
//
// Terms:
//
//   - endpoint: a registry and repository that is asked; mirrors first, the
//     registry's own location last. Whatever fails at one is asked of the next,
//     and an endpoint that cannot be reached or has lied is left out from then on.
//   - try, attempt: one request with what logging in needs around it. What may
//     pass (a reset, a timeout, 408, 429, 5xx) is tried again after a back-off;
//     what will not (any other 4xx, a bad certificate) never is.
//   - resume: a blob whose stream breaks goes on where it was, at the same
//     endpoint or another: content that has a digest is the same everywhere.
//   - challenge: what a registry says, with 401, that it wants to be shown.
//
// What is kept from registries: credentials go to the registry they are for and
// to the token server it names, never over plain HTTP to another machine and
// never along a redirect. Plain HTTP is spoken with loopback addresses, and else
// only where the user said so. A registry on another machine cannot send a
// client to plain services on this one. Every answer has a limit of size and,
// but for blobs, of time; a blob must keep a least rate.
//
// Manifests are held against their digests here, so that a mirror's lie leads to
// the next endpoint. Blobs are verified by who stores them, which hashes anyway,
// and says so with [Source.Distrust]. Nothing is asked before it is wanted: there
// is no ping, and no HEAD.
//
// This package may use pkg/image, stage0/registries and stage0/credentials.
package registry
