// Package simplesigning reads the documents that simple signing signs
// (containers-signature(5)), and judges whether the image name in one is the
// name that was asked for (containers-policy.json(5), signedIdentity).
//
// Terms:
//
//   - payload: the JSON document: a manifest's digest, and the image's identity.
//     OpenPGP signs it for simple signing, a plain key for cosign.
//   - identity: the docker reference in it, "host/repository:tag". A signature
//     without the right one proves only that somebody signed something.
//
// Signatures are verified before a payload comes here. It may use pkg/image and
// stage0/trust/policy/strictjson, and neither reads files nor the network.
package simplesigning
