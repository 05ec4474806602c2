// Package podmetadata is what the two ends of the metadata service have in common
// (appc spec, "App Container Metadata Service"): stage0 lays out what a pod's apps
// may ask for, stage2's metadata answers from there, and both make signatures by the
// same rule.
//
// Terms: the host's key is 64 random bytes that all pods of a data directory derive
// theirs from. A pod's key makes its signatures. The token is the part of a pod's
// AC_METADATA_URL that nobody else knows.
//
// It imports the standard library's cryptography and nothing else, because a
// program in pods links it.
package podmetadata
