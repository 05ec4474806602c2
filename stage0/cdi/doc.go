// Package cdi reads specifications of the Container Device Interface: files in which vendors say
// what a container needs for a device of theirs (cncf-tags/container-device-interface, SPEC.md).
//
// A device is VENDOR/CLASS=NAME. What it takes are nodes, mounts, variables and groups; whatever
// would run a program on the host (hooks), or is not known, is refused by name.
package cdi
