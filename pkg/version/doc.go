// Package version says which build of raket this is.
//
// The version and the commit come from the linker, or, where a build gave
// none, from what the Go tool recorded about the source tree. It imports
// nothing of raket.
package version
