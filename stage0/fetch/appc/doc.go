// Package appc reads appc image archives (ACIs): a tar, possibly compressed, of
// a manifest and a rootfs.
//
// This package may use pkg/image and pkg/layer. Like the rest of fetch it must
// not be used by stage1 or stage2.
package appc
