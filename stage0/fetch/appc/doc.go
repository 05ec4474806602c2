// Package appc fetches appc images (ACIs): from files, from URLs, and by name
// from the sites that names begin with.
//
// Terms:
//
//   - ACI: a tar, possibly compressed, of a manifest and a rootfs.
//   - discovery: finding the URLs of an image and its signature from its name and
//     labels (appc spec, "App Container Image Discovery").
//   - endpoint: a pair of such URLs.
//   - transfer: the download of one file, over several requests, and processes,
//     if need be.
//   - deferred signature: one the site has not ready until the image has been
//     downloaded; it answers 202 until then.
//   - dependency: an image whose files lie below another's.
//
// A file is verified as it was transported, and nothing of it is parsed before.
//
// This package may use pkg/flock, pkg/image, pkg/imagestore, pkg/layer and
// pkg/progress.
// Like the rest of fetch it must not be used by stage1 or stage2.
package appc
