// Package image has the model's image types: what an image is once it is in
// the store, how users refer to one, and the proof that its manifest and
// config were checked.
//
// Terms:
//
//   - reference (Ref): what a user writes to name an image: a place to fetch it
//     from, an ID, or a name that is already in the store.
//   - manifest: the OCI image manifest that lists config and layers. The image
//     ID is its sha256 digest. An ACI has one too, made here.
//   - config: the OCI image config, or the appc ImageManifest of an ACI.
//   - blob digest: the digest of a layer as it travels, usually compressed.
//   - diff ID: the digest of the same layer's uncompressed tar.
//   - Verified: a manifest and config whose digests were checked. Only it
//     yields a VerifiedLayer, and only that can be unpacked.
//
// It reads no files and no network, and imports nothing of raket.
package image
