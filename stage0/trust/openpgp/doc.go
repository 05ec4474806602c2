// Package openpgp reads OpenPGP public keys and checks signatures that they made
// (RFC 9580), by one policy.
//
// Terms:
//
//   - key: a primary key with its user IDs and subkeys; named by the primary
//     key's fingerprint, whichever of its parts signed.
//   - keyring: keys that are trusted by whoever put them together. This package
//     never asks whose a key is, and knows no web of trust.
//   - detached signature: a file beside the content (gpg --detach-sign).
//   - signed message: signature and content in one (gpg --sign).
//
// The policy, whose reasons are in docs/adr/0007-expired-keys.md:
//
//   - Signatures are over SHA-2 or SHA-3 of 256 bits and more, of the content's
//     bytes as they are: a signature of text in canonical form fits several files.
//   - Keys are RSA of 2048 to 16384 bits, ECDSA, Ed25519 or Ed448. DSA is refused.
//   - The newest self-signature of a key that has not expired is what its owner
//     says of it. It must allow signing; a subkey that signs must in its turn have
//     signed the primary key.
//   - A signature made while the key was valid stays good when the key expires.
//     One made after that, or before the key was, is refused; so is one from
//     the future, or one that has itself expired.
//   - A key that is revoked is refused for whatever reason and whatever it signed
//     when; so is a subkey.
//   - A key's statements about itself may use SHA-1: to forge one takes a second
//     preimage, not a collision.
//
// It is the importer of github.com/ProtonMail/go-crypto. It imports nothing of
// raket.
package openpgp
