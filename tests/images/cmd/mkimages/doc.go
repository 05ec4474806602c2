// Command mkimages builds the named images of tests and demo into the cache:
//
//	mkimages [-cache DIR] [-push HOST:PORT] [NAME…]
//
// What is there already with the same recipe is not built again. It prints a line for each
// image: name, digest, the directory of its OCI layout, and the file of its ACI or "-". Beside
// an ACI FILE are its signature, FILE.asc, and pubkey.asc, the key that made it.
// With -push each image is pushed as HOST:PORT/NAME:latest too.
package main
