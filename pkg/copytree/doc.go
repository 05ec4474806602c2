// Package copytree copies a file or a directory between two roots, as a tar stream:
// Send writes one, Receive unpacks one.
//
// Both work below a directory that is held open, and neither follows a symbolic link
// there: whoever owns the tree, and changes it meanwhile, gets at nothing outside it.
// Owners, modes, times, hard links and extended attributes are kept. Receive shows
// nothing of what it unpacks before all of it is there and the stream has ended as a
// tar stream ends (two blocks of zeros), so that a sender that failed leaves nothing.
package copytree
