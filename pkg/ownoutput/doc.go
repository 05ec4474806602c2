// Package ownoutput knows the names by which a program opens its own standard output or
// errors anew, and finds them in what an image and an operator say. Of a pipe such a name
// works, of a connection to the journal it does not.
package ownoutput
