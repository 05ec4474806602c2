// Package keystore keeps the OpenPGP keys that are trusted to sign ACIs, in
// directories as rkt has them, and asks them about signatures.
//
//	DIR/root.d/FINGERPRINT              a key for images of every name
//	DIR/prefix.d/PREFIX/FINGERPRINT     a key for the image PREFIX and all below it
//
// DIR is the directory trustedkeys of a layer of the configuration: the vendor's
// (system), the host's (local), the user's. FINGERPRINT is the primary key's, in
// lower case. A file has one key, armored or binary, of that fingerprint.
//
// Terms:
//
//   - prefix: an appc name; it speaks for the image of that name and for those
//     whose names go on with "/" after it: "example.com/app" for
//     "example.com/app/db" and not for "example.com/apples". (rkt compared
//     strings and did not see the difference.) The root has the prefix "".
//   - mask: an empty file. It takes back the trust in the key.
//
// What counts for a name is the last word on a key, in rkt's order: root.d of the
// layers, later ones last; then their prefix.d, in each the wide prefixes before
// the narrow. So a mask hides the file of the same path in the layers before it,
// and a mask below a prefix takes back what the root was trusted with.
//
// A signature is checked when an image comes, against all keys of the store, before
// anything of the image is parsed; then the image's manifest is read, and the key
// asked whether it may sign that name. At use the name of the key is enough, and
// the one file that has it is read, since it may hold a revocation by now.
// Whether the key has expired in between is not asked: see
// docs/adr/0007-expired-keys.md.
//
// It may use pkg and stage0/trust/openpgp. It must not use the network.
package keystore
