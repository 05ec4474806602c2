// Package layer unpacks image layers into directories, verifying while it
// reads.
//
// Terms:
//
//   - blob: a layer as it travels: a tar, usually compressed.
//   - tree: the directory that a layer's tar becomes. As an overlayfs lower
//     directory it has whiteouts as character devices 0:0 and opaque
//     directories marked by the trusted.overlay.opaque attribute.
//   - implied directory: one that an entry's name needs and no entry
//     describes; its mode and owner are made up.
//
// A layer's bytes come from strangers. Nothing unpacked here leaves the
// destination: names are cleaned lexically, and every directory is opened by
// openat2(2) with RESOLVE_IN_ROOT, so that symbolic links, whatever they say,
// lead nowhere else. The number of entries, the bytes and the ratio of
// compression are bounded. Device nodes are left out: a pod has the devices
// its manifest grants, never an image's. Extended attributes other than
// security.capability and user.* are left out too. Set-user-ID bits, owners,
// FIFOs and names of any bytes are kept.
//
// Only an image.VerifiedLayer can be unpacked, and Unpack returns proof that
// the bytes were the ones it describes; a caller makes the destination visible
// only with that proof in hand.
//
// This package may use pkg/image. It must not use the store.
package layer
