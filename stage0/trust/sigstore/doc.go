// Package sigstore finds the signatures that cosign attaches to images, and
// verifies those made with a key.
//
// Terms:
//
//   - attachment: a manifest beside the signed one in its repository: under the
//     tag sha256-HEX.sig, or as a referrer of it (OCI distribution specification
//     1.1). Each layer is a payload, with its signature in an annotation.
//   - payload: as simple signing's; see stage0/trust/simplesigning.
//   - bundle: cosign's newer form. It names no image, so no rule of a policy can
//     take it; it is reported, not verified.
//
// Certificates, transparency logs and timestamps (keyless signing) are not read.
//
// Only the standard library's cryptography is used. It may use pkg/image and
// speaks to registries through Attachments alone.
package sigstore
