// Package imagestore keeps images: an OCI image layout on disk, with a record
// beside it for each image, and the trees its layers unpack to.
//
//	images/oci-layout, index.json     names and IDs: what is in index.json is in the store
//	images/blobs/sha256/HEX           manifests, configs, layers as fetched
//	images/records/HEX.json           what else is known of an image; its mtime is the last use
//	images/records/.list              disposable: all records, for List
//	images/ingest/HEX/blob            a blob being fetched; the directory is locked meanwhile
//	images/lock                       shared while an image is taken into use, exclusive to remove
//	images/fetch.lock                 shared while images are fetched, exclusive to remove blobs
//	images/index.lock                 exclusive while index.json is changed
//	trees/                            see package tree
//
// Locks are taken in this order: fetch.lock, lock, ingest directories, trees in
// the making, index.lock. Nobody waits for an ingest directory or a tree while
// holding another of the same rank, so fetches of images that share layers in
// any order can't block each other.
//
// An image appears by the rename of index.json, after everything it needs has
// reached the disk, and goes by another. A process killed in between leaves
// files that nothing refers to; GC and the next fetch remove them.
//
// This package may use pkg/image, pkg/layer, pkg/tree, pkg/flock and
// pkg/atomicfile.
package imagestore
