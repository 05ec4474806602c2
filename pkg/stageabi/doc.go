// Package stageabi is the contract between stage0 and a stage1: what a stage1
// image declares, what stage0 leaves in a pod's directory, how an entrypoint is
// executed and what it leaves behind. docs/stage1-contract.md is the same in
// prose, for those who write a stage1 in another language.
//
// Terms: an entrypoint is an executable that a stage1 image names in an
// annotation. A sandbox is the pod seen from outside its apps: namespaces,
// network, policy.
//
// It imports the standard library only, and it is the only package of raket's
// that stages share for talking to each other.
package stageabi
