// Package tree keeps unpacked layers, each once per host, and reads images as
// overlayfs will show them.
//
// Terms:
//
//   - tree: a layer as a directory, of use as an overlayfs lower directory. On
//     disk it is NAME/fs beside NAME/meta.json, both appearing by one rename.
//
//   - staging: a tree in the making, below .ingest, whose directory is locked
//     while its maker lives.
//
//   - stack: the trees of an image, top first, as overlayfs wants its lowerdir.
//
//   - patch: a tree on top of a stack that has nothing but directories: it gives
//     back the owner and mode of a lower layer's directory where a layer above
//     holds files in it without describing it.
//
//   - seed: a directory of trees that came with the host's /usr; it is read,
//     never written.
//
//   - copy: a staging that a tree is compared with, and replaced by.
//
// A tree never changes once it is visible. This package may use pkg/layer,
// pkg/image, pkg/flock and pkg/atomicfile.
package tree
