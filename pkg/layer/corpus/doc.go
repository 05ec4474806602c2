// Package corpus has archives that a hostile author of images might send, each
// with what unpacking it must come to. Tests unpack them, fuzzing begins with
// them, and a comparison sends them through other unpackers.
//
// Terms:
//
//   - archive: an image, of one layer or several, with one trick in it.
//   - canary: a directory outside the tree, which nothing may change. Archives
//     that aim at an absolute path aim at it.
//   - refused: unpacking ends with an error that names the entry or the limit.
//   - contained: it unpacks, and all it made is in the tree.
//
// Everything is made by code, always with the same bytes for the same canary.
// It may import the standard library and what compresses; nothing shipped may
// import it.
package corpus
