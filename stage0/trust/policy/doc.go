// Package policy decides whether an OCI image may be used, as policy.json says
// (containers-policy.json(5)). docs/adr/0008-image-policy.md has the reasons and
// what differs from other readers of the file.
//
// Terms:
//
//   - scope: what a part of the policy is about: an image, a repository, a host, a
//     directory, a transport, or everything else (default). The narrowest that an
//     image is in counts, alone.
//   - requirement: what an image of a scope must have. All of them must hold.
//   - evidence: a signature that was found good; kept with the image, so that
//     Accepts can judge again, without network, by the policy in force then.
//
// Appc images are no matter of this package. It may use stage0/trust/openpgp,
// simplesigning, lookaside and sigstore; it must not use stage0/fetch, whose
// sources come in as Attachments.
package policy
