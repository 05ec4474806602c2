// Package file reads images from OCI image layouts, archives of them, and
// archives made by docker save.
//
// Archives are read in place: one pass finds where each member lies. A
// compressed archive is first unpacked to an unnamed temporary file.
//
// This package may use pkg/image and pkg/layer. Like the rest of fetch it must
// not be used by stage1 or stage2.
package file
