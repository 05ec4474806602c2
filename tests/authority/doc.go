// Package authority is a certificate authority of a test's own, and the certificates of the
// test's servers: for 127.0.0.1, ::1, localhost and what other names are asked for.
//
// Terms: the authority is what clients trust; a pair is a server's certificate with its key.
//
// It must not import any stage or pkg package.
package authority
